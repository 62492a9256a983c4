"""What is done when something fails, by phase: the table of failures as a pure state machine.

Before the first byte the caller sees nothing of a failure: another prefill worker in a new epoch, another decode worker with the same
ticket while its lease lives, the decode worker alone when no prefill worker is left. After it only another worker of the SAME model may go
on, and only if the scenario says so. Retries are bounded; what the request itself is to blame for is never tried again.

A worker that failed is excluded, in the incarnation that failed; one whose hand-off or reservation came to nothing is only avoided, since
it may be the last one and alive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from meshkit.errors import DataCorrupted, InvalidArgument, MeshError, Overloaded, Unavailable


class Phase(Enum):
    """How far a generation has come."""

    PREFILL = "prefill"
    """A prefill worker reads the prompt."""
    HANDOVER = "handover"
    """A decode worker was told to write, from a ticket or alone, and has not committed."""
    COMMITTED = "committed"
    """It has committed; nothing has been sent."""
    STREAMING = "streaming"
    """The caller has had the first byte."""


class Failure(Enum):
    """What can go wrong, whichever error said so."""

    DOWN = "down"
    """Unreachable, died, internal error, or no answer in its time."""
    BUSY = "busy"
    """No room on arrival, or the reservation is lost."""
    LAYOUT = "layout"
    """Layouts of the two differ."""
    TRANSFER = "transfer"
    """Checksum, short read or gap twice, lease over, fenced, ticket refused, or the publisher died: this hand-off is over."""
    LACKS = "lacks"
    """This engine can't do what is asked for, and said so before any work: another kind of engine may."""
    REQUEST = "request"
    """The request is wrong whoever does it."""
    CALLER = "caller"
    """The caller's deadline is over, or it went away, or reads too slowly."""


class Next(Enum):
    """What is done next."""

    PREFILL_AGAIN = "prefill-again"
    """Another prefill worker, or the same when there is no other; new epoch."""
    SAME_TICKET = "same-ticket"
    """Another decode worker, with the ticket that there is."""
    DECODE_ALONE = "decode-alone"
    """The decode worker reads the prompt; marked as degraded."""
    DECODE_AGAIN = "decode-again"
    """Another decode worker reads the prompt."""
    REPLAY = "replay"
    """Another decode worker of the same model goes on after the tokens so far; the caller is told."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Limits:
    """How often what is tried. ``alone_tokens``: prompts up to this length are read by a decode worker when no prefill worker is left."""

    prefills: int = 3
    decodes: int = 3
    replays: int = 2
    alone_tokens: int = 1024
    replay: bool = True


@dataclass(frozen=True, slots=True)
class Situation:
    """What there is now; one that may come back counts. ``missing_tokens``: of the prompt, not cached at the decode worker;
    ``lease_left_s``: of the ticket.
    """

    has_prefill: bool
    has_decode: bool
    is_decode_busy: bool
    missing_tokens: int
    lease_left_s: float = 0.0
    has_other: bool = True
    """Whether a decode worker lives that is not excluded."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """What was tried so far. ``epoch``: of the newest hand-off. Workers are named with their incarnation, pairs are (prefill, decode)."""

    epoch: int = 0
    prefills: int = 0
    decodes: int = 0
    replays: int = 0
    excluded: frozenset[str] = frozenset()
    avoided: frozenset[str] = frozenset()
    excluded_pairs: frozenset[tuple[str, str]] = frozenset()
    degradations: tuple[str, ...] = ()

    @property
    def failovers(self) -> int:
        """Return how often somebody's failure was survived."""
        return max(self.prefills - 1, 0) + max(self.decodes - 1, 0)

    def began_prefill(self) -> Attempts:
        """Return it with one more prefill, in a new epoch."""
        return replace(self, epoch=self.epoch + 1, prefills=self.prefills + 1)

    def began_decode(self) -> Attempts:
        """Return it with one more decode."""
        return replace(self, decodes=self.decodes + 1)

    def without(self, worker: str) -> Attempts:
        """Return it with a worker excluded."""
        return replace(self, excluded=self.excluded | {worker})

    def away_from(self, worker: str) -> Attempts:
        """Return it with a worker avoided."""
        return replace(self, avoided=self.avoided | {worker})

    def without_pair(self, prefill: str, decode: str) -> Attempts:
        """Return it with a pair excluded."""
        return replace(self, excluded_pairs=self.excluded_pairs | {(prefill, decode)})

    def degraded(self, what: str) -> Attempts:
        """Return it with the name of what is missing."""
        return self if what in self.degradations else replace(self, degradations=(*self.degradations, what))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, with what was tried by then. ``abort_prefill`` and ``abort_decode``: halves to end, best effort.

    ``alert``: what an operator has to look at. ``error`` is what the caller gets when ``next`` is FAIL.
    """

    next: Next
    attempts: Attempts
    abort_prefill: bool = False
    abort_decode: bool = False
    alert: str = ""
    error: MeshError | None = None


_REASONS: Mapping[str, Failure] = {
    "LAYOUT_MISMATCH": Failure.LAYOUT,
    "TICKET_REFUSED": Failure.TRANSFER,
    "FENCED": Failure.TRANSFER,
    "STALE_EPOCH": Failure.TRANSFER,
    "LEASE_EXPIRED": Failure.TRANSFER,
    "PULL_FAILED": Failure.TRANSFER,
    "RESERVATION_LOST": Failure.BUSY,
    "READER_TOO_SLOW": Failure.CALLER,
    "DEADLINE_TOO_NEAR": Failure.CALLER,
}
_CLASSES: tuple[tuple[type[MeshError], Failure], ...] = (
    (Overloaded, Failure.BUSY),
    (DataCorrupted, Failure.TRANSFER),
    (InvalidArgument, Failure.REQUEST),
)


ENGINE_WRONG = "ENGINE_WRONG"
"""Reason of an engine that was found to answer wrong: nothing that it said may be gone on from."""
ENGINE_LACKS = "ENGINE_LACKS_"
"""How a reason begins that names what an engine can't do."""


