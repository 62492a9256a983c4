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
    block_id: bytes


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


def pack(row: RowView, length: int, arena: Arena, blocks: Sequence[int], ids: Sequence[bytes], first_block: int = 0) -> list[BlockRef]:
    """Copy the blocks of a row from ``first_block`` on into ``blocks`` of the arena, which the caller holds; ``ids`` of all of them."""
    layout, packed = arena.layout, []
    for place, number in zip(blocks, range(first_block, layout.blocks(length)), strict=True):
        valid = layout.valid_tokens(number, length)
        start = number * layout.block_tokens
        content = arena.content(place, valid)
        digest = xxhash.xxh3_64()
        for target, stripe in zip(content, row.stripes, strict=True):
            target[...] = stripe[:, start : start + valid]
            digest.update(target)
        packed.append(BlockRef(arena.offset(place), content.nbytes, digest.intdigest(), valid, ids[number]))
    return packed


def land(source: Source, row: RowView, layout: Layout, block: int, valid_tokens: int, timing: Timing) -> int:
    """Write one block into its final place in the row and return the xxh3 of what stands there then."""
    start = block * layout.block_tokens
    digest = xxhash.xxh3_64()
    before = perf_counter()
    for number, stripe in enumerate(row.stripes):
        target = stripe[:, start : start + valid_tokens]
        source.fill(number, target)
        filled = perf_counter()
        for head in target:
            digest.update(head)
        after = perf_counter()
        timing.copy_s += filled - before
        timing.verify_s += after - filled
        before = after
    return digest.intdigest()
