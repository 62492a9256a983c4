"""Writes a converted model: the files, then the manifest that names them, then the folder's own name, which is the manifest's digest.

It is built beside its place and renamed, so that a folder in `var/models` is whole or not there. The same input makes the same bytes:
a model that is there already is left alone. Above 1.5 GB the weights stand in a file of their own, because one protobuf message ends at
2 GB.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.llm import manifest as manifests
from engine.llm.manifest import Layout, Manifest, Quantisation, Source
from engine.llm.model_files import FILE, TOKENIZER

from llm import known_answers
from llm.architecture import Architecture
from llm.graph import Weight, build
from llm.nodes import Nodes

TEMPLATE = "chat_template.jinja"
ONE_FILE_BYTES = 1_500_000_000
_SCRATCH, _LEFT_S = ".model-", 24 * 3600


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model is beside its weights; they become the manifest."""

    name: str
    end_ids: tuple[int, ...]
    bos_id: int | None
    tokenizer: bytes
    template: str | None
    source: Source
    licence: str
    weights: str = "fp32"
    accuracy_level: int = 0
    provider: str = "cpu"
    tool_format: str | None = None
    max_len: int = manifests.DEFAULT_MAX_LEN

    @property
    def dtype(self) -> str:
        """Number type of activations and caches: attention on CUDA knows 16-bit floats alone."""
        return "float16" if self.provider == "cuda" else "float32"


def write(root: Path, architecture: Architecture, weight: Weight, facts: Facts, *, one_file_bytes: int = ONE_FILE_BYTES) -> Path:
    """Return the model's folder, `root`/<first 16 of its digest>. What fails on the way leaves nothing behind."""
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=root))
    try:
        scratch.chmod(0o755)
        _graph(scratch, architecture, weight, facts, one_file_bytes)
        (scratch / TOKENIZER).write_bytes(facts.tokenizer)
        if facts.template is not None:
            (scratch / TEMPLATE).write_text(facts.template, encoding="utf-8")
        manifest = _manifest(scratch, architecture, facts)
        manifests.write(manifest, scratch)
        if known_answers.is_possible(facts.provider):
            known_answers.make(scratch)
        return named(scratch, root / manifest.folder_name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove what was left by conversions that were killed, once nobody can be at work in it any more."""
    for left in root.glob(f"{_SCRATCH}*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _LEFT_S:
                shutil.rmtree(left, ignore_errors=True)


def _graph(folder: Path, architecture: Architecture, weight: Weight, facts: Facts, one_file_bytes: int) -> None:
    apart = _bytes(architecture, facts) > one_file_bytes
    with (folder / manifests.MODEL_DATA).open("wb") as data:
        nodes = Nodes(facts.dtype, facts.accuracy_level, data if apart else None)
        model = build(architecture, weight, nodes)
    if not apart:
        (folder / manifests.MODEL_DATA).unlink()
    (folder / manifests.MODEL).write_bytes(model.SerializeToString(deterministic=True))


def _bytes(architecture: Architecture, facts: Facts) -> float:
    """About what the weights take in the graph."""
    whole = 2.0 if facts.dtype == "float16" else 4.0
    of_product = {"fp32": whole, "int4": 0.5 + whole / 32, "q4_1": 0.5 + 2 * whole / 32, "int8": 1 + 3 * whole / 32}[facts.weights]
    shapes = architecture.shapes()
    table = architecture.vocabulary * architecture.hidden
    products = sum(shape[0] * shape[1] for shape in shapes.values() if len(shape) > 1) - (0 if architecture.tied else table)
    return table * whole + products * of_product


def _manifest(folder: Path, a: Architecture, facts: Facts) -> Manifest:
    return Manifest(
        name=facts.name,
        architecture=a.family,
        files={path.name: sha256(path) for path in sorted(folder.iterdir())},
        layout=Layout(
            dtype=facts.dtype, layers=a.layers, kv_heads=a.kv_heads, heads=a.heads, head_dim=a.head_dim, hidden=a.hidden, rope=a.rope
        ),
        vocabulary=a.vocabulary,
        max_position=a.max_position,
        end_ids=facts.end_ids,
        bos_id=facts.bos_id,
        template=None if facts.template is None else TEMPLATE,
        tool_format=facts.tool_format,
        quantisation=Quantisation(facts.weights, facts.accuracy_level, 32),
        source=facts.source,
        licence=facts.licence,
        provider=facts.provider,
        max_len=min(facts.max_len, a.max_position),
    )


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def named(scratch: Path, target: Path) -> Path:
    """`scratch` under its name; when another has made the same model meanwhile, theirs, with what it may not have yet."""
    try:
        scratch.rename(target)
    except OSError:
        if not (target / FILE).exists():
            raise
        if (scratch / known_answers.FILE).exists():
            (scratch / known_answers.FILE).replace(target / known_answers.FILE)
    return target


def lead_to(folder: Path, name: str) -> None:
    """Let `name` beside the folder lead to it, at one go, so that whoever looks finds the old one or the new one."""
    fresh = folder.parent / f".{name}-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(folder.parent / name)
