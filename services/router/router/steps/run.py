"""One generation under way: what was decided for it, what it holds where, how far it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from router.domain.attempts import Attempts, Legs, Phase
from router.domain.disaggregation import Way
from router.domain.fleet import Worker
from router.domain.generation import Admitted, Choice, EndFacts, Finish, Provenance, Request, Usage, summed
from router.domain.legs import Committed, Handoff, Job, Reservation
from router.domain.model import ServedModel
from router.domain.policy import Scenario
from router.steps.answers import Answers, Piece
from router.steps.line import Place
from router.steps.pool import Need, key_of

UNDECIDED = Way(False, "")


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
            degradations=self.attempts.degradations,
            integrity=self.integrity,
            continued=tuple(self.continued),
        )

    def usage(self) -> Usage:
        """Return what all legs used, so far."""
        return summed(self.usages, self.answers.output_tokens, self.admitted.prompt_tokens)

    def end(self, reason: Finish, error: str) -> EndFacts:
        """Return what the record of its end says; answers that had not ended are over for ``reason``."""
        return EndFacts(
            generation_id=self.admitted.generation_id,
            tenant=self.request.tenant,
            finished=self.answers.closed(reason),
            usage=self.usage(),
            provenance=self.provenance(),
            output_tokens=tuple(self.answers.tokens.values()),
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
