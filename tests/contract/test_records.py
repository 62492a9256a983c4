"""Whoever makes one of our objects out of more than five things says which is which: two neighbours of one type change places unseen."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from .repository import relative, tracked_files

MAX_POSITIONAL = 5
LEFT_OUT = ("tests/", "libs/contracts/gen/")


@cache
def modules() -> dict[str, ast.Module]:
    return {
        relative(path): ast.parse(path.read_text())
        for path in tracked_files()
        if path.suffix == ".py" and not relative(path).startswith(LEFT_OUT)
    }


def calls(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, ast.Call]]:
    """Yield every call with the name of what is called; ``cls`` is the class around it."""
    for node in ast.iter_child_nodes(tree):
        yield from calls(node, node.name if isinstance(node, ast.ClassDef) else owner)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            yield owner if name == "cls" else name, node


def unnamed(tree: ast.AST, classes: set[str]) -> list[str]:
    """Return where a class gets more than five things by place. What is unpacked (``*row``) has its order from elsewhere."""
    return [
        f"{call.lineno}: {name}"
        for name, call in calls(tree)
        if name in classes and sum(not isinstance(each, ast.Starred) for each in call.args) > MAX_POSITIONAL
    ]


def test_more_than_five_fields_are_given_by_name() -> None:
    classes = {node.name for tree in modules().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert {"Candidate", "Observation", "Transaction", "Draft"} <= classes
    assert not {path: found for path, tree in modules().items() if (found := unnamed(tree, classes))}


@pytest.mark.parametrize(
    "call",
    [
        "Row(1, 2, 3, 4, 5, 6)",
        "rows.Row(1, 2, 3, 4, 5, 6, g=7)",
        "class Row:\n    def made(cls):\n        return cls(*a, 1, 2, 3, 4, 5, 6)",
    ],
)
def test_a_sixth_thing_by_place_is_found(call: str) -> None:
    assert unnamed(ast.parse(call), {"Row"})
    assert not unnamed(ast.parse(call.replace("5, 6", "e=5, f=6")), {"Row"})
