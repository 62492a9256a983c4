"""The engine: requests in, tokens out. One loop owns the batch; everybody else asks under a lock and is heard at the next step.

    engine = Engine(load(folder), Limits())
    engine.submit(Generation(...))
    while True:
        tell(engine.step())
        engine.wait(1.0)

It has no thread of its own. `step` belongs to one thread; all other methods may be called from any. The lock is never held while the graph
runs. What ends a request (an abort, a silent owner, a deadline) is only noted where it is found: rows are given back by the loop, between
two runs, and never while somebody reads or writes one (`row`, `landing`).

A request with `landed` goes on from keys and values that were written into its reserved row; nothing is copied but forks of further
choices. Its first token was told by who read the prompt and is not told again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex

import numpy as np

from engine.handoff.chain import block_ids
from engine.handoff.rows import RowView
from engine.llm import errors
from engine.llm.errors import Refused
from engine.llm.generation import CacheChanged, Event, FinishReason, Form, Generation
from engine.llm.grammar import Grammars, grammar_digest
from engine.llm.limits import Limits
from engine.llm.loading import LoadedModel
from engine.llm.loop import Loop
from engine.llm.sequence import Choice, Phase, Request


@dataclass(frozen=True, slots=True)
class Load:
    """How busy an engine is. ``steps`` stands still when the loop hangs; ``incarnation`` names this start of it."""

    incarnation: str
    steps: int
    rows_used: int
    rows_total: int
    queued: int
    prefill_tokens: int
    decode_blocks: int
    cached_blocks: int
    cache_capacity_blocks: int
    step_ms: float
    output_tokens_per_s: float
    prefill_tokens_per_s: float
    utilisation: float


class Engine:
    """A model with its KV memory, its batch and its prefix store."""

    def __init__(self, model: LoadedModel, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Take memory, and measure the pace; that may take seconds. Raises ValueError for limits that cannot be.

        ``clock``: of deadlines, reservations and silence; seconds.
        """
        self.limits = limits or Limits()
        self.manifest, self.incarnation = model.manifest, token_hex(8)
        self._loop = Loop(model, self.limits, clock)
        self._grammars = Grammars(model.tokenizer_json, model.manifest.vocabulary, model.manifest.end_ids)
        self._arrivals = 0

    @property
    def max_len(self) -> int:
        """Tokens that a row holds, of prompt and answer together."""
        return self._loop.max_len

    def step(self) -> list[Event]:
        """Do one step: end what shall end, write a token for every answer that runs, read a chunk of prompts. Returns what happened.

        To be called by one thread, at least once a second also when there is nothing to do: deadlines and silence are looked at here.
        """
        return self._loop.step()

    def wait(self, timeout_s: float) -> None:
        """Sleep until there is something to do, at most so long."""
        with self._loop.lock:
            self._loop.lock.wait_for(lambda: not self._loop.is_idle(), timeout_s)

    def submit(self, generation: Generation) -> None:
        """Take a request. Raises Refused; then nothing of it is kept, and a reservation that it named lives on."""
        generation.check(self.manifest.vocabulary, self._loop.max_len)
        request = self._made(generation)
        with self._loop.lock:
            if generation.request_id in self._loop.requests:
                raise Refused(errors.REQUEST_DUPLICATE, f"request {generation.request_id} is being answered")
            if generation.owner is not None:
                self._loop.owners.touch(generation.owner, self._loop.clock())
            if generation.reservation_id is not None:
                self._redeem(request, generation.reservation_id)
            elif self._loop.scheduler.queued >= self.limits.queue:
                raise Refused(errors.OVERLOADED, f"{self.limits.queue} requests wait already", retry_after_s=0.5)
            else:
                request.arrival = self._arrivals = self._arrivals + 1
                self._loop.scheduler.wait(request)
            self._loop.requests[generation.request_id] = request
            self._loop.lock.notify_all()

    def abort(self, request_id: str, reason: str = errors.CANCELLED) -> bool:
        """End a request at the next step, whatever its phase; False when there is none of this id."""
        with self._loop.lock:
            request = self._loop.requests.get(request_id)
            if request is None:
                return False
            request.ending = request.ending or (FinishReason.CANCELLED, reason, "")
            self._loop.lock.notify_all()
            return True

    def touch(self, owner: str) -> None:
        """Say that an owner lives: what it asked for is ended when it is silent."""
        self._loop.owners.touch(owner, self._loop.clock())

    def reserve(self, reservation_id: str, tokens: int, ttl_s: float, rows: int = 1, chain: Sequence[bytes] = ()) -> int:
        """Hold rows for a request to come; ``tokens``: prompt and answer, ``chain``: ids of the prompt's full blocks.

        Returns how many of these blocks are here and need not be pulled. Raises Refused OVERLOADED, PROMPT_TOO_LONG, REQUEST_DUPLICATE.
        """
        if tokens > self._loop.max_len:
            raise Refused(errors.PROMPT_TOO_LONG, f"{tokens} tokens don't fit a row of {self._loop.max_len}")
        with self._loop.lock:
            return len(self._loop.reservations.make(reservation_id, rows, tuple(chain), self._loop.clock() + ttl_s).chain)

    def renew(self, reservation_id: str, ttl_s: float) -> None:
        """Hold a reservation so long from now. Raises Refused RESERVATION_UNKNOWN."""
        with self._loop.lock:
            self._loop.reservations.renew(reservation_id, self._loop.clock() + ttl_s)

    def release(self, reservation_id: str) -> None:
        """Give a reservation up; a pull into it may go on, and its row is free when that ends."""
        with self._loop.lock:
            self._loop.reservations.release(reservation_id)
            self._loop.lock.notify_all()

    @contextmanager
    def landing(self, reservation_id: str) -> Iterator[tuple[RowView, int]]:
        """Give the row where a reserved request lands, to be written, and how many of its blocks stand there already.

        The row is not given to others while this is open. Raises Refused RESERVATION_UNKNOWN.
        """
        with self._loop.lock:
            reservation = self._loop.reservations.get(reservation_id)
            self._loop.reservations.begin_landing(reservation)
        try:
            with self._loop.runner.memory.open(reservation.rows[0], writes=True) as row:
                with self._loop.lock:
                    held = self._loop.prefix.load(row, reservation.chain, self._loop.max_len)
                yield row, held // self.manifest.layout.block_tokens
        finally:
            with self._loop.lock:
                self._loop.reservations.end_landing(reservation, self._loop.clock())
                self._loop.lock.notify_all()

    @contextmanager
    def row(self, request_id: str) -> Iterator[RowView]:
        """Give the row of a request that is Prefilled, to be read; of one that is being read, as far as `Progress` said.

        The row is not given to others while this is open. Raises KeyError.
        """
        with self._loop.lock:
            request = self._loop.requests[request_id]
            if request.phase not in (Phase.PREFILLING, Phase.PREFILLED):
                raise KeyError(request_id)
            row = request.rows[0]
            self._loop.rows.pin(row)
        try:
            with self._loop.runner.memory.open(row, writes=False) as view:
                yield view
        finally:
            with self._loop.lock:
                self._loop.rows.unpin(row)
                self._loop.lock.notify_all()

    def release_row(self, request_id: str) -> None:
        """A Prefilled request was handed over, or is wanted no more: nothing is told of it again."""
        with self._loop.lock:
            request = self._loop.requests.get(request_id)
            if request is not None and request.phase is Phase.PREFILLED:
                self._loop.forget(request)
                self._loop.lock.notify_all()

    def grammar_digest(self, form: Form | None) -> bytes:
        """Return what names a form's grammar here; empty without one."""
        return b"" if form is None else grammar_digest(self.manifest.tokenizer_digest, form)

    def load(self) -> Load:
        """Return how busy it is."""
        with self._loop.lock:
            loop, size = self._loop, self.manifest.layout.block_tokens
            return Load(
                incarnation=self.incarnation,
                steps=loop.steps,
                rows_used=loop.rows.used,
                rows_total=loop.rows.count,
                queued=loop.scheduler.queued,
                prefill_tokens=loop.scheduler.prefill_tokens,
                decode_blocks=sum(-(-choice.length // size) for choice in loop.scheduler.decoding),
                cached_blocks=len(loop.prefix.pool),
                cache_capacity_blocks=loop.prefix.pool.capacity,
                step_ms=loop.meter.step_ms,
                output_tokens_per_s=loop.meter.output_tokens_per_s(loop.clock()),
                prefill_tokens_per_s=loop.meter.prefill_tokens_per_s,
                utilisation=loop.meter.utilisation(loop.clock()),
            )

    def cache_since(self, sequence: int) -> list[CacheChanged] | None:
        """Return what changed in the prefix store after a number; None: ask for `cache_snapshot`."""
        with self._loop.lock:
            return self._loop.prefix.since(sequence)

    def cache_snapshot(self) -> tuple[int, tuple[bytes, ...]]:
        """Return the number of the last change and all blocks that are held."""
        with self._loop.lock:
            return self._loop.prefix.snapshot()

    def held(self) -> list[str]:
        """Return a line for everything that is held, with its owner."""
        with self._loop.lock:
            return self._loop.held()

    def leaks(self) -> list[str]:
        """Return a line for everything that is held by nobody who lives. Empty, always: anything else is a bug."""
        with self._loop.lock:
            return self._loop.leaks()

    def _made(self, generation: Generation) -> Request:
        tokens = np.asarray(generation.tokens, dtype=np.int64)
        size = self.manifest.layout.block_tokens
        ids = block_ids(generation.namespace, generation.tokens, size)[: len(tokens) // size]
        limit = min(generation.max_tokens, self._loop.max_len - len(tokens))
        request = Request(generation, tokens, ids, limit, 0)
        for start in generation.choices:
            matcher = None if generation.form is None else self._grammars.matcher(generation.form, start.emitted)
            request.choices.append(Choice(request, start.number, list(start.emitted), matcher=matcher))
        return request

    def _redeem(self, request: Request, reservation_id: str) -> None:
        """Give a request the rows that were reserved for it."""
        asked = request.generation
        reservation = self._loop.reservations.get(reservation_id)
        if len(reservation.rows) < request.rows_needed:
            raise Refused(errors.OVERLOADED, f"{request.rows_needed} rows are needed, {len(reservation.rows)} are reserved")
        if asked.landed and reservation.chain != request.block_ids[: len(reservation.chain)]:
            raise Refused(errors.LAYOUT_MISMATCH, "the row was prepared for another prompt")
        rows = self._loop.reservations.redeem(reservation_id)
        self._loop.rows.give_back(rows[request.rows_needed :])
        request.rows = rows[: request.rows_needed]
        for row in request.rows:
            self._loop.rows.pass_on(row, f"request {request.request_id}")
        if asked.landed:
            request.phase, request.computed, request.is_begun = Phase.PREFILLING, request.length, True
            self._loop.landed.append(request)
        else:
            self._loop.scheduler.prefill(request)
