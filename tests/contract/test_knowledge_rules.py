"""docs/knowledge-rules.md names tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs/knowledge-rules.md").read_text())


def test_promises_are_read() -> None:
    rows = [line for line in (ROOT / "docs/knowledge-rules.md").read_text().splitlines() if line.startswith("| ")]
    assert len(NAMED) == len(rows) - 1 > 30, "each row but the head names one test"


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_test_of_a_promise_is_there(path: str, name: str) -> None:
    assert re.search(rf"^(?:async )?def {name}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE)
