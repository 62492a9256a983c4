"""vLLM's cached blocks as ours: what it says of tokens is chained again, at our block size and by our ids. Pure.

Surprising:

- Its hashes are only names here. A block's ids are ours: BLAKE2b-128 chained over tokens, keyed by the namespace, which travels as
  `cache_salt` and comes back with each first block; what has no salt of ours is nobody's prefix and is not told.
- Sizes need not divide. A block of ours is held where its last token lies: what is left over at the end of one of theirs begins the next.
- A block whose parent was never heard of can't be placed, and is not told: knowing too little costs a prefix hit, nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from finmesh.inference.v1.worker_pb2 import KvEvent

from backends.foreign import BLOCK_TOKENS

MOST = 1 << 18
"""Blocks of theirs that are remembered; what comes beyond is not told."""
_SALT = "finmesh:"


def salt_of(namespace: bytes) -> str:
    """Return the `cache_salt` of a namespace."""
    return _SALT + namespace.hex()


def namespace_of(salt: object) -> bytes | None:
    """Return the namespace of a salt, None for one that is not ours."""
    if not isinstance(salt, str) or not salt.startswith(_SALT):
        return None
    try:
        namespace = bytes.fromhex(salt.removeprefix(_SALT))
    except ValueError:
        return None
    return namespace if len(namespace) == 32 else None


@dataclass(frozen=True, slots=True)
class _Block:
    """One of theirs. ``last``: our last full block up to here; ``rest``: tokens behind it; ``ids``: ours that end in it."""

    namespace: bytes
    last: bytes
    rest: tuple[int, ...]
    ids: tuple[bytes, ...]


class KvBlocks:
    """Events of one engine in, events of the port out; ``seq`` counts from 1 without gaps."""

    def __init__(self) -> None:
        self._blocks: dict[Hashable, _Block] = {}
        self._held: dict[bytes, int] = {}  # ours -> how many of theirs end it: the same prefix can be cached twice
        self._seq = 0

    @property
    def held(self) -> int:
        """Return how many blocks of ours are held."""
        return len(self._held)

    def whole(self) -> KvEvent:
        """Return what says everything that is held, for whoever knows nothing."""
        return self._event(cleared=True, stored=list(self._held))

    def cleared(self) -> KvEvent:
        """Forget everything; return what says so."""
        self._blocks.clear()
        self._held.clear()
        return self._event(cleared=True)

    def taken(self, events: Sequence[Any]) -> list[KvEvent]:
        """Take one batch, as decoded; return what is news. What can't be understood is left out."""
        news: list[KvEvent] = []
        for event in events:
            kind = event.get("type") if isinstance(event, dict) else None
            if kind == "BlockStored":
                stored = self._stored(event)
                if stored:
                    news.append(self._event(stored=stored))
            elif kind == "BlockRemoved":
                removed = self._removed(event)
                if removed:
                    news.append(self._event(removed=removed))
            elif kind == "AllBlocksCleared":
                news.append(self.cleared())
        return news

    def _event(self, **what: Any) -> KvEvent:
        self._seq += 1
        return KvEvent(seq=self._seq, **what)

    def _stored(self, event: dict[str, Any]) -> list[bytes]:
        hashes, tokens, size = event.get("block_hashes"), event.get("token_ids"), event.get("block_size")
        if not (isinstance(hashes, list) and isinstance(tokens, list) and isinstance(size, int)) or len(tokens) != len(hashes) * size:
            return []
        if event.get("group_idx") not in (None, 0) or event.get("medium") not in (None, "GPU"):
            return []  # other layers of the same tokens, or a slower tier
        extra = event.get("extra_keys")
        parent, found = event.get("parent_block_hash"), []
        for number, name in enumerate(hashes):
            before = self._begin(extra, number) if parent is None else self._blocks.get(parent)
            if before is None or len(self._blocks) >= MOST:
                break
            if name not in self._blocks:
                block = _chained(before, tokens[number * size : (number + 1) * size])
                self._blocks[name] = block
                for each in block.ids:
                    self._held[each] = self._held.get(each, 0) + 1
                    if self._held[each] == 1:
                        found.append(each)
            parent = name
        return found

    def _begin(self, extra: Any, number: int) -> _Block | None:
        """The empty prefix of the namespace whose salt stands beside a first block."""
        keys = extra[number] if isinstance(extra, list) and number < len(extra) else None
        salts = [namespace_of(key) for key in keys] if isinstance(keys, list | tuple) else []
        namespace = next((each for each in salts if each is not None), None)
        return None if namespace is None else _Block(namespace, b"", (), ())

    def _removed(self, event: dict[str, Any]) -> list[bytes]:
        if event.get("group_idx") not in (None, 0) or event.get("medium") not in (None, "GPU"):
            return []
        found = []
        for name in event.get("block_hashes") or ():
            block = self._blocks.pop(name, None)
            for each in block.ids if block is not None else ():
                self._held[each] -= 1
                if not self._held[each]:
                    del self._held[each]
                    found.append(each)
        return found


def _chained(before: _Block, tokens: Sequence[int]) -> _Block:
    last, rest, ids = before.last, (*before.rest, *tokens), []
    while len(rest) >= BLOCK_TOKENS:
        block, rest = rest[:BLOCK_TOKENS], rest[BLOCK_TOKENS:]
        last = blake2b(last + struct.pack(f"<{BLOCK_TOKENS}I", *block), digest_size=16, key=before.namespace).digest()
        ids.append(last)
    return _Block(before.namespace, last, rest, tuple(ids))
