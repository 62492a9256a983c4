"""The table of scenarios: what is wrong is named, what is unknown is refused."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from meshkit.errors import FailedPrecondition, InvalidDocument, NotFound
from rag.adapters.file_scenarios import file_scenarios
from rag.domain.scenarios import Scenarios

ONE = {"answerer": "extractive", "router_scenario": "assistant", "passages": 8, "highest_prompt_grade": 2, "max_output_tokens": 64}


def test_the_shipped_table_quotes() -> None:
    table = file_scenarios(Path(str(files("rag") / "scenarios.yaml"))).value
    assert table.of("").is_extractive and table.of("knowledge").name == "knowledge" and len(table.sha256) == 32
    with pytest.raises(NotFound):
        table.of("anti-fraud")


@pytest.mark.parametrize(
    "changes",
    [
        {"passages": 0},
        {"passages": True},
        {"passages": 8.0},
        {"highest_prompt_grade": 4},
        {"answerer": ""},
        {"answerer": None},
        {"更多": 1},
    ],
)
def test_a_wrong_table_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument):
        Scenarios.from_document({"version": "1", "scenarios": {"k": ONE | changes}}, b"")


@pytest.mark.parametrize(
    "document", [None, [], {}, {"version": 1, "scenarios": {}}, {"version": "1", "scenarios": {}}, {"version": "1", "scenarios": {"k": []}}]
)
def test_what_is_no_table_is_refused(document: Any) -> None:
    with pytest.raises(InvalidDocument):
        Scenarios.from_document(document, b"")


def test_a_file_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("version: [")
    with pytest.raises(FailedPrecondition, match=r"s\.yaml"):
        file_scenarios(tmp_path / "s.yaml")
