"""A model version as the recipe leaves it in the model repository: `<repository>/fraud/<version>/{model.onnx, model.txt, card.json}`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from meshkit.errors import FailedPrecondition

from risk_scoring.domain.outcome import Thresholds
from risk_scoring.domain.tree_paths import TreePaths

MODEL_NAME = "fraud"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """One version. ``digest``: first 16 hex digits of the SHA-256 of model.onnx; thresholds as on the card."""

    folder: Path
    version: str
    digest: str
    feature_schema_version: int
    thresholds: Thresholds
    paths: TreePaths

    @property
    def onnx(self) -> Path:
        """The graph."""
        return self.folder / "model.onnx"


def load_model_files(repository: Path, version: str = "") -> ModelFiles:
    """Return a version, the highest when none is named. Raises FailedPrecondition when it is not there or not whole."""
    base = repository / MODEL_NAME
    try:
        chosen = version or max((p.name for p in base.iterdir() if p.name.isdigit()), key=int)
        folder = base / chosen
        card = json.loads((folder / "card.json").read_text())
        levels = card["thresholds"]
        return ModelFiles(
            folder=folder,
            version=chosen,
            digest=hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()[:16],
            feature_schema_version=int(card["feature_schema_version"]),
            thresholds=Thresholds(float(levels["challenge"]), float(levels["review"]), float(levels["decline"])),
            paths=TreePaths.parse((folder / "model.txt").read_text()),
        )
    except (OSError, ValueError, KeyError) as error:
        raise FailedPrecondition(f"model repository {base} has no whole version {version!r}", reason="MODEL_MISSING") from error
