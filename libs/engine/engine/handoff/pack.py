"""Copying blocks, hashed on the way: out of a row into an arena, and into a row from wherever they come.

Copy and xxh3 are fused a stripe at a time (16 to 128 KB), so that the hash finds in cache what was just copied. What is hashed is the
destination: what a row holds in the end is what was verified. xxh3 finds accidents; who may send at all is for tokens and certificates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import xxhash

from engine.handoff.arena import Arena
from engine.handoff.layout import Layout
from engine.handoff.rows import Bytes, RowView


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A packed block: where it lies in its arena, and what it must hash to."""

    offset: int
    size_bytes: int
    xxh3_64: int
    valid_tokens: int


class Source(Protocol):
    """The bytes of one block on their way in, stripe after stripe."""

    def fill(self, stripe: int, target: Bytes) -> None:
        """Write the block's bytes of a stripe into ``target``, (head, token, bytes). Raises Refused or OSError."""
        ...


@dataclass(slots=True)
class Timing:
    """Seconds of a thread."""

    copy_s: float = 0.0
    verify_s: float = 0.0


def pack(row: RowView, length: int, arena: Arena, places: Sequence[int], numbers: range) -> list[BlockRef]:
    """Copy blocks ``numbers`` of a row with ``length`` tokens into ``places`` of the arena, which the caller holds."""
    layout, packed = arena.layout, []
    for place, number in zip(places, numbers, strict=True):
        valid = layout.valid_tokens(number, length)
        start = number * layout.block_tokens
        end, digest = start + valid, xxhash.xxh3_64()
        content, update = arena.content(place, valid), digest.update
        for target, stripe in zip(content, row.stripes, strict=True):
            target[...] = stripe[:, start:end]
            update(target)
        packed.append(BlockRef(arena.offset(place), content.nbytes, digest.intdigest(), valid))
    return packed


def land(source: Source, row: RowView, layout: Layout, block: int, valid_tokens: int, timing: Timing) -> int:
    """Write one block into its final place in the row and return the xxh3 of what stands there then."""
    start = block * layout.block_tokens
    end, digest = start + valid_tokens, xxhash.xxh3_64()
    fill, update, before, copy_s = source.fill, digest.update, (began := perf_counter()), 0.0
    for number, stripe in enumerate(row.stripes):
        target = stripe[:, start:end]
        fill(number, target)
        filled = perf_counter()
        copy_s += filled - before
        for head in target:
            update(head)
        before = perf_counter()
    timing.copy_s += copy_s
    timing.verify_s += before - began - copy_s
    return digest.intdigest()
