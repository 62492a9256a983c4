"""`calibration.json` beside a model: the confidence from which on its answers need no second look, measured on held-out texts.

Surprising: a model without the file has no threshold, and everything that it says is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.llm import manifest
from meshkit.errors import FailedPrecondition, InvalidDocument
from meshkit.reload import read_file
from meshkit.strict_json import parse_json

FILE = "calibration.json"


def thresholds(folders: Iterable[Path]) -> dict[str, float]:
    """Return thresholds by name of the model. Raises FailedPrecondition (CALIBRATION_INVALID) that names a file that is wrong."""
    found = {}
    for folder in folders:
        path = folder / FILE
        if path.is_file():
            found[manifest.read(folder).name] = _threshold(path)
    return found


def _threshold(path: Path) -> float:
    try:
        document = parse_json(read_file(path))
    except InvalidDocument as error:
        raise FailedPrecondition(f"{path}: {error}", reason="CALIBRATION_INVALID") from None
    value = document.get("threshold") if isinstance(document, dict) else None
    if not isinstance(value, float | int) or isinstance(value, bool) or not 0 <= value <= 1:
        raise FailedPrecondition(f"{path}: threshold must be a number from 0 to 1", reason="CALIBRATION_INVALID")
    return float(value)
