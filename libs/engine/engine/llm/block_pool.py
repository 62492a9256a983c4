"""Which blocks the prefix store holds, and where: ids, places, references, eviction. Pure; the bytes are `engine.llm.memory`'s.

A block is `block_tokens` tokens of some prompt; its id is chained over all before it and keyed by its namespace, so equal ids mean equal
keys and values. Only blocks made by prefill come here (their bits differ from those of single decode steps).

Surprising:

- A chain is touched from its end to its beginning, so a block is never older than one that follows it, and the oldest of all is always
  the end of its chain: eviction leaves no block that can't be reached.
- A block that is referenced is being copied from or into, or is promised to a reservation, and stays; with all of them referenced
  nothing new is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class _Block:
    place: int
    references: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """What `store` made room for: (position in the chain, place) to be filled, all referenced; ids that were evicted for it."""

    places: tuple[tuple[int, int], ...]
    removed: tuple[bytes, ...]


class BlockPool:
    """``capacity`` places, numbered from 0. Not thread-safe: the engine's lock is held around it."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._blocks: OrderedDict[bytes, _Block] = OrderedDict()  # the oldest first
        self._free = list(range(capacity - 1, -1, -1))

    def __len__(self) -> int:
        return len(self._blocks)

    def ids(self) -> tuple[bytes, ...]:
        """All blocks, those that precede others before these."""
        return tuple(reversed(self._blocks))

    def held(self, chain: Sequence[bytes]) -> int:
        """Return how many blocks from the chain's beginning are here."""
        for count, each in enumerate(chain):
            if each not in self._blocks:
                return count
        return len(chain)

    def take(self, chain: Sequence[bytes]) -> list[int]:
        """Reference what is here of a chain, from its beginning, and return the places; `give_back` as many of its ids."""
        found = chain[: self.held(chain)]
        self._touch(found)
        places = []
        for each in found:
            block = self._blocks[each]
            block.references += 1
            places.append(block.place)
        return places

    def give_back(self, ids: Iterable[bytes]) -> None:
        """Take references away. Raises KeyError or ValueError on one that nobody holds: that is a bug, never a race."""
        for each in ids:
            block = self._blocks[each]
            if not block.references:
                raise ValueError(f"block {each.hex()} is not referenced")
            block.references -= 1

    def store(self, chain: Sequence[bytes]) -> Stored:
        """Make room for what is missing of a chain and reference it; fewer when the room is not to be had, then from its beginning.

        Whoever calls fills the places and gives the new ids back (`chain[position]`).
        """
        known = chain[: self.held(chain)]
        for each in known:
            self._blocks[each].references += 1  # not to be evicted for its own end
        places, removed = [], []
        for position in range(len(known), len(chain)):
            if not self._free:
                oldest = next((each for each, block in self._blocks.items() if not block.references), None)
                if oldest is None:
                    break
                self._free.append(self._blocks.pop(oldest).place)
                removed.append(oldest)
            block = self._blocks[chain[position]] = _Block(self._free.pop(), references=1)
            places.append((position, block.place))
        self._touch(chain[: len(known) + len(places)])
        self.give_back(known)
        return Stored(tuple(places), tuple(removed))

    def referenced(self) -> dict[bytes, int]:
        """Return the blocks that are held, and how often."""
        return {each: block.references for each, block in self._blocks.items() if block.references}

    def _touch(self, chain: Sequence[bytes]) -> None:
        for each in reversed(chain):
            self._blocks.move_to_end(each)
