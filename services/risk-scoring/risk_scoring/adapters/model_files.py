"""A model version as the recipe leaves it in the model repository: `<repository>/fraud/<version>/{model.onnx, model.txt, card.json}`.

Each file is read once: digests are of the bytes that are used. Version 1 is older than the digests on the card.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from meshkit.errors import FailedPrecondition
from meshkit.strict_json import parse_json

from risk_scoring.domain.outcome import Thresholds
from risk_scoring.domain.tree_paths import TreePaths

MODEL_NAME = "fraud"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """One version: its graph, its trees, and the thresholds on its card. ``sha256`` and ``card_sha256``: 32 bytes, of graph and card."""

    version: str
    graph: bytes
    sha256: bytes
    card_sha256: bytes
    feature_schema_version: int
    thresholds: Thresholds
    paths: TreePaths


def load_model_files(repository: Path, version: str = "") -> ModelFiles:
    """Return a version, the highest when none is named.

    Raises FailedPrecondition when it is not there or not whole (MODEL_MISSING), or is not what its card says (MODEL_CHANGED).
    """
    base = repository / MODEL_NAME
    try:
        chosen = version or max((p.name for p in base.iterdir() if p.name.isdigit()), key=int)
        content = {name: (base / chosen / name).read_bytes() for name in ("model.onnx", "model.txt", "card.json")}
        digests = {name: sha256(each) for name, each in content.items()}
        card = parse_json(content["card.json"])
        levels = card["thresholds"]
        files = ModelFiles(
            version=chosen,
            graph=content["model.onnx"],
            sha256=digests["model.onnx"].digest(),
            card_sha256=digests["card.json"].digest(),
            feature_schema_version=int(card["feature_schema_version"]),
            thresholds=Thresholds(float(levels["challenge"]), float(levels["review"]), float(levels["decline"])),
            paths=TreePaths.parse(content["model.txt"].decode()),
        )
        stated = dict(card.get("sha256", {}))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise FailedPrecondition(f"model repository {base} has no whole version {version!r}", reason="MODEL_MISSING") from error
    if changed := [name for name, digest in stated.items() if name not in digests or digests[name].hexdigest() != digest]:
        raise FailedPrecondition(f"version {chosen} in {base}: {changed[0]} is not what its card says", reason="MODEL_CHANGED")
    return files