def failure_of(error: MeshError) -> Failure:
    """Return what an error of a leg means. What is no answer to the request is a worker that is down, whatever it says."""
    if error.reason in _REASONS:
        return _REASONS[error.reason]
    if error.reason.startswith(ENGINE_LACKS):
        return Failure.LACKS
    return next((failure for kind, failure in _CLASSES if isinstance(error, kind)), Failure.DOWN)


@dataclass(frozen=True, slots=True)
class Legs:
    """Who was at it when it failed, named with their incarnation; ``prefill`` empty when nothing is handed over."""

    prefill: str
    decode: str


def may_go_alone(now: Situation, limits: Limits) -> bool:
    """Whether the decode worker may read the prompt because no prefill worker is there: when that is little to ask."""
    return now.missing_tokens <= limits.alone_tokens and not now.is_decode_busy


Look = Callable[[Attempts], Situation]
"""Says what there is for whoever has tried this much."""


def after(phase: Phase, failure: Failure, error: MeshError, legs: Legs, attempts: Attempts, look: Look, limits: Limits) -> Verdict:
    """Return what is done after a failure. ``error``: as the leg raised it; it, or a clearer one, is what the caller gets in the end."""
    if failure in (Failure.REQUEST, Failure.CALLER):
        return _failed(attempts, error)
    if phase is Phase.STREAMING:
        return _after_first_byte(error, attempts.without(legs.decode), look, limits)
    if failure is Failure.LAYOUT and legs.prefill:
        return _other_prefill(attempts.without_pair(legs.prefill, legs.decode), error, look, limits, alert="LAYOUT_MISMATCH")
    if failure is Failure.LACKS and phase is Phase.HANDOVER:
        return _more_able(error, attempts.without(legs.decode), legs, look)
    if phase is Phase.PREFILL:
        if failure is Failure.TRANSFER:
            return _other_prefill(attempts.away_from(legs.prefill), error, look, limits)
        missing = "PREFILL_BUSY" if failure is Failure.BUSY else "PREFILL_DOWN"
        return _other_prefill(attempts.without(legs.prefill), error, look, limits, missing)
    if failure is Failure.TRANSFER and legs.prefill:
        return _other_prefill(attempts.away_from(legs.prefill), error, look, limits)  # the decode worker has discarded what it pulled
    tried = attempts.away_from(legs.decode) if failure is Failure.BUSY else attempts.without(legs.decode)
    return _other_decode(phase, error, legs, tried, look, limits)


