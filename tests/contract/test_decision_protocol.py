"""docs/decision-protocol.md and docs/handoff-protocol.md: every rule has its mutant, and whoever cites a rule cites one that stands there.

That a mutant is of code under libs/ or services/ and that no timeout counts is seen to by tests/protocol/mutants.py, while it runs.
"""

from __future__ import annotations

import ast
import re

import pytest

from .repository import ROOT, tracked_files

PAGES = {"D": "docs/decision-protocol.md", "H": "docs/handoff-protocol.md"}
RULES = [
    rule
    for letter, page in PAGES.items()
    for rule in re.findall(rf"^- \*\*({letter}[1-9][0-9]?) ", (ROOT / page).read_text(), re.MULTILINE)
]
KEPT: set[str] = set()
"""Numbers that are spoken for and not in force."""


def proven() -> set[str]:
    """Rules that some test takes out by a mutant."""
    found = set()
    for path in sorted((ROOT / "tests/protocol").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "assert_fails_without":
                rule, _, mutant, *_ = node.args
                assert isinstance(rule, ast.Constant), f"{path.name}:{node.lineno} names no rule"
                assert mutant is not None
                found.add(rule.value)
    return found


@pytest.mark.parametrize("letter", PAGES)
def test_rules_are_numbered_once_and_in_order(letter: str) -> None:
    numbers = [int(rule[1:]) for rule in RULES if rule.startswith(letter)]
    assert len(numbers) > 10
    assert numbers == sorted(set(numbers))
    assert {f"{letter}{number}" for number in range(1, numbers[-1] + 1)} - KEPT == {rule for rule in RULES if rule.startswith(letter)}


def test_every_rule_has_a_mutant_and_every_mutant_a_rule() -> None:
    assert proven() == set(RULES)


def test_code_cites_rules_that_stand_there() -> None:
    cited = {}
    for path in tracked_files():
        if path.suffix in {".py", ".lua", ".proto"} and path.relative_to(ROOT).parts[0] in {
            "libs",
            "services",
            "deploy",
            "cli",
            "bench",
            "proto",
        }:
            cited |= dict.fromkeys(re.findall(r"\b([DH][1-9][0-9]?)\b", path.read_text()), path)
    assert len(cited) > 15
    assert not {rule: path for rule, path in cited.items() if rule not in RULES}
