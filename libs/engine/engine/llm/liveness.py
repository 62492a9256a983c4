"""Whether owners still live, and how fast the loop goes."""

from __future__ import annotations

from collections import deque
from statistics import median

_STEPS = 64
_WINDOW_S = 5.0


class Owners:
    """Service processes that asked for something, and when each was last heard of."""

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self._heard: dict[str, float] = {}

    def touch(self, owner: str, now: float) -> None:
        """The owner lives."""
        self._heard[owner] = now

    def silent(self, now: float) -> list[str]:
        """Return who has been silent for too long, and forget them."""
        gone = [owner for owner, heard in list(self._heard.items()) if now - heard > self._silence_s]
        for owner in gone:
            del self._heard[owner]
        return gone


class Meter:
    """Steps that did something: how long they took, and the tokens a second of the last seconds."""

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=_STEPS)
        self._busy: deque[tuple[float, float]] = deque()
        self._written: deque[tuple[float, int]] = deque()
        self._read: deque[tuple[int, float]] = deque(maxlen=_STEPS)

    def step(self, now: float, took_s: float, written: int) -> None:
        """A step ended that wrote so many tokens."""
        self._steps.append(took_s)
        self._busy.append((now, took_s))
        if written:
            self._written.append((now, written))
        self._forget(now)

    def read(self, tokens: int, took_s: float) -> None:
        """A chunk of a prompt was read."""
        self._read.append((tokens, took_s))

    @property
    def step_ms(self) -> float:
        """Median of the last steps."""
        return median(self._steps) * 1e3 if self._steps else 0.0

    def output_tokens_per_s(self, now: float) -> float:
        """Tokens written a second, over the last seconds."""
        self._forget(now)
        return sum(count for _, count in self._written) / _WINDOW_S

    @property
    def prefill_tokens_per_s(self) -> float:
        """Tokens read a second, while prompts were read."""
        spent = sum(took for _, took in self._read)
        return sum(tokens for tokens, _ in self._read) / spent if spent else 0.0

    def utilisation(self, now: float) -> float:
        """Share of the last seconds in which steps ran, 0 to 1."""
        self._forget(now)
        return min(1.0, sum(took_s for _, took_s in self._busy) / _WINDOW_S)

    def _forget(self, now: float) -> None:
        while self._busy and self._busy[0][0] < now - _WINDOW_S:
            self._busy.popleft()
        while self._written and self._written[0][0] < now - _WINDOW_S:
            self._written.popleft()
