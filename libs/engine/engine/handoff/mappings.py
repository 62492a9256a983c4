"""Arenas that a puller has mapped: each once, however many connections use it, and no longer than one does.

Mapping 256 MiB takes some 30 ms, more than most transfers; and the memory of a dead publisher must not stay because somebody once pulled.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from engine.handoff.arena import Mapping
from engine.handoff.layout import Layout

Key = tuple[int, int, bytes]


@dataclass(slots=True)
class _Shared:
    mapping: Mapping
    users: int = 1


class Mappings:
    """Thread-safe. Who takes a mapping drops it once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[Key, _Shared] = {}

    def __len__(self) -> int:
        return len(self._shared)

    def take(self, descriptor: int, layout: Layout, nonce: bytes) -> tuple[Key, Mapping]:
        """Map what was handed over, or return what is mapped of the same memory; the descriptor is closed. Raises Refused, OSError."""
        with self._lock:
            found = os.fstat(descriptor)
            key = (found.st_dev, found.st_ino, nonce)
            if (shared := self._shared.get(key)) is not None:
                os.close(descriptor)
                shared.users += 1
                return key, shared.mapping
            mapping = Mapping(descriptor, layout, nonce)
            self._shared[key] = _Shared(mapping)
            return key, mapping

    def drop(self, key: Key) -> None:
        """Say that it is used no more; the last one unmaps it."""
        with self._lock:
            shared = self._shared[key]
            shared.users -= 1
            if not shared.users:
                del self._shared[key]
                shared.mapping.close()
