"""Writes an encoder: its files, the manifest that names them, then the folder's own name, which is the manifest's digest.

Built beside its place and renamed, so that a folder in `var/models` is whole or not there; the same input makes the same bytes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from engine.encoder import manifest as manifests
from engine.encoder.manifest import Graph, Manifest, Prefixes
from engine.encoder.session import EncoderSession
from engine.llm.manifest import Source
from llm.folder import named, sha256

DEFAULT = "encoder"
"""Beside the folders of models: leads to the one that the mesh serves."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an encoder is beside its files; they become the manifest."""

    name: str
    dimension: int
    vocabulary: int
    max_tokens: int
    pad_id: int
    prefixes: Prefixes
    graph: Graph
    source: Source
    licence: str


def write(root: Path, files: Mapping[str, bytes | Path], facts: Facts) -> Path:
    """Return the encoder's folder, `root`/<first 16 of its digest>, once it was loaded and asked. Raises ValueError, OSError."""
    root.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".encoder-", dir=root))
    try:
        scratch.chmod(0o755)
        for name, content in files.items():
            if isinstance(content, Path):
                shutil.copyfile(content, scratch / name)
            else:
                (scratch / name).write_bytes(content)
        manifest = _manifest({path.name: sha256(path) for path in sorted(scratch.iterdir())}, facts)
        manifests.write(manifest, scratch)
        _asked(EncoderSession(scratch, manifest), manifest)
        return named(scratch, root / manifest.folder_name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _asked(session: EncoderSession, manifest: Manifest) -> None:
    """The longest text that the manifest allows is encoded once, since graphs end where their positions do."""
    try:
        session.encode([np.full(manifest.max_tokens, manifest.pad_id, np.int64)])
    except Exception as error:  # of ONNX Runtime
        raise ValueError(f"a text of {manifest.max_tokens} pieces cannot be encoded: {error}") from error


def _manifest(files: dict[str, str], facts: Facts) -> Manifest:
    return Manifest(
        name=facts.name, files=files, dimension=facts.dimension, vocabulary=facts.vocabulary, max_tokens=facts.max_tokens,
        pad_id=facts.pad_id, prefixes=facts.prefixes, graph=facts.graph, source=facts.source, licence=facts.licence,
    )  # fmt: skip
