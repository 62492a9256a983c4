"""Puts a trained version into a model repository: graph, native trees, card, and the thin shim that Triton loads.

    <repository>/fraud/config.pbtxt
    <repository>/fraud/<version>/{model.onnx, model.txt, card.json, model.py}

A version is written once and never changed: its number stands in every decision it makes, its digests in every audit record. That is its
graph, its trees and its card, which states the digests of both. The shim and the configuration are code, the same for all versions.
"""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import lightgbm as lgb

NAME = "fraud"
LIMIT_BYTES = 2 * 1024 * 1024
_TRITON = Path(__file__).resolve().parent / "triton"


def next_version(repository: Path) -> str:
    """One more than the highest version there, "1" in an empty repository."""
    folder = repository / NAME
    taken = [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
    return str(max(taken, default=0) + 1)


def check_free(repository: Path, version: str) -> None:
    """Raises ValueError when the version cannot be written: it exists, or is no number."""
    if not version.isdigit():
        raise ValueError(f"a version is a whole number, not {version!r}")
    if (repository / NAME / version).exists():
        raise ValueError(f"version {version} exists in {repository}; a version is never changed")


def write_version(repository: Path, version: str, booster: lgb.Booster, graph: bytes, card: dict[str, Any]) -> Path:
    """Write a version and return its folder. Raises ValueError when it is there already or too large to serve."""
    check_free(repository, version)
    if len(graph) > LIMIT_BYTES:
        raise ValueError(f"the graph has {len(graph)} bytes, allowed are {LIMIT_BYTES}")
    folder = repository / NAME / version
    folder.mkdir(parents=True)
    trees = booster.model_to_string()
    (folder / "model.onnx").write_bytes(graph)
    (folder / "model.txt").write_text(trees)
    card = card | {"sha256": {"model.onnx": sha256(graph).hexdigest(), "model.txt": sha256(trees.encode()).hexdigest()}}
    (folder / "card.json").write_text(json.dumps(card, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    shutil.copyfile(_TRITON / "model.py", folder / "model.py")
    shutil.copyfile(_TRITON / "config.pbtxt", repository / NAME / "config.pbtxt")
    return folder
