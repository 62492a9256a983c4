"""What the router needs from the world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Protocol

from meshkit.telemetry.context import TraceContext

from router.domain.calls import Called
from router.domain.evidence import Checkpoint, Orphan, RecordBytes
from router.domain.fleet import Load, Worker
from router.domain.generation import EndFacts, Finish, Input, StartFacts
from router.domain.legs import DecodeAsk, DecodePart, Handoff, PrefillAsk, Prefilled, Reservation, ReserveAsk
from router.domain.model import ServedModel
from router.domain.spoken import Piece
from router.domain.tools import Offer


class ChoiceText(Protocol):
    """The text of one answer, from its tokens. Synchronous and quick: it runs for every token."""

    def push(self, token_id: int) -> Piece:
        """Take the next token. End ids have no text."""
        ...

    def push_text(self, content: bytes) -> Piece:
        """Take the next piece of an engine that tells no ids."""
        ...

    def said(self, token_ids: Sequence[int]) -> bytes:
        """Return what tokens of an answer say."""
        ...

    def ids(self, content: bytes) -> tuple[int, ...]:
        """Return the tokens of what an answer said, half a character at its end left out: that one begins anew."""
        ...

    def name(self, token_id: int) -> bytes:
        """Return the bytes of any token, those of a control token's name included."""
        ...

    def end(self, reason: Finish) -> tuple[Piece, Finish]:
        """Return what was held back, and why the answer ended as callers are told; it ended without a stop string.

        What is no whole character becomes U+FFFD. TOOL_CALLS: it called tools; LENGTH: also where a call was not whole.
        """
        ...

    @property
    def called(self) -> tuple[Called, ...]:
        """Return the calls of tools so far."""
        ...


class Texts(Protocol):
    """Models as text sees them: template and tokenizer."""

    @property
    def models(self) -> Sequence[ServedModel]:
        """Return the models whose files are here, by name."""
        ...

    async def tokens(self, model: ServedModel, prompt: Input) -> tuple[int, ...]:
        """Render and tokenise once. Content never yields an added token's id.

        Raises InvalidArgument: TEXT_INVALID, PROMPT_EMPTY, TEMPLATE_REFUSED, TOKENS_INVALID (ids outside of the vocabulary), and
        TOOLS_UNSUPPORTED.
        """
        ...

    async def text(self, model: ServedModel, token_ids: Sequence[int]) -> str:
        """Return a prompt as text, for an engine that takes no ids: text that the model's tokenizer reads as exactly these.

        Raises FailedPrecondition (ENGINE_LACKS_TOKEN_IDS) when there is none: somebody's words would be read as a control token, say.
        """
        ...

    def choice(self, model: ServedModel, stop: Sequence[str], offer: Offer | None = None) -> ChoiceText:
        """Return the text of a new answer, which may call the tools of an offer."""
        ...


class GenerationRecords(Protocol):
    """Evidence of generations in the audit log. A generation that has begun must be ended by `ended`, whatever becomes of it."""

    async def started(self, facts: StartFacts) -> str:
        """Return the id of the start's record once all in-sync replicas have it.

        Raises Unavailable (EVIDENCE_DOWN, EVENT_LOG_DOWN, NOT_RECORDED): nothing may begin.
        """
        ...

    def checkpoint(self, generation_id: str, output_tokens: int) -> None:
        """Note how many tokens were sent so far, for whoever closes it when this process dies; called every 32 tokens, does not wait.

        Raises Unavailable (EVIDENCE_LOST): it could not be kept alive and is, or will be, closed by somebody else.
        """
        ...

    async def ended(self, facts: EndFacts) -> str:
        """Return the id of the end's record once all in-sync replicas have it. Goes on when the caller is cancelled.

        Raises Unavailable: EVIDENCE_LOST as above, else the end could not be recorded in time and will be recorded by somebody else.
        """
        ...


class RecordCodec(Protocol):
    """Gives the records of a generation their bytes, once."""

    def started(self, facts: StartFacts) -> RecordBytes:
        """Return the record of a start."""
        ...

    def ended(self, facts: EndFacts, started: bytes) -> RecordBytes:
        """Return the record of an end; whose and what it was stands in the record of its start."""
        ...

    def interrupted(self, last: Checkpoint, started: bytes) -> RecordBytes:
        """Return the record of an end that its owner did not write: the same bytes for the same checkpoint, whoever asks and when."""
        ...


