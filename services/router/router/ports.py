"""What the router needs from the world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple, Protocol

from router.domain.generation import EndFacts, Input, StartFacts
from router.domain.legs import DecodeAsk, DecodePart, Handoff, PrefillAsk, Prefilled, Reservation, ReserveAsk
from router.domain.model import ServedModel


class Piece(NamedTuple):
    """Text that is ready after a token: whole characters, "" while some are held back; whether a stop string ended the answer.

    With ``is_stopped`` the text is what stands before the stop string; nothing follows.
    """

    text: str
    is_stopped: bool


class ChoiceText(Protocol):
    """The text of one answer, from its tokens. Synchronous and quick: it runs for every token."""

    def push(self, token_id: int) -> Piece:
        """Take the next token. End ids have no text."""
        ...

    def end(self) -> str:
        """Return what was held back; the answer ended without a stop string. What is no whole character becomes U+FFFD."""
        ...


class Texts(Protocol):
    """Models as text sees them: template and tokenizer."""

    @property
    def models(self) -> Sequence[ServedModel]:
        """Return the models whose files are here, by name."""
        ...

    async def tokens(self, model: ServedModel, prompt: Input) -> tuple[int, ...]:
        """Render and tokenise once. Content never yields an added token's id.

        Raises InvalidArgument: TEXT_INVALID, PROMPT_EMPTY, TEMPLATE_REFUSED, TOKENS_INVALID (ids outside of the vocabulary).
        """
        ...

    def choice(self, model: ServedModel, stop: Sequence[str]) -> ChoiceText:
        """Return the text of a new answer."""
        ...


class GenerationRecords(Protocol):
    """Evidence of generations in the audit log. Raises Unavailable when it can't be written."""

    async def started(self, facts: StartFacts) -> str:
        """Return the id of the start's record once all in-sync replicas have it."""
        ...

    def checkpoint(self, generation_id: str, output_tokens: int) -> None:
        """Note how many tokens were sent so far, for whoever closes it when this process dies; called every 32 tokens, does not wait."""
        ...

    async def ended(self, facts: EndFacts) -> str:
        """Return the id of the end's record once all in-sync replicas have it."""
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
