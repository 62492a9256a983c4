"""An engine of any kind with its health watched: a `Backend` around another one, and the only one that pool and feed see.

Surprising:

- What is asked of an isolated engine is refused here, whoever chose it. A slow one may still be asked, by those who have no other: slow
  answers are right answers, and the last worker of a model is better than none.
- What runs on an engine that is found wrong or hung is ended at once, so that whoever waits can go elsewhere; so are hand-offs that it
  published and nobody has pulled yet.
- On probation one request at a time is taken, reservations included.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from finmesh.inference.v1 import worker_pb2 as pb
from finmesh.inference.v1.decode_service_pb2 import DecodeRequest, ReserveRequest, Tokens
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest
from meshkit.errors import MeshError, Overloaded, Unavailable

from backends.admission import expected_s
from backends.health.calls import Call, Calls
from backends.health.pace import Bounds, Pace
from backends.health.silence import Silence
from backends.health.states import LOST, Change, Health, State
from backends.port import Backend, DecodeEvent, Published, Watcher

STATES = {
    State.STARTING: pb.WORKER_STATE_STARTING,
    State.READY: pb.WORKER_STATE_READY,
    State.DRAINING: pb.WORKER_STATE_DRAINING,
    State.ISOLATED: pb.WORKER_STATE_ISOLATED,
    State.PROBATION: pb.WORKER_STATE_PROBATION,
}
RETRY_AFTER_S = 0.5
_WAITED = 0.1
"""Of the time between two deliveries, at least so much was waited for; less, and it was the reader that took its time."""
Told = Callable[[pb.WorkerDescription, Change], None]


class Watched:
    """``told``: is handed each change of state of an engine that has a name. ``attend`` is the other half: `backends.health.attendant`."""

    def __init__(self, inner: Backend, *, told: Told, bounds: Bounds, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self.inner, self._told, self._bounds, self.monotonic_s = inner, told, bounds, monotonic_s
        self.health, self.pace, self.silence = Health(False), Pace(bounds), Silence(monotonic_s())
        self.calls = Calls()
        self.suspected = asyncio.Event()
        self.meet: Callable[[pb.WorkerDescription], bool] = lambda _: False  # whether something is known of its model
        self._facts = inner.load
        self._load = self._told_load()
        self._watcher: Watcher | None = None
        self._incarnation, self._is_described = "", False
        inner.watch(self)

    # what it is, for pool and feed

    @property
    def description(self) -> pb.WorkerDescription | None:
        """What it is."""
        return self.inner.description

    @property
    def load(self) -> pb.WorkerLoad:
        """How busy it was, and its state as it was found out here."""
        if self.inner.load is not self._facts:
            self._facts = self.inner.load
            self.look()
            self._load = self._told_load()
        return self._load

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher from now on."""
        self._watcher = watcher

    async def run(self) -> None:
        """Keep in touch with it until cancelled."""
        await self.inner.run()

    # what the adapter tells

    def described(self, description: pb.WorkerDescription) -> None:
        """It is (anew) this."""
        now_s = self.monotonic_s()
        self.health.is_probed = self.meet(description)
        first, is_new = not self._incarnation, description.incarnation != self._incarnation
        if is_new:
            self._incarnation, self.pace = description.incarnation, Pace(self._bounds)
        self._is_described = True
        if self._watcher is not None:
            self._watcher.described(description)
        if is_new:
            self.changed_to(self.health.starting(now_s) if first else self.health.renewed(now_s))

    def changed(self, worker_id: str, event: pb.KvEvent) -> None:
        """Its blocks changed."""
        if self._watcher is not None:
            self._watcher.changed(worker_id, event)

    def loaded(self, worker_id: str, load: pb.WorkerLoad) -> None:
        """It is this busy, and says so of itself."""
        self._facts = load
        if load.state == pb.WORKER_STATE_READY:
            self.silence.heard(load.steps, self.monotonic_s())
        self.look()
        self._tell_load()

    def look(self) -> None:
        """Take note of what its adapter says of it now."""
        if not self._is_described:
            return
        now_s, facts = self.monotonic_s(), self.inner.load
        match facts.state:
            case pb.WORKER_STATE_READY | pb.WORKER_STATE_PROBATION:
                self.changed_to(self.health.reached(now_s))
            case pb.WORKER_STATE_DRAINING:
                self.changed_to(self.health.draining(now_s))
            case pb.WORKER_STATE_ISOLATED:
                self.changed_to(self.health.lost(facts.reason or LOST, "its adapter can't reach it", now_s))
            case _:
                self.changed_to(self.health.starting(now_s))

    def changed_to(self, change: Change | None) -> None:
        """Have a change take effect, and be told."""
        if change is not None:
            if change.after is State.PROBATION:
                self.pace.anew()
            self._tell_load()
            if (description := self.inner.description) is not None:
                self._told(description, change)

    def _told_load(self) -> pb.WorkerLoad:
        load = pb.WorkerLoad()
        load.CopyFrom(self._facts)
        load.state, load.reason = STATES[self.health.state], self.health.reason
        return load

    def _tell_load(self) -> None:
        self._load = self._told_load()
        if self._is_described and self._watcher is not None and (description := self.inner.description) is not None:
            self._watcher.loaded(description.worker_id, self._load)

    async def condemn(self, reason: str, message: str) -> None:
        """End all that runs there, and the hand-offs that it published."""
        for handoff_id, epoch in self.calls.end(Unavailable(message, reason=reason)):
            with suppress(MeshError):
                await self.inner.abort(handoff_id, epoch)

    def suspicious(self) -> bool:
        """Whether nothing moves there though something should."""
        now_s = self.monotonic_s()
        if not self.calls.running:
            self.silence.moved(now_s)
        reading = max((call.prompt_tokens for call in self.calls.running), default=0)
        return self.silence.is_suspicious(now_s, self._facts.step_ms / 1000, expected_s(self._facts, reading))

    # what it is asked

    def _admit(self, reservation_id: str = "") -> None:
        health = self.health
        if not health.takes:
            why = health.reason or self._facts.reason or "STARTING"
            raise Unavailable("the engine takes no work", reason=why, retry_after_s=RETRY_AFTER_S)
        is_reserved = bool(reservation_id) and self.calls.holds(reservation_id)
        if health.state is State.PROBATION and not is_reserved and self.calls.busy(self.monotonic_s()):
            raise Overloaded("the engine is on probation and has its one request", retry_after_s=RETRY_AFTER_S)

    async def reserve(self, reservation_id: str, request: ReserveRequest) -> int:
        """Hold room."""
        self._admit()
        self.calls.reserve(reservation_id, self.monotonic_s() + request.ttl_ms / 1000)
        try:
            return await self.inner.reserve(reservation_id, request)
        except BaseException:
            self.calls.release(reservation_id)
            raise

    async def renew(self, reservation_id: str, ttl_ms: int) -> None:
        """Prolong a reservation."""
        await self.inner.renew(reservation_id, ttl_ms)
        if self.calls.holds(reservation_id):
            self.calls.reserve(reservation_id, self.monotonic_s() + ttl_ms / 1000)

    async def release(self, reservation_id: str) -> None:
        """Give a reservation back."""
        self.calls.release(reservation_id)
        await self.inner.release(reservation_id)

    async def abort(self, handoff_id: str, epoch: int) -> None:
        """End a hand-off."""
        self.calls.forget(handoff_id, epoch)
        await self.inner.abort(handoff_id, epoch)

    async def prefill(self, request: PrefillRequest, timeout_s: float) -> Published:
        """Read a prompt."""
        self._admit()
        call = self.calls.begin(len(request.prompt_tokens))
        try:
            async with call.waiting():
                published = await self.inner.prefill(request, timeout_s)
        except MeshError as error:
            self._failed(error)
            raise
        finally:
            self.calls.running.discard(call)
        now_s = self.monotonic_s()
        self.silence.moved(now_s)
        if published.response.ticket:
            self.calls.published(request.handoff_id, request.epoch, now_s + published.response.lease_ms / 1000, now_s)
        self.changed_to(self.health.answered(now_s))
        return published

    async def decode(self, request: DecodeRequest, timeout_s: float, hold_s: float = 0.0) -> AsyncGenerator[DecodeEvent, None]:
        """Write an answer."""
        self._admit(request.reservation_id)
        call = self.calls.begin(0 if request.ticket else len(request.prompt_tokens), request.reservation_id)
        try:
            async with aclosing(self._measured(call, self.inner.decode(request, timeout_s, hold_s))) as events:
                async for event in events:
                    yield event
            self.changed_to(self.health.answered(self.monotonic_s()))
        except MeshError as error:
            self._failed(error)
            raise
        finally:
            self.calls.running.discard(call)

    async def _measured(self, call: Call, events: AsyncGenerator[DecodeEvent, None]) -> AsyncGenerator[DecodeEvent, None]:
        """Pass events on, and note how long each token was waited for."""
        before_s = 0.0
        async with aclosing(events):
            while True:
                asked_s = self.monotonic_s()
                async with call.waiting():
                    event = await anext(events, None)
                if event is None:
                    return
                now_s = self.monotonic_s()
                self.silence.moved(now_s)
                if isinstance(event, Tokens) and event.tokens:
                    call.prompt_tokens = 0
                    if before_s and now_s - asked_s >= _WAITED * (now_s - before_s):
                        self.pace.add((now_s - before_s) / len(event.tokens), len(self.calls.running), before_s, now_s)
                    before_s = now_s
                yield event

    def _failed(self, error: MeshError) -> None:
        """A request failed: if that is the engine's own doing, it is looked at at once."""
        if isinstance(error, Unavailable) and self.inner.load.state == pb.WORKER_STATE_READY:
            self.suspected.set()
            self.changed_to(self.health.failed(error.reason, self.monotonic_s()))
