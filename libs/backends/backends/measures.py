"""How busy a foreign engine is, as seen from here: tokens and times of what it was asked. Pure.

Surprising: busy time is shared. While three answers run, each second counts a third for each; an engine that batches has no better split
to tell, and the sum over answers is the time in which it worked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

WINDOW_S = 5.0
_SMOOTHING = 0.2
_STEPS = 64
_BLOCK_TOKENS = 64


class Measures:
    """``steps``: pieces that came, since the start."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._since_s = monotonic_s()
        self._running: dict[object, int] = {}
        self._reading: dict[object, int] = {}
        self._share_s = 0.0
        self._busy_s = 0.0
        self._windows: deque[tuple[float, float, int]] = deque(maxlen=512)  # when, busy by then, tokens by then
        self._between_s: deque[float] = deque(maxlen=_STEPS)
        self._tokens = 0
        self.steps = 0
        self.prefill_tokens_per_s = 0.0
        self._windows.append((self._since_s, 0.0, 0))

    def began(self, key: object, prompt_tokens: int) -> float:
        """Note that an answer is being asked for; return what `share_ms` needs."""
        self._pass()
        self._running[key] = self._reading[key] = prompt_tokens
        return self._share_s

    def first(self, key: object, took_s: float) -> None:
        """Note its first token."""
        read = self._reading.pop(key, 0)
        if read and took_s > 0:
            rate = read / took_s
            self.prefill_tokens_per_s += (rate - self.prefill_tokens_per_s) * (_SMOOTHING if self.prefill_tokens_per_s else 1.0)

    def tokens(self, key: object, count: int, after_s: float | None) -> None:
        """Note tokens that came, so long after the ones before."""
        self.steps += 1
        self._tokens += count
        if key in self._running:
            self._running[key] += count
        if after_s is not None and count:
            self._between_s.append(after_s / count)
        now_s = self._monotonic_s()
        if now_s - self._windows[-1][0] > WINDOW_S / 100:
            self._pass()
            self._windows.append((now_s, self._busy_s, self._tokens))

    def ended(self, key: object) -> None:
        """Note that it is over, however it ended."""
        self._pass()
        self._running.pop(key, None)
        self._reading.pop(key, None)

    def share_ms(self, began: float) -> float:
        """Return an answer's share of the busy time since it began."""
        self._pass()
        return (self._share_s - began) * 1000

    @property
    def step_ms(self) -> float:
        """Return the median time between two tokens of one answer."""
        ordered = sorted(self._between_s)
        return ordered[len(ordered) // 2] * 1000 if ordered else 0.0

    @property
    def waiting_tokens(self) -> int:
        """Return the tokens of prompts whose first token has not come."""
        return sum(self._reading.values())

    @property
    def blocks(self) -> int:
        """Return what running answers hold, in blocks of 64 tokens."""
        return sum(-(-tokens // _BLOCK_TOKENS) for tokens in self._running.values())

    def rates(self) -> tuple[float, float]:
        """Return output tokens a second, and the share of the time in which anything ran, over the last seconds."""
        self._pass()
        now_s = self._monotonic_s()
        while len(self._windows) > 1 and self._windows[1][0] <= now_s - WINDOW_S:
            self._windows.popleft()
        since_s, busy_s, tokens = self._windows[0]
        passed_s = max(now_s - since_s, 1e-3)
        self._windows.append((now_s, self._busy_s, self._tokens))
        return (self._tokens - tokens) / passed_s, min(1.0, (self._busy_s - busy_s) / passed_s)

    def _pass(self) -> None:
        now_s = self._monotonic_s()
        if self._running:
            self._share_s += (now_s - self._since_s) / len(self._running)
            self._busy_s += now_s - self._since_s
        self._since_s = now_s
