"""Who attends to one engine: asks what is known every few seconds and after whatever is suspicious, and judges what was measured.

Surprising: time in which this process itself did not run is found by its own clock (a look that comes late), and then nothing that was
measured meanwhile is held against anybody.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from finmesh.inference.v1.worker_pb2 import WORKER_ROLE_PREFILL, WorkerDescription
from meshkit.telemetry import metrics
from opentelemetry.metrics import Counter

from backends.health.known_answers import KnownAnswers
from backends.health.learned import LearningProber
from backends.health.pace import Pace
from backends.health.probe import Outcome, Prober, Verdict
from backends.health.states import HUNG, SLOW, WRONG, State
from backends.health.watched import Watched

LOOK_S = 0.2
LATE_S = 0.6
"""A look that comes so late says that this process stood still, or was starved."""
SOON_S, AT_ONCE_S = 1.0, 0.25
"""Between two questions to one that is not (yet) trusted; and to one that is suspected."""
IDLE = 2
"""So many times as long between two questions to one that nobody else asked anything meanwhile."""
TIMEOUT_S, SUSPECT_TIMEOUT_S = 10.0, 1.5
_logger = logging.getLogger("finmesh.backends")


@dataclass(slots=True)
class _Probing:
    task: asyncio.Task[Outcome]
    begun_s: float
    is_suspicion: bool


@dataclass(slots=True)
class Attendant:
    """``probe_s``: between two questions to one that works, on average. ``known``: by model digest. ``peers``: paces of its like."""

    watched: Watched
    known: Mapping[bytes, KnownAnswers]
    probe_s: float
    peers: Callable[[], Sequence[Pace]]
    jitter: Callable[[], float] = field(default=lambda: random.uniform(0.7, 1.3))
    probes: Counter = field(
        default_factory=lambda: metrics.meter().create_counter(
            "finmesh.inference.probes", description="known questions asked of engines, by `verdict`"
        )
    )
    _prober: Prober | None = None
    _digest: bytes = b""
    _begun: int = 0
    _due_s: float = 0.0
    _probing: _Probing | None = None

    def __post_init__(self) -> None:
        """Be there before it is described."""
        self.watched.meet = self._meet

    async def run(self) -> None:
        """Attend to it until cancelled."""
        looked_s = self.watched.monotonic_s()
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self.watched.suspected.wait()
                now_s = self.watched.monotonic_s()
                if (late_s := now_s - looked_s - LOOK_S) > LATE_S:
                    self._slept(late_s, now_s)
                looked_s = now_s
                await self._look(now_s)
        finally:
            if self._probing is not None:
                self._probing.task.cancel()
                await asyncio.wait({self._probing.task})

    def _slept(self, seconds: float, now_s: float) -> None:
        self.watched.silence.slept(seconds)
        self.watched.pace.stalled(now_s)

    async def _look(self, now_s: float) -> None:
        watched = self.watched
        watched.look()
        if watched.suspected.is_set():
            watched.suspected.clear()
            self._due_s = min(self._due_s, now_s + AT_ONCE_S)
        is_silent = watched.suspicious()
        if (probing := self._probing) is not None and is_silent and now_s - probing.begun_s >= SUSPECT_TIMEOUT_S:
            probing.task.cancel()
            await asyncio.wait({probing.task})
            probing.is_suspicion = True  # whatever it was asked for
        if probing is not None and probing.task.done():
            self._probing = None
            await self._take(probing, now_s)
        if self._probing is None and watched.health.wants_probe(now_s) and (is_silent or now_s >= self._due_s):
            self._ask(is_silent, now_s)
        watched.pace.settle(now_s)
        if watched.health.state in (State.READY, State.PROBATION) and (why := watched.pace.slowness(self.peers())):
            watched.changed_to(watched.health.slow(why, now_s))
            self._alarm(SLOW, why)

    def _meet(self, description: WorkerDescription) -> bool:
        """Learn which model it serves (now); return whether something is known of that."""
        digest = description.model_digest
        if digest != self._digest:
            self._digest, self._prober = digest, self._made(description) if self.probe_s > 0 else None
        return self._prober is not None

    def _made(self, description: WorkerDescription) -> Prober | None:
        """Whoever asks it: of what is known, or of what it says at first. Our own engines have what is known beside their model."""
        if description.role == WORKER_ROLE_PREFILL and description.kind == "vllm":
            return None  # it tells no token, and keeps what it read for minutes
        if (known := self.known.get(description.model_digest)) is not None:
            return Prober(self.watched.inner, known)
        return LearningProber(self.watched.inner) if description.kind not in ("", "triton") else None

    def _ask(self, is_suspicion: bool, now_s: float) -> None:
        description = self.watched.description
        if self._prober is None or description is None:
            return
        timeout_s = SUSPECT_TIMEOUT_S if is_suspicion else TIMEOUT_S
        task = asyncio.create_task(self._prober(description, timeout_s), name="known question")
        self._probing = _Probing(task, now_s, is_suspicion)

    async def _take(self, probing: _Probing, now_s: float) -> None:
        """Judge what came of a question."""
        watched, health = self.watched, self.watched.health
        outcome = Outcome(Verdict.BUSY, "no answer") if probing.task.cancelled() else probing.task.result()
        self.probes.add(1, {"verdict": outcome.verdict.value})
        rows = max(1, len(watched.calls.running))
        for seconds in outcome.unit_s:
            watched.pace.add(seconds, rows, probing.begun_s, now_s)
        is_paced = all(watched.pace.is_paced(seconds) for seconds in outcome.unit_s)
        match outcome.verdict:
            case Verdict.WRONG:
                watched.changed_to(health.wrong(outcome.detail, now_s))
                self._alarm(WRONG, outcome.detail)
                await watched.condemn(WRONG, "the engine answers wrong")
            case Verdict.RIGHT:
                watched.silence.moved(now_s)
                watched.changed_to(health.right(is_paced, now_s))
            case Verdict.FAILED:
                watched.changed_to(health.failed(outcome.detail, now_s))
            case Verdict.BUSY if probing.is_suspicion and watched.silence.since(probing.begun_s):
                watched.changed_to(health.hung("nothing moves, and a known question is not answered", now_s))
                self._alarm(HUNG, outcome.detail)
                await watched.condemn(HUNG, "the engine stands still")
            case Verdict.REFUSED:
                _logger.warning("an engine can't be asked what is known", extra={"facts": {"engine": self._name, "why": outcome.detail}})
                self._prober, health.is_probed = None, False
        is_trusted = health.state is State.READY and watched.pace.is_known and is_paced and outcome.verdict is not Verdict.FAILED
        is_idle, self._begun = watched.calls.begun == self._begun, watched.calls.begun
        self._due_s = now_s + (self.probe_s * (IDLE if is_idle else 1) if is_trusted else SOON_S) * self.jitter()

    @property
    def _name(self) -> str:
        description = self.watched.description
        return "" if description is None else description.worker_id

    def _alarm(self, reason: str, why: str) -> None:
        _logger.error("engine isolated", extra={"facts": {"worker": self._name, "reason": reason, "measured": why}})
