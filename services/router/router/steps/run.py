"""One generation under way: what was decided for it, what it holds where, how far it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from meshkit.errors import MeshError

from router.domain.attempts import Attempts, Legs, Phase
from router.domain.disaggregation import Way
from router.domain.fleet import Role, Worker
from router.domain.generation import Admitted, Choice, EndFacts, Finish, Instead, Provenance, Request, Substituted, Usage
from router.domain.legs import Committed, Handoff, Job, Reservation
from router.domain.model import ServedModel
from router.domain.policy import Scenario
from router.domain.standby import Standby
from router.domain.tools import Offer
from router.domain.usage import summed
from router.steps.answers import Answers, Piece
from router.steps.line import Place
from router.steps.pool import Need, key_of

UNDECIDED = Way(False, "")
SUBSTITUTED = "MODEL_SUBSTITUTED"
"""The mark of a standby's answer."""


@dataclass(slots=True)
class Room:
    """What is held at a decode worker; ``is_spent``: it was used, and the worker has ended it."""

    worker: Worker
    place: Place
    reservation: Reservation
    is_spent: bool = False


@dataclass(slots=True)
class Handover:
    """Keys and values that wait at a prefill worker, for the decode worker ``decode`` (with its incarnation).

    ``held``: what the first tokens say, told when they have arrived.
    """

    worker: Worker
    handoff: Handoff
    first_block: int
    layout: bytes
    decode: str
    ticket: bytes = b""
    until_s: float = 0.0
    held: list[Piece] = field(default_factory=list)


@dataclass(slots=True)
class Stead:
    """Who may answer instead of the first. ``error``: why that one can't; ``became``: by model, why those that were tried can't either."""

    first: Run
    error: MeshError
    left: list[Standby]
    became: dict[str, str] = field(default_factory=dict)

    def told(self) -> MeshError:
        """Return what the caller gets when nobody is left: what the first said, and what became of the others."""
        if not self.became:
            return self.error
        others = ", ".join(f"{model}={reason}" for model, reason in self.became.items())
        why = self.error
        return type(why)(why.message, reason=why.reason, metadata={**why.metadata, "standbys": others}, retry_after_s=why.retry_after_s)


@dataclass(slots=True)
class Run:
    """Times are monotonic seconds."""

    request: Request
    scenario: Scenario
    model: ServedModel
    admitted: Admitted
    job: Job
    need: Need
    begun_s: float
    deadline_s: float
    new_answers: Callable[[], Answers]
    answers: Answers
    standbys: tuple[Standby, ...] = ()
    """Who might answer in its place; for a standby, what it is listed as."""
    instead: Instead | None = None
    stead: Stead | None = None
    failed_leg: Role = Role.DECODE
    """The leg that failed last."""
    offer: Offer | None = None
    way: Way = UNDECIDED
    is_alone: bool = False
    """Whether the decode worker reads the prompt though it was to be handed over."""
    attempts: Attempts = field(default_factory=Attempts)
    phase: Phase = Phase.PREFILL
    room: Room | None = None
    handover: Handover | None = None
    decode_choice: Choice | None = None
    prefill_choice: Choice | None = None
    started: asyncio.Future[str] | None = None
    """The record of the start, being written or written; None before, and once the end is being recorded."""
    usages: list[Usage] = field(default_factory=list)
    continued: list[str] = field(default_factory=list)
    prefill_worker: str = ""
    decode_worker: str = ""
    integrity: str = ""
    """Who vouches for what was handed over last; empty: nothing was."""
    checkpoint: int = 0
    """Output tokens at the last checkpoint of the record."""

    @property
    def legs(self) -> Legs:
        """Return who is at it, named with incarnations."""
        return Legs(key_of(self.handover.worker) if self.handover else "", key_of(self.room.worker) if self.room else "")

    def committed(self, part: Committed) -> None:
        """Note that a row runs."""
        self.decode_worker = part.worker
        if self.handover is not None and self.handover.ticket:
            self.integrity = "ENGINE" if self.handover.worker.begins_at_decode else "CHECKSUM"
        if self.phase is not Phase.STREAMING:
            self.phase = Phase.COMMITTED

    def provenance(self) -> Provenance:
        """Return how it was made, so far."""
        return Provenance(
            prefill_worker=self.prefill_worker,
            decode_worker=self.decode_worker,
            is_disaggregated=bool(self.integrity),
            reason=self.way.reason,
            failovers=self.attempts.failovers,
            degradations=self.attempts.degradations if self.instead is None else (*self.attempts.degradations, SUBSTITUTED),
            integrity=self.integrity,
            continued=tuple(self.continued),
            standby_for=self.instead.model if self.instead else "",
        )

    def told(self) -> Admitted | Substituted:
        """Return what the caller is told before any work."""
        admitted = self.admitted
        if self.instead is None:
            return admitted
        return Substituted(
            generation_id=admitted.generation_id,
            model=admitted.model,
            release=admitted.release,
            prompt_tokens=admitted.prompt_tokens,
            max_output_tokens=admitted.max_output_tokens,
            reason=self.instead.reason,
        )

    def usage(self) -> Usage:
        """Return what all legs used, so far."""
        return summed(self.usages, self.answers.output_tokens, self.admitted.prompt_tokens)

    def end(self, reason: Finish, error: str) -> EndFacts:
        """Return what the record of its end says; answers that had not ended are over for ``reason``.

        What the caller has had counts: no answer before the first byte, and nothing of what failed before it.
        """
        usage, answers = self.usage(), self.answers
        if self.phase is not Phase.STREAMING:
            answers = self.new_answers()
            usage = replace(usage, output_tokens=0)
            if reason is Finish.ERROR:
                usage = replace(usage, prompt_tokens=0, cached_tokens=0)
        return EndFacts(
            generation_id=self.admitted.generation_id,
            tenant=self.request.tenant,
            finished=answers.closed(reason),
            usage=usage,
            provenance=self.provenance(),
            output_tokens=tuple(answers.tokens.values()),
            called=answers.called,
            offered=() if self.offer is None else self.offer.names,
            error=error,
        )

    @property
    def is_to_be_handed_over(self) -> bool:
        """Whether a prefill worker has to read the prompt now."""
        return self.way.is_handed_over and not self.is_alone and self.handover is None

    def alone(self, reason: str) -> None:
        """Go on without handing over; ``reason``: what is missing, if anything."""
        self.is_alone, self.handover = True, None
        if reason and not self.integrity:
            self.way = replace(self.way, reason=reason)
