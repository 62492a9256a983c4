"""When local state stands in for a shared store: after a failure it is left alone for a moment, so that calls do not pay its timeout."""

from __future__ import annotations


class Standby:
    """Whether the store is worth asking; times in seconds of a clock that only grows."""

    def __init__(self, rest_s: float = 1.0) -> None:
        self._rest_s = rest_s
        self._until_s = float("-inf")

    def is_on(self, now_s: float) -> bool:
        """Return whether local state stands in at present."""
        return now_s < self._until_s

    def failed(self, now_s: float) -> None:
        """Note a failure of the store."""
        self._until_s = now_s + self._rest_s
