"""The loop: what one step does to the requests of a batch.

Its place: `engine.llm.engine` takes requests and questions from other threads; here are the state that its lock guards and the one thread
that changes it. The lock is held for a step's plan and for what follows from its outcome, never while the graph runs.

A step: end what shall end; begin what has landed, which is told at once; feed every answer that runs its next token; read a chunk of
prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition

import numpy as np
import numpy.typing as npt

from engine.llm import errors
from engine.llm.answers import Answers
from engine.llm.generation import Event, FinishReason, Prefilled, Progress, Started, Token
from engine.llm.limits import Limits
from engine.llm.liveness import Meter, Owners
from engine.llm.loading import LoadedModel
from engine.llm.prefix import PrefixStore, longest_hit
from engine.llm.reservations import Reservations
from engine.llm.rows import Rows
from engine.llm.runner import Runner
from engine.llm.scheduler import Budget, Chunk, Scheduler
from engine.llm.sequence import Choice, Phase, Request
from engine.llm.warmup import fewest_rows, measured

F32 = npt.NDArray[np.float32]


class Loop:
    """``lock`` guards everything here but the runner, which belongs to the thread that calls `step`."""

    def __init__(self, model: LoadedModel, limits: Limits, clock: Callable[[], float]) -> None:
        limits.check(model.manifest.max_position)
        self.limits, self.lock, self.clock = limits, Condition(), clock
        self.max_len = limits.max_len or model.manifest.max_len
        self.runner = Runner(model, limits.rows, self.max_len)
        self.rows = Rows(limits.rows)
        self.prefix = PrefixStore(model.manifest.layout, limits.prefix_store_bytes, limits.cache_events_kept)
        self.reservations = Reservations(self.rows, self.prefix.pool)
        self.runner.fewest_rows = fewest_rows(self.runner, limits.rows)
        self.scheduler = Scheduler(self.rows, self._budget(limits))
        self.requests: dict[str, Request] = {}
        self.landed: list[Request] = []
        self.owners, self.meter, self.steps = Owners(limits.owner_silence_s), Meter(), 0
        self._answers = Answers(model.manifest.end_ids)

    def _budget(self, limits: Limits) -> Budget:
        fixed = limits.chunk_tokens
        if fixed is not None:
            return lambda *_: fixed
        return measured(self.runner, limits.rows, self.max_len, limits.step_ms).chunk

    def step(self) -> list[Event]:
        """Do one step and return what happened. What has landed is told first: who asked has a token already and waits for this."""
        events: list[Event] = []
        with self.lock:
            begun = self.clock()
            self._end_noted(begun, events)
            if self._begin_landed(events):
                self.steps += 1
                return events
            plan = self.scheduler.plan(lambda request: self._begin(request, events))
        if plan.decode:
            self._write(plan.decode, events)
        for chunk in plan.prefill:
            self._read(chunk, events)
        with self.lock:
            self.steps += 1
            events += self.prefix.news()
            if plan.decode or plan.prefill:
                now = self.clock()
                self.meter.step(now, now - begun, sum(isinstance(event, Token) for event in events))
        return events

    def is_idle(self) -> bool:
        return self.scheduler.is_idle and not self.landed and not any(request.ending for request in self.requests.values())

    def _write(self, choices: list[Choice], events: list[Event]) -> None:
        """Feed each answer its next token, and choose a new one for those that have no other."""
        begun = self.clock()
        try:
            logits = self.runner.write(
                [choice.row for choice in choices], [choice.next_token for choice in choices], [choice.length for choice in choices]
            )
        except Exception as error:
            self._failed({choice.request for choice in choices}, error)
            return
        growing = [choice for choice in choices if choice.is_at_the_end and choice.request.ending is None]
        for choice in choices:
            choice.length += 1
        ended = self._answers.grow(logits, growing, [choice.row for choice in growing], events)
        share = (self.clock() - begun) / len(choices)
        for choice in choices:
            choice.request.busy_s += share
        if ended:
            with self.lock:
                self._close(ended)

    def _read(self, chunk: Chunk, events: list[Event]) -> None:
        """Read a piece of a prompt; with its last one the answers begin."""
        request, begun = chunk.request, self.clock()
        try:
            logits = self.runner.read(request.rows[0], request.prompt[chunk.start : chunk.start + chunk.count], chunk.start)
        except Exception as error:
            self._failed({request}, error)
            return
        spent = self.clock() - begun
        request.busy_s += spent
        with self.lock:
            self.meter.read(chunk.count, spent)
            request.computed += chunk.count
            if request.ending is not None:
                return
            if not request.remaining:
                self._begin_answers(request, events, logits)
            elif request.generation.prefill_only:
                events.append(Progress(request.request_id, request.computed))

    def _begin(self, request: Request, events: list[Event]) -> None:
        """A prompt's turn has come: what the store holds of it need not be read."""
        events.append(Started(request.request_id, landed=False))
        with self.runner.memory.open(request.rows[0], writes=True) as row:
            request.cached = request.computed = self.prefix.load(row, request.block_ids, longest_hit(request.length))

    def _begin_landed(self, events: list[Event]) -> bool:
        """Begin the answers of what was handed over; return whether there was any."""
        landed, self.landed = self.landed, []
        for request in landed:
            if request.ending is None:
                events.append(Started(request.request_id, landed=True))
                self._begin_answers(request, events, None)
        return bool(landed)

    def _begin_answers(self, request: Request, events: list[Event], logits: F32 | None) -> None:
        """The prompt stands in the first row: share its blocks, fork its row, and choose the first tokens that are not known."""
        with self.runner.memory.open(request.rows[0], writes=False) as row:
            self.prefix.save(row, request.block_ids)
        for choice, own in zip(request.choices, request.rows, strict=not request.generation.prefill_only):
            choice.row, choice.length = own, request.length
            if own != request.rows[0]:
                self.runner.memory.fork(request.rows[0], own, request.length)
        ended: list[Choice] = []
        for choice in request.choices:
            if choice.emitted and (reason := self._answers.reason(choice)) is not None:
                self._answers.finish(choice, reason, events)
                ended.append(choice)
        fresh = [choice for choice in request.choices if not choice.emitted]
        if fresh and logits is not None:
            ended += self._answers.grow(logits, fresh, [0] * len(fresh), events)
        self.scheduler.decode(request)
        self._close(ended)
        if request.phase is Phase.PREFILLED:
            live = {choice.number for choice in request.live()}
            first = tuple(
                event for event in events if isinstance(event, Token) and event.request_id == request.request_id and event.choice in live
            )
            events.append(
                Prefilled(
                    request_id=request.request_id,
                    row=request.rows[0],
                    length=request.length,
                    first=first,
                    block_ids=request.block_ids,
                    usage=request.usage(),
                )
            )

    # ends

    def _end_noted(self, now: float, events: list[Event]) -> None:
        """End what was aborted, whose owner is silent, what waited too long; and reservations whose time is over."""
        self.reservations.expire(now)
        silent = set(self.owners.silent(now))
        for request in list(self.requests.values()):
            asked = request.generation
            if request.ending is None and asked.owner is not None and asked.owner in silent:
                request.ending = (
                    FinishReason.CANCELLED,
                    errors.OWNER_SILENT,
                    "who asked for it is silent",
                )
            if request.ending is None and not request.is_begun and asked.deadline is not None and now >= asked.deadline:
                request.ending = FinishReason.ERROR, errors.QUEUE_EXPIRED, "its turn did not come in time"
            if request.ending is not None:
                for choice in request.live():
                    self._answers.finish(choice, request.ending[0], events, *request.ending[1:])
                self.forget(request)

    def _failed(self, requests: set[Request], error: Exception) -> None:
        """The graph failed under these requests: their rows can't be trusted."""
        with self.lock:
            for request in requests:
                request.ending = FinishReason.ERROR, errors.STEP_FAILED, type(error).__name__

    def _close(self, ended: Sequence[Choice]) -> None:
        """Free the rows of answers that ended; of a request whose answers all did, everything."""
        for choice in ended:
            request = choice.request
            self.scheduler.finish(choice)
            if not request.live():
                self.forget(request)
            elif not request.generation.prefill_only:
                request.rows.remove(choice.row)
                self.rows.give_back([choice.row])

    def forget(self, request: Request) -> None:
        if request.phase is not Phase.ENDED:
            self.scheduler.end(request)
            self.rows.give_back(request.rows)
            request.rows = []
            del self.requests[request.request_id]

    def held(self) -> list[str]:
        """Return a line for everything that is held, with its owner."""
        pins = self.rows.pinned()
        lines = [f"row {row} {holder}" + (f" pins {pins[row]}" if row in pins else "") for row, holder in self.rows.held().items()]
        lines += [f"block {each.hex()} references {count}" for each, count in self.prefix.pool.referenced().items()]
        return lines + [f"request {request.request_id} {request.phase.name}" for request in self.requests.values()]

    def leaks(self) -> list[str]:
        """Return a line for everything that is held by nobody who lives, or used by somebody who doesn't hold it."""
        live = self.reservations.rows() | {row for request in self.requests.values() for row in request.rows}
        held, pins, promised = self.rows.held(), self.rows.pinned(), self.reservations.references()
        lines = [f"row {row} {holder}" for row, holder in held.items() if row not in live and row not in pins]
        lines += [f"row {row} is used and free" for row in sorted(live - set(held))]
        references = self.prefix.pool.referenced().items()
        return lines + [f"block {each.hex()} references {count}" for each, count in references if count != promised.count(each)]
