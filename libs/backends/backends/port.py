"""An engine of any kind, as inference-prefill and inference-decode see it.

Surprising: the port speaks the messages of finmesh.inference.v1. They are what the services are asked with and answer with; a second
set of types would only be copied into and out of, once a token.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from finmesh.inference.v1.decode_service_pb2 import Committed, DecodeRequest, ReserveRequest, Tokens
from finmesh.inference.v1.generation_pb2 import ChoiceFinished, UsageFacts
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest, PrefillResponse
from finmesh.inference.v1.worker_pb2 import KvEvent, WorkerDescription, WorkerLoad


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time that an engine reports: "queue", "prefill", "pack", "publish", "pull", "verify", "commit". Unix nanoseconds."""

    name: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Published:
    """A prompt was read; its engine and incarnation stand in the response."""

    response: PrefillResponse
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """An answer's row runs from here: first, once."""

    committed: Committed
    phases: tuple[Phase, ...]


DecodeEvent: TypeAlias = Running | Tokens | ChoiceFinished | UsageFacts
"""In order: Running; Tokens and ChoiceFinished; UsageFacts, last, once."""


class Observed(Protocol):
    """One answer, as it is measured and traced."""

    def published(self, published: Published) -> None:
        """Its prompt was read elsewhere than it is answered."""
        ...

    def running(self, running: Running) -> None:
        """Its row runs."""
        ...

    def token(self) -> None:
        """Tokens came."""
        ...

    def finished(self, finished: ChoiceFinished) -> None:
        """One of its answers ended."""
        ...

    def ended(self, usage: UsageFacts) -> None:
        """It ended well."""
        ...

    def failed(self, reason: str) -> None:
        """It failed, or nobody wants it any more."""
        ...


class Observer(Protocol):
    """Where it is told what becomes of requests."""

    def began(self, model: str) -> Observed:
        """Something is asked of that model."""
        ...


class Watcher(Protocol):
    """Who is told what an engine is, holds and does, on the event loop."""

    def described(self, description: WorkerDescription) -> None:
        """It is (anew) this: another incarnation holds nothing that was told before."""
        ...

    def changed(self, worker_id: str, event: KvEvent) -> None:
        """Its blocks changed; numbers without gaps, or one that says `cleared`."""
        ...

    def loaded(self, worker_id: str, load: WorkerLoad) -> None:
        """It is this busy: at least every second, also when nobody can reach it."""
        ...


class Backend(Protocol):
    """One engine. Calls raise typed errors; UNAVAILABLE of any reason means that this engine did not do it, and holds nothing of it."""

    @property
    def description(self) -> WorkerDescription | None:
        """What it is; None until it was reached once."""
        ...

    @property
    def load(self) -> WorkerLoad:
        """How busy it was when it was last heard of, and its state now."""
        ...

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher from now on. One a backend, before it runs."""
        ...

    async def run(self) -> None:
        """Keep in touch with it until cancelled; then say goodbye: what runs there for this process ends."""
        ...

    async def reserve(self, reservation_id: str, request: ReserveRequest) -> int:
        """Hold room; return how many blocks from the beginning it has already."""
        ...

    async def renew(self, reservation_id: str, ttl_ms: int) -> None:
        """Prolong a reservation."""
        ...

    async def release(self, reservation_id: str) -> None:
        """Give a reservation back; harmless when there is none."""
        ...

    async def prefill(self, request: PrefillRequest, timeout_s: float) -> Published:
        """Read a prompt. Cancelling it ends the work there and frees what was published."""
        ...

    def decode(self, request: DecodeRequest, timeout_s: float, hold_s: float = 0.0) -> AsyncGenerator[DecodeEvent, None]:
        """Write an answer. Closing the iterator ends the work there.

        ``timeout_s``: for its queue. ``hold_s``: tokens behind the first may be kept so long, so that several come as one.
        """
        ...

    async def abort(self, handoff_id: str, epoch: int) -> None:
        """End a hand-off in this epoch and all lower ones; harmless when there is none."""
        ...
