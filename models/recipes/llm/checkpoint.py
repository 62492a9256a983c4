"""A model as it was found, on its way into the graph: what both kinds of source come to, and what is held against the architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llm.architecture import Architecture
from llm.errors import MalformedModelError, UnsupportedModelError
from llm.graph import Weight

MOST_LAYERS, MOST_WIDTH, MOST_VOCABULARY = 512, 1 << 17, 1 << 20
MOST_POSITIONS = 131_072
"""Longer contexts are cut to it: the rotary caches of a million positions would be larger than a small model."""
END_NAMES = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|eom_id|>")
"""Whatever else a model declares, these added tokens end an answer."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`weights`: how most products are kept in the source (fp32, int4, int8, q4_1); `end_ids[0]` is the declared one."""

    name: str
    architecture: Architecture
    weight: Weight
    weights: str
    tokenizer: bytes
    template: str | None
    end_ids: tuple[int, ...]
    bos_id: int | None
    licence: str
    files: tuple[Path, ...]


def check_sizes(path: Path, a: Architecture) -> None:
    """Raises MalformedModelError when the architecture contradicts itself or is of no size that is converted."""
    for field, value, most in (
        ("layers", a.layers, MOST_LAYERS), ("hidden", a.hidden, MOST_WIDTH), ("intermediate", a.intermediate, MOST_WIDTH * 4),
        ("heads", a.heads, 4096), ("kv_heads", a.kv_heads, 4096), ("head_dim", a.head_dim, 1024),
        ("vocabulary", a.vocabulary, MOST_VOCABULARY),
        ("max_position", a.max_position, MOST_POSITIONS),
    ):  # fmt: skip
        if not 1 <= value <= most:
            raise MalformedModelError(path, field, f"{value} is not from 1 to {most}")
    if a.heads % a.kv_heads:
        raise MalformedModelError(path, "kv_heads", f"{a.heads} heads do not divide among {a.kv_heads}")
    if a.head_dim % 16:
        raise UnsupportedModelError(path, "head_dim", f"{a.head_dim}: the attention's rotary embedding wants a multiple of 16")
    if not 0 < a.norm_epsilon < 1:
        raise MalformedModelError(path, "norm_epsilon", f"{a.norm_epsilon} is not between 0 and 1")


def check_tensors(path: Path, a: Architecture, found: Mapping[str, tuple[int, ...]]) -> None:
    """Every tensor of the family is there in its shape and no other is: one that were left out would change the answers."""
    expected = a.shapes()
    for name, shape in expected.items():
        if name not in found:
            raise MalformedModelError(path, f"tensor {name}", "missing")
        if found[name] != shape:
            raise MalformedModelError(path, f"tensor {name}", f"shape {found[name]}, the configuration says {shape}")
    for name in found:
        if name not in expected:
            raise UnsupportedModelError(path, f"tensor {name[:200]}", f"not a part of {a.family}")


def end_ids(declared: list[int], added: Mapping[str, int]) -> tuple[int, ...]:
    """Return the declared ids first, then the added tokens that end an answer whatever was declared."""
    return tuple(dict.fromkeys([*declared, *(added[name] for name in END_NAMES if name in added)]))
