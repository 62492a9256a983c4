"""Which worker has which blocks cached, and how much of a prompt each worker would not have to compute.

A block is named by the chained hash of all tokens up to its end, so a prefix is cached as far as its blocks are found in a row. Workers are
bits of an integer (``slot``): one walk over the prompt's blocks answers for all workers at once.

What is known comes from events that carry a number per worker. A hole in the numbers is answered by GAP, after which nothing of this worker
is taken until its events are replayed from ``next_seq`` or a ``cleared`` one tells all blocks anew, whatever its number; a restarted worker
(another incarnation) has nothing cached. Knowing too much is harmless: whoever computes looks into its own cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TIER_WEIGHTS = (1.0, 0.5)
"""What a cached block is worth by where it is kept: 0 in the engine's own memory, 1 behind it (host memory of an accelerator)."""
MAX_BLOCKS = 1 << 18
"""Blocks remembered of one worker at most: what it stores beyond them is not known here."""


class Taken(Enum):
    """What became of a batch of events."""

    APPLIED = "applied"
    REPEATED = "repeated"
    GAP = "gap"


class Cached(NamedTuple):
    """Of one prompt, by slot: (slots,) int32 blocks cached in a row, and (slots,) float32 the same weighted by tier."""

    blocks: NDArray[np.int32]
    weighted: NDArray[np.float32]


@dataclass(slots=True)
class _Holder:
    bit: int
    incarnation: str = ""
    next_seq: int = 0
    held: dict[bytes, int] = field(default_factory=dict)  # block -> tier


class PrefixIndex:
    """Holders of blocks, for the workers of one model. ``slots`` of workers are given by whoever keeps their load."""

    def __init__(self, tier_weights: Sequence[float] = TIER_WEIGHTS, max_blocks: int = MAX_BLOCKS) -> None:
        self._weights = np.asarray(tier_weights, np.float32)
        self._max_blocks = max_blocks
        self._masks: tuple[dict[bytes, int], ...] = tuple({} for _ in tier_weights)  # by tier: block -> bits of its holders
        self._holders: dict[int, _Holder] = {}

    def begin(self, slot: int, incarnation: str, next_seq: int) -> None:
        """Forget what this slot held; its events go on at ``next_seq``. For a worker that is new, restarted, or lost its old events."""
        self.leave(slot)
        self._holders[slot] = _Holder(1 << slot, incarnation, next_seq)

    def leave(self, slot: int) -> None:
        """Forget a worker."""
        holder = self._holders.pop(slot, None)
        if holder is not None:
            self._remove(holder, list(holder.held))

    def next_seq(self, slot: int, incarnation: str) -> int | None:
        """Return the number of the event that is wanted next; None when nothing is known of this incarnation."""
        holder = self._holders.get(slot)
        return holder.next_seq if holder is not None and holder.incarnation == incarnation else None

    def apply(
        self, slot: int, incarnation: str, seq: int, stored: Iterable[tuple[bytes, int]], removed: Iterable[bytes], cleared: bool = False
    ) -> Taken:
        """Take one batch of events: first ``cleared``, then ``removed``, then ``stored`` (block, tier; a known block changes its tier)."""
        holder = self._holders.get(slot)
        if holder is None or holder.incarnation != incarnation or (seq > holder.next_seq and not cleared):
            return Taken.GAP
        if seq < holder.next_seq:
            return Taken.REPEATED
        holder.next_seq = seq + 1
        self._remove(holder, list(holder.held) if cleared else removed)
        for block, told_tier in stored:
            if block in holder.held:
                self._remove(holder, (block,))
            elif len(holder.held) >= self._max_blocks:
                continue
            holder.held[block] = tier = min(told_tier, len(self._masks) - 1)
            masks = self._masks[tier]
            masks[block] = masks.get(block, 0) | holder.bit
        return Taken.APPLIED

    def _remove(self, holder: _Holder, blocks: Iterable[bytes]) -> None:
        for block in blocks:
            tier = holder.held.pop(block, None)
            if tier is None:
                continue
            masks = self._masks[tier]
            rest = masks[block] & ~holder.bit
            if rest:
                masks[block] = rest
            else:
                del masks[block]

    def cached(self, blocks: Sequence[bytes], slots: int) -> Cached:
        """Return how much of a prompt (its full blocks in order) each of the slots 0 to ``slots`` - 1 has cached."""
        width = (slots + 7) // 8
        alive = (1 << slots) - 1
        runs: dict[tuple[int, int], int] = {}  # (tier, holders) -> how many blocks: holders of neighbours are mostly the same
        for block in blocks:
            rest = alive
            for tier, masks in enumerate(self._masks):
                if here := masks.get(block, 0) & rest:
                    rest ^= here
                    runs[tier, here] = runs.get((tier, here), 0) + 1
            alive ^= rest
            if not alive:
                break
        if not runs:
            return Cached(np.zeros(slots, np.int32), np.zeros(slots, np.float32))
        rows = b"".join(holders.to_bytes(width, "little") for _, holders in runs)
        bits = np.unpackbits(np.frombuffer(rows, np.uint8).reshape(-1, width), axis=1, count=slots, bitorder="little").astype(np.float32)
        counts = np.fromiter(runs.values(), np.float32, len(runs))
        worth = counts * self._weights[[tier for tier, _ in runs]]
        return Cached((counts @ bits).astype(np.int32), np.asarray(worth @ bits, np.float32))

    def holds(self, slot: int) -> int:
        """Return how many blocks of a slot are known."""
        holder = self._holders.get(slot)
        return len(holder.held) if holder is not None else 0
