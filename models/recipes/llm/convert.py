"""From a checkpoint to a folder in `var/models`: what is rounded, by how much, and what is refused.

`QUANTISE`: nothing leaves weights as they are; `int4` rounds floats to 4 bits, the embedding and the last product to 8, because they cost
most of the quality; `fp32` unpacks whatever it was, without loss. Weights that were rounded once are not rounded again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from engine.llm.manifest import DEFAULT_MAX_LEN, Source

from llm import folder, gguf_model, hf_folder
from llm.checkpoint import Checkpoint
from llm.errors import MalformedModelError, UnsupportedModelError
from llm.graph import Weight
from llm.products import BLOCK, Dense, Matrix, rounded

HERMES = ("<tool_call>", "tools")
_LARGEST = {"cpu": float(np.finfo(np.float32).max), "cuda": float(np.finfo(np.float16).max)}
Progress = Callable[[str, int, int], None]
"""(what, done, of how many)."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the source does not say. None: as it is there."""

    quantise: str | None = None
    accuracy_level: int | None = None
    provider: str = "cpu"
    max_len: int = DEFAULT_MAX_LEN
    name: str | None = None
    licence: str | None = None
    source: str | None = None


def convert(path: Path, root: Path, choices: Choices | None = None, progress: Progress = lambda *_: None) -> Path:
    """Return the model's folder below `root`. Raises MalformedModelError, UnsupportedModelError, OSError."""
    choices = choices or Choices()
    found = hf_folder.read(path) if path.is_dir() else gguf_model.read(path)
    weights = _weights(path, found, choices)
    facts = folder.Facts(
        name=choices.name or plain(found.name),
        end_ids=found.end_ids,
        bos_id=found.bos_id,
        tokenizer=found.tokenizer,
        template=found.template,
        source=Source(choices.source or path.resolve().name, _digest(found.files)),
        licence=choices.licence or found.licence,
        weights=weights,
        accuracy_level=(4 if choices.quantise == "int4" else 0) if choices.accuracy_level is None else choices.accuracy_level,
        provider=choices.provider,
        tool_format="hermes" if all(each in (found.template or "") for each in HERMES) else None,
        max_len=choices.max_len,
    )
    return folder.write(root, found.architecture, _weight(found, choices, progress), facts)


def rounded_weight(name: str, values: Dense) -> Matrix:
    """A product's weights to 4 bits, the first and the last to 8; norms and biases stay."""
    if values.values.ndim < 2:
        return values
    return rounded(values.values, 8 if name in ("model.embed_tokens.weight", "lm_head.weight") else 4)


def _weights(path: Path, found: Checkpoint, choices: Choices) -> str:
    match choices.quantise:
        case None:
            return found.weights
        case "fp32":
            return "fp32"
        case "int4":
            if found.weights != "fp32":
                raise UnsupportedModelError(path, "QUANTISE", f"its weights are {found.weights} already, and would be rounded twice")
            a = found.architecture
            for field, width in (("hidden_size", a.hidden), ("intermediate_size", a.intermediate), ("heads x head_dim", a.q_width)):
                if width % BLOCK:
                    raise UnsupportedModelError(path, field, f"{width} is no multiple of {BLOCK}, the block of int4")
            return "int4"
        case other:
            raise UnsupportedModelError(path, "QUANTISE", f"{other}: int4 and fp32 are known")


def _weight(found: Checkpoint, choices: Choices, progress: Progress) -> Weight:
    names, done = len(found.architecture.shapes()), 0

    def weight(name: str) -> Matrix:
        nonlocal done
        done = min(done + 1, names)
        progress("weights", done, names)
        matrix = found.weight(name)
        _finite(found.files[-1], name, matrix, choices.provider)
        if choices.quantise == "fp32":
            return Dense(matrix.dense())
        return rounded_weight(name, matrix) if choices.quantise == "int4" and isinstance(matrix, Dense) else matrix

    return weight


def _finite(path: Path, name: str, matrix: Matrix, provider: str) -> None:
    """A weight that is no number, or none in 16 bits where those are used, would silence the whole model."""
    for values in (matrix.values,) if isinstance(matrix, Dense) else (matrix.scales, matrix.minimums):
        if values is not None and not np.abs(values).max(initial=0) <= _LARGEST[provider]:
            raise MalformedModelError(path, f"tensor {name}", f"a weight that is no number of {provider}'s")


def _digest(files: tuple[Path, ...]) -> str:
    """SHA-256 of one file; of several, over their names and digests."""
    digests = [(path.name, _sha256(path)) for path in files]
    if len(digests) == 1:
        return digests[0][1]
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in sorted(digests)).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plain(name: str) -> str:
    """The name with hyphens for what a name may not hold."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:128] or "model"
