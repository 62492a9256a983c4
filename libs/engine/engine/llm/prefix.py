"""The prefix store: keys and values of blocks that prompts shared, and who is told of them.

`engine.llm.block_pool` says which and where; here are the bytes and the numbered events. A hit is a copy into the row, so rows stay
contiguous and nobody's answer depends on what another one does to a block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from engine.handoff.rows import RowView
from engine.llm.block_pool import BlockPool
from engine.llm.generation import CacheChanged
from engine.llm.manifest import Layout


def longest_hit(length: int) -> int:
    """Return how many tokens of a prompt may come out of the store: two are left to read, because no chunk has one."""
    return max(length - 2, 0)


class PrefixStore:
    """Blocks within ``budget_bytes``; the last ``kept`` events can be asked for again.

    Not thread-safe: the engine's lock is held around it.
    """

    def __init__(self, layout: Layout, budget_bytes: int, kept: int) -> None:
        self._tokens = layout.block_tokens
        self.pool = BlockPool(budget_bytes // (layout.token_bytes * layout.block_tokens))
        width = layout.head_dim * np.dtype(layout.dtype).itemsize
        # (places, stripes: keys and values layer after layer, heads, tokens, bytes), the order of a block on the wire
        self._blocks = np.empty((self.pool.capacity, 2 * layout.layers, layout.kv_heads, self._tokens, width), dtype=np.uint8)
        self._events: deque[CacheChanged] = deque(maxlen=kept)
        self._sequence = 0
        self._untold: list[CacheChanged] = []

    def load(self, row: RowView, chain: Sequence[bytes], longest: int) -> int:
        """Copy what is held of a chain to the beginning of a row; return its tokens, at most ``longest``."""
        places = self.pool.take(chain)
        try:
            length = min(len(places) * self._tokens, longest)
            for position, place in enumerate(places):
                start = position * self._tokens
                count = min(self._tokens, length - start)
                if count > 0:
                    for block, stripe in zip(self._blocks[place], row.stripes, strict=True):
                        stripe[:, start : start + count] = block[:, :count]
        finally:
            self.pool.give_back(chain[: len(places)])
        return length

    def save(self, row: RowView, chain: Sequence[bytes]) -> None:
        """Copy the blocks of a row that are not held yet, as far as there is room."""
        stored = self.pool.store(chain)
        for position, place in stored.places:
            start = position * self._tokens
            for block, stripe in zip(self._blocks[place], row.stripes, strict=True):
                block[...] = stripe[:, start : start + self._tokens]
        ids = tuple(chain[position] for position, _ in stored.places)
        self.pool.give_back(ids)
        if ids:  # nothing is evicted but for something new
            self._sequence += 1
            event = CacheChanged(self._sequence, ids, stored.removed)
            self._events.append(event)
            self._untold.append(event)

    def news(self) -> list[CacheChanged]:
        """Return the events since the last call."""
        untold, self._untold = self._untold, []
        return untold

    def since(self, sequence: int) -> list[CacheChanged] | None:
        """Return all events after a number; None when some of them are kept no longer, or the number is not of this incarnation."""
        if not 0 <= sequence <= self._sequence:
            return None
        oldest = self._events[0].sequence if self._events else self._sequence + 1
        return None if sequence + 1 < oldest else [event for event in self._events if event.sequence > sequence]

    def snapshot(self) -> tuple[int, tuple[bytes, ...]]:
        """Return the number of the last event and all blocks that are held."""
        return self._sequence, self.pool.ids()
