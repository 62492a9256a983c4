"""Rates and the local token bucket that stands in while Redis is away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """``per_s`` tokens flow in a second, up to ``burst`` are kept."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True)
class RateLeft:
    """What is left of a rate: ``calls`` of at most ``limit`` at once, all of them again after ``full_s``."""

    limit: int
    calls: int
    full_s: float

    @classmethod
    def of(cls, rate: Rate, level: float) -> RateLeft:
        """Return it for a bucket that holds ``level``."""
        level = min(rate.burst, max(0.0, level))
        return cls(int(rate.burst), int(level), (rate.burst - level) / rate.per_s)


class TokenBucket:
    """One bucket; starts full. Time comes as an argument, in seconds of any clock that only grows."""

    __slots__ = ("_at_s", "_level", "_rate")

    def __init__(self, rate: Rate, now_s: float) -> None:
        self._rate = rate
        self._level = rate.burst
        self._at_s = now_s

    def level(self, now_s: float) -> float:
        """Return how many tokens there are."""
        rate = self._rate
        self._level = min(rate.burst, self._level + max(0.0, now_s - self._at_s) * rate.per_s)
        self._at_s = max(self._at_s, now_s)
        return self._level

    def take(self, now_s: float) -> float:
        """Take one token. Returns 0, or the seconds until one will be there."""
        rate = self._rate
        self.level(now_s)
        if self._level >= 1.0:
            self._level -= 1.0
            return 0.0
        return (1.0 - self._level) / rate.per_s
