"""Grades of what is found in passages, from a YAML file."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from meshkit.errors import InvalidDocument
from meshkit.reload import read_file
from meshkit.strict_yaml import parse_yaml
from pii import Kind

from rag.domain.grading import Grades

_KEYS = {"version", "floor", "kinds"}
_ENTRY = {"grade", "source", "verified"}
_VERSION = 1


def file_grades(path: Path) -> Grades:
    """Return the table of a file. Raises InvalidDocument that names the place, FailedPrecondition for a file that can't be read."""
    content = read_file(path)
    value = parse_yaml(content)
    if not isinstance(value, dict) or value.keys() != _KEYS or value["version"] != _VERSION or not isinstance(value["kinds"], dict):
        raise InvalidDocument(f"{path} holds version: {_VERSION}, floor and kinds")
    known = {str(kind) for kind in Kind}
    if missing := known - value["kinds"].keys():
        raise InvalidDocument(f"{path}: kinds lacks {', '.join(sorted(missing))}")
    if unknown := value["kinds"].keys() - known:
        raise InvalidDocument(f"{path}: kinds.{sorted(unknown)[0][:40]} is no kind that can be found")
    kinds = {name: _grade(entry, f"{path}: kinds.{name}") for name, entry in value["kinds"].items()}
    return Grades(kinds, _checked(value["floor"], f"{path}: floor", 3), sha256(content).digest())


def _grade(entry: Any, place: str) -> int:
    if not isinstance(entry, dict) or entry.keys() != _ENTRY or not isinstance(entry["verified"], bool):
        raise InvalidDocument(f"{place} holds grade, source and verified")
    return _checked(entry["grade"], place, 5)


def _checked(grade: Any, place: str, most: int) -> int:
    if isinstance(grade, bool) or not isinstance(grade, int) or not 1 <= grade <= most:
        raise InvalidDocument(f"{place} is a grade from 1 to {most}")
    return grade
