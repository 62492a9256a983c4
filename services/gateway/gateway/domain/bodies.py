"""The bodies last seen under idempotency keys, bounded; what a gateway without Redis still knows."""

from __future__ import annotations


class SeenBodies:
    """Remembers digest by key, oldest forgotten first, each for ``life_s`` seconds."""

    def __init__(self, *, life_s: float, max_bodies: int) -> None:
        self._life_s = life_s
        self._max_bodies = max_bodies
        self._seen: dict[str, tuple[bytes, float]] = {}

    def claim(self, key: str, digest: bytes, now_s: float) -> bool:
        """Return whether the key is new or came with the same digest before."""
        known = self._seen.get(key)
        if known is not None and now_s < known[1]:
            return known[0] == digest
        self._seen.pop(key, None)
        while len(self._seen) >= self._max_bodies:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (digest, now_s + self._life_s)
        return True