class RecordLog(Protocol):
    """The audit log (`meshkit.audit.emit.AuditEmitter`)."""

    async def write(self, records: Sequence[bytes], traces: Sequence[TraceContext] = ()) -> None:
        """Return when all in-sync replicas have these records. Raises Unavailable."""
        ...


class OpenGenerations(Protocol):
    """Generations between start and settled end, shared by all routers. Methods raise Unavailable (EVIDENCE_DOWN).

    Times ``until_ms`` are of the store's own clock: until when nobody but its owner touches a generation.
    """

    async def check_durability(self) -> None:
        """Refuse a store that may lose what it was told. Raises FailedPrecondition (STORE_NOT_DURABLE)."""
        ...

    async def open(self, last: Checkpoint, started: bytes, until_ms: int = 0) -> int:
        """Enter a generation, or one that was forgotten again; ``until_ms``: what was answered last.

        Returns until_ms, 0 when it is closed.
        """
        ...

    async def renew(self, alive: Sequence[Checkpoint], in_log: Sequence[str]) -> list[int]:
        """Return until_ms of each, 0 of a closed one, -1 of one that was forgotten. ``in_log``: ids whose ends stand in the log."""
        ...

    async def claim(self, generation_id: str, started: bytes, ended: bytes, until_ms: int) -> bytes:
        """Return the one end that stands from now on: these bytes, those that somebody claimed before, or none when that is settled."""
        ...

    async def orphans(self, limit: int) -> list[Orphan]:
        """Return generations whose owners are silent; nothing while another router looks after them."""
        ...

    async def take_over(self, orphan: Orphan, ended: bytes) -> bytes:
        """Claim the end of an orphan; as `claim`, and none when its owner is alive after all."""
        ...

    async def settle(self, generation_ids: Sequence[str]) -> None:
        """Forget generations whose ends stand in the log."""
        ...


class PrefillLeg(Protocol):
    """Prefill workers. Errors are typed as the contract of PrefillService says; what is no answer is Unavailable or DeadlineExceeded."""

    async def prefill(self, worker: str, ask: PrefillAsk, timeout_s: float) -> Prefilled:
        """Have a prompt read and published."""
        ...

    async def abort(self, worker: str, handoff: Handoff) -> None:
        """Have a hand-off ended, best effort: returns soon and raises nothing."""
        ...


class DecodeLeg(Protocol):
    """Decode workers. Errors are typed as the contract of DecodeService says; what is no answer is Unavailable or DeadlineExceeded."""

    async def reserve(self, worker: str, ask: ReserveAsk, timeout_s: float) -> Reservation:
        """Have room held."""
        ...

    async def renew(self, reservation: Reservation) -> None:
        """Prolong a reservation. Raises NotFound (RESERVATION_LOST)."""
        ...

    async def release(self, reservation: Reservation) -> None:
        """Give room back, best effort: returns soon and raises nothing."""
        ...

    def decode(self, worker: str, ask: DecodeAsk) -> AsyncGenerator[DecodePart, None]:
        """Have answers written. Closing the generator aborts the work."""
        ...


class Observer(Protocol):
    """Whoever counts what happens; nothing in it can fail."""

    def first_token(self, seconds: float) -> None:
        """Note how long the first piece of text took from the call on."""
        ...

    def failed(self, phase: str, then: str, reason: str) -> None:
        """Count a worker's failure in a phase and what was done about it."""
        ...

    def substituted(self, model: str, by: str, leg: str, reason: str) -> None:
        """Count a request that another model answers, by the leg that was down and why."""
        ...

    def ended(self, way: str, error: str) -> None:
        """Count a generation by the way its prompt went; ``error`` empty: it ended well."""
        ...


class WorkerNews(Protocol):
    """Whoever keeps what workers tell. ``service``: the address of the instance in front of them."""

    def positions(self, service: str) -> Sequence[tuple[str, str, int]]:
        """Return (worker, incarnation, number of the last event taken): where to go on."""
        ...

    def described(self, service: str, worker: Worker) -> None:
        """Take what a worker is."""
        ...

    def loaded(self, name: str, incarnation: str, load: Load) -> None:
        """Take how busy it is."""
        ...

    def blocks(
        self, name: str, incarnation: str, seq: int, stored: Iterable[tuple[bytes, int]], removed: Iterable[bytes], cleared: bool
    ) -> bool:
        """Take what came into (block, tier) or left its prefix store; returns False when numbers are missing before it."""
        ...

    def gone(self, name: str) -> None:
        """Forget a worker."""
        ...

    def lost(self, service: str) -> None:
        """Note that an instance is not heard of."""
        ...
