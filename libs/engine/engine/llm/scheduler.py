"""Which work a step does: continuous batching with chunked prefill. Pure; nothing here computes a token or knows a clock.

A request waits for a row, has its prompt read in chunks, then writes one token a step until it ends:

    WAITING --rows free--> PREFILLING --last chunk--> DECODING (or PREFILLED: kept for a hand-off) --> ENDED

A step first writes: every answer that runs gets its next token, so nobody who reads is held up by more than one step. Then it reads:
up to a budget of the prompts that were admitted first. One long prompt is so spread over many steps, several short ones share one; none
is begun, or gone on with, for the few tokens that others leave.

Surprising: no chunk has one token. Attention over a single new token takes another path than over several and rounds otherwise, and a
prompt must give the same bits however it was cut (rule "Bit equality"). A chunk that would leave one token over leaves two. A prompt of
one token is padded by the runner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

from engine.llm.limits import SMALLEST_CHUNK
from engine.llm.rows import Rows
from engine.llm.sequence import Choice, Phase, Request

Budget = Callable[[int, int, int], int]
"""How many tokens may be read: beside so many answers that hold so many tokens together, from this token of a prompt on."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """``count`` tokens of a prompt from ``start``."""

    request: Request
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One step: the answers that get a token, in the order of their rows, and the pieces of prompts that are read."""

    decode: list[Choice]
    prefill: list[Chunk]


class Scheduler:
    """Owns the queue and the order of work; the rows themselves are shared with reservations."""

    def __init__(self, rows: Rows, budget: Budget) -> None:
        self._rows, self._budget = rows, budget
        self._waiting: list[tuple[tuple[int, float, int], Request]] = []
        self._prefilling: list[Request] = []
        self._decoding: list[Choice] = []

    @property
    def queued(self) -> int:
        """How many requests wait for rows."""
        return len(self._waiting)

    @property
    def prefill_tokens(self) -> int:
        """Tokens of prompts that wait or are being read."""
        return sum(request.remaining for _, request in self._waiting) + sum(request.remaining for request in self._prefilling)

    @property
    def decoding(self) -> list[Choice]:
        """The answers that run, in the order of their rows."""
        return self._decoding

    @property
    def is_idle(self) -> bool:
        """Whether a step would do nothing; who waits for rows can't be helped by a step."""
        return not (self._decoding or self._prefilling or (self._waiting and self._rows.free))

    def wait(self, request: Request) -> None:
        """Queue a request for rows."""
        heappush(self._waiting, (request.urgency, request))

    def prefill(self, request: Request) -> None:
        """Read the prompt of a request that has its rows."""
        request.phase = Phase.PREFILLING
        self._prefilling.append(request)

    def decode(self, request: Request) -> None:
        """Write the answers of a request whose prompt is in its rows; of one with a prompt that is only read, nothing."""
        if request in self._prefilling:
            self._prefilling.remove(request)
        if request.generation.prefill_only:
            request.phase = Phase.PREFILLED
            return
        request.phase = Phase.DECODING
        self._decoding = sorted([*self._decoding, *request.live()], key=lambda choice: choice.row)

    def finish(self, choice: Choice) -> None:
        """Write no more of an answer."""
        if choice in self._decoding:
            self._decoding.remove(choice)

    def end(self, request: Request) -> None:
        """Forget a request, whatever its phase. Its rows are its owner's to give back."""
        self._waiting = sorted(each for each in self._waiting if each[1] is not request)  # a sorted list is a heap
        self._prefilling = [each for each in self._prefilling if each is not request]
        self._decoding = [each for each in self._decoding if each.request is not request]
        request.phase = Phase.ENDED

    def plan(self, begin: Callable[[Request], None]) -> Plan:
        """Give rows to who waits, the most urgent first and nobody past him, then say what the next step does.

        ``begin`` is called when a prompt's turn comes, before its first piece is cut: what need not be read is `computed` then.
        """
        while self._waiting:
            request = self._waiting[0][1]
            rows = self._rows.take(f"request {request.request_id}", request.rows_needed)
            if rows is None:
                break
            heappop(self._waiting)
            request.rows = rows
            self.prefill(request)
        return Plan(list(self._decoding), self._chunks(begin))

    def _chunks(self, begin: Callable[[Request], None]) -> list[Chunk]:
        chunks: list[Chunk] = []
        held, budget = sum(choice.length for choice in self._decoding), -1
        for request in self._prefilling:
            if chunks and not request.is_begun and budget < min(SMALLEST_CHUNK, request.length):
                break
            if not request.is_begun:
                request.is_begun = True
                begin(request)
            if not chunks:
                budget = self._budget(len(self._decoding), held, request.computed)
            count = chunk(request.remaining, budget)
            if chunks and count < min(SMALLEST_CHUNK, request.remaining):
                break
            chunks.append(Chunk(request, request.computed, count))
            budget -= count
        return chunks


def chunk(remaining: int, budget: int) -> int:
    """Return how many of the ``remaining`` tokens to read now: never one of several, never leaving one over."""
    count = min(remaining, budget)
    return count - 1 if remaining - count == 1 and count > 2 else count
