"""What may stand in a tracked file: no package index, no path of one machine, no module too long to read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .repository import ROOT, relative, tracked_files

INDEX = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.|repo1?\.maven\.|proxy\.golang\.|"
    r"--(?:extra-)?index-url[ =]\S|PIP_(?:EXTRA_)?INDEX_URL=|^\s*index-url\s*=",
    re.MULTILINE,
)
MACHINE = re.compile(r"(?<![\w.$}~*/-])/(?:home|root|Users|work)/[A-Za-z0-9._-]+")
LONGEST_MODULE = 300
LONGEST_FUNCTION = 60
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}

TEXTS = [
    path
    for path in tracked_files()
    if path.suffix not in {".onnx", ".png", ".parquet", ".npz", ".gz", ".bin", ".db", ".jar", ".safetensors"}
]
MODULES = [
    path
    for path in tracked_files()
    if path.suffix == ".py"
    and not relative(path).startswith(("tests/", "libs/contracts/gen/"))
    and "tests" not in path.parent.parts[len(ROOT.parts) :]
]


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 50
    assert len(TEXTS) > 100


def test_no_package_index_is_named() -> None:
    named = {relative(path): found[0] for path in TEXTS if (found := INDEX.search(text(path)))}
    assert not named


def test_no_path_of_one_machine() -> None:
    named = {relative(path): found[0] for path in TEXTS if (found := MACHINE.search(text(path)))}
    assert not named


@pytest.mark.parametrize(
    ("pattern", "sample"),
    [
        (INDEX, "https://files.python" + "hosted.org/x"),
        (INDEX, "pip install --index" + "-url http://x"),
        (MACHINE, 'open("/ho' + 'me/me/x")'),
    ],
)
def test_the_patterns_find_what_they_look_for(pattern: re.Pattern[str], sample: str) -> None:
    assert pattern.search(sample)


def test_modules_can_be_read_at_one_sitting() -> None:
    long = {relative(path): count for path in MODULES if (count := len(text(path).splitlines())) > LONGEST_MODULE}
    assert not long


def test_functions_can_be_read_at_one_glance() -> None:
    long = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(text(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long[f"{relative(path)}:{node.name}"] = length
    assert not long


def test_names_say_something() -> None:
    assert not [relative(path) for path in MODULES if path.stem in FORBIDDEN_NAMES or path.parent.name in FORBIDDEN_NAMES]


def test_modules_say_their_place() -> None:
    silent = [relative(path) for path in MODULES if text(path).strip() and ast.get_docstring(ast.parse(text(path))) is None]
    assert not silent