def _other_prefill(
    attempts: Attempts, error: MeshError, look: Look, limits: Limits, missing: str = "PREFILL_DOWN", alert: str = ""
) -> Verdict:
    """Another prefill worker in a new epoch; else the decode worker alone, if that is little to ask; else an error."""
    now = look(attempts)
    if now.has_prefill and attempts.prefills < limits.prefills:
        return Verdict(Next.PREFILL_AGAIN, attempts, abort_prefill=True, alert=alert)
    if may_go_alone(now, limits):
        return Verdict(Next.DECODE_ALONE, attempts.degraded(missing), abort_prefill=True, alert=alert)
    is_telling = error.reason == "LAYOUT_MISMATCH" or error.reason.startswith(ENGINE_LACKS) or isinstance(error, Overloaded)
    told = error if is_telling else no_worker("no prefill worker could be used")
    return _failed(attempts, told, alert)


def _other_decode(phase: Phase, error: MeshError, legs: Legs, attempts: Attempts, look: Look, limits: Limits) -> Verdict:
    """Another decode worker: with the ticket while it is good for somebody, else from the prompt."""
    now = look(attempts)
    if not now.has_decode or attempts.decodes >= limits.decodes:
        return _failed(attempts, error if isinstance(error, Overloaded) else no_worker("no decode worker could be used"))
    if not legs.prefill:
        return Verdict(Next.DECODE_AGAIN, attempts, abort_decode=True)
    if phase is Phase.HANDOVER and now.lease_left_s > 0:
        return Verdict(Next.SAME_TICKET, attempts, abort_decode=True)
    # It had committed, so that the publisher has freed what it held, or the lease is over.
    if now.has_prefill and attempts.prefills < limits.prefills:
        return Verdict(Next.PREFILL_AGAIN, attempts, abort_prefill=True, abort_decode=True)
    return Verdict(Next.DECODE_AGAIN, attempts.degraded("PREFILL_DOWN"), abort_prefill=True, abort_decode=True)


def _more_able(error: MeshError, attempts: Attempts, legs: Legs, look: Look) -> Verdict:
    """Another decode worker, which is no failover: nothing failed. When there is none, the caller is told what is lacking."""
    if not look(attempts).has_other:
        return _failed(attempts, error)
    then = Next.SAME_TICKET if legs.prefill else Next.DECODE_AGAIN
    return Verdict(then, replace(attempts, decodes=attempts.decodes - 1), abort_decode=True)


def _after_first_byte(error: MeshError, attempts: Attempts, look: Look, limits: Limits) -> Verdict:
    if limits.replay and error.reason != ENGINE_WRONG and attempts.replays < limits.replays and look(attempts).has_decode:
        return Verdict(Next.REPLAY, replace(attempts, replays=attempts.replays + 1), abort_decode=True)
    return _failed(attempts, stream_broken(error.reason))


def _failed(attempts: Attempts, error: MeshError, alert: str = "") -> Verdict:
    return Verdict(Next.FAIL, attempts, abort_prefill=True, abort_decode=True, alert=alert, error=error)


def no_worker(why: str) -> Unavailable:
    """Return the error of a request that nobody can take now."""
    return Unavailable(why, reason="NO_WORKER", retry_after_s=1.0)


def stream_broken(because: str) -> Unavailable:
    """Return the error of an answer that broke off after its first byte; ``because``: the reason of what broke it."""
    return Unavailable("the answer broke off", reason="STREAM_BROKEN", metadata={"because": because})
