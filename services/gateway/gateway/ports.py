"""What the gateway needs from outside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from meshkit.audit.denials import Asked, Refusal
from meshkit.auth.jwt import Principal
from meshkit.auth.policy import Question

from gateway.domain.call import Admitted
from gateway.domain.route import QuotaClass, Route
from gateway.domain.token_bucket import RateLeft
from gateway.domain.token_shares import Exhausted, Held, Stage, TokenCount, Whose
from gateway.domain.token_use import Place, TokenUse


class Tokens(Protocol):
    """Checks bearer tokens."""

    def verify(self, token: str) -> Principal:
        """Return the principal or raise Unauthenticated."""
        ...


class Policy(Protocol):
    """Answers whether something is allowed."""

    @property
    def hash(self) -> bytes:
        """SHA-256 (32 bytes) of the policies in force."""
        ...

    def allows(self, question: Question) -> bool:
        """Return the answer; False when the policies fail."""
        ...


class Quotas(Protocol):
    """Meters calls per tenant and scenario."""

    async def take(self, tenant: str, scenario: str, quota_class: QuotaClass) -> float:
        """Take one call. Returns 0, or the seconds after which one would be granted. Never raises for a store that is down."""
        ...

    def left(self, tenant: str, scenario: str, quota_class: QuotaClass) -> RateLeft:
        """Return what is left, as far as is known here."""
        ...


class TokenBudgets(Protocol):
    """Meters tokens. ``call`` is the id of one call. Never raises for a store that is down."""

    async def hold(self, whose: Whose, call: str, least: TokenCount, most: TokenCount) -> Held | Exhausted:
        """Hold as much of ``most`` as there is, instead of what the call held before; Exhausted, and nothing changes, below ``least``."""
        ...

    def exhausted(self, call: str) -> Exhausted | None:
        """Return a share of a running call that is used up although it holds some of it: more was used than was held. Cheap."""
        ...

    async def settle(self, whose: Whose, call: str, used: TokenCount) -> None:
        """End a call: it holds what it used until its audit record is booked, or its time is over."""
        ...


class TokenBooks(Protocol):
    """What was used, by audit records. Methods raise Unavailable while the store is down."""

    async def places(self) -> Mapping[str, str]:
        """Return where reading goes on, by partition."""
        ...

    async def book(self, before: Place, after: str, uses: Sequence[TokenUse]) -> bool:
        """Book, each generation once, and stand at ``after``; False, and nothing changes, for whoever does not stand at ``before``."""
        ...

    async def are_whole(self, place: Place) -> None:
        """Take note that everything is booked that should be, since who stands at ``place`` read to the end; nothing for who does not."""
        ...

    async def leads(self) -> bool:
        """Become or stay the one gateway that books; False while another is."""
        ...

    async def resigns(self) -> None:
        """Let another gateway book."""
        ...


class GenerationCodec(Protocol):
    """Reads the responses of a generation, serialised."""

    def stage(self, response: bytes) -> Stage | None:
        """Return what a response is; None when it says nothing of tokens. Cheap: it is asked of every response."""
        ...

    def tokens(self, response: bytes) -> TokenCount:
        """Return what a generation used (ended), or put out so far (text; 0 when it does not say)."""
        ...

    def allowed(self, response: bytes) -> tuple[TokenCount, int]:
        """Return what a generation may use at most, of output for each answer, and how many answers; 0: as was said before."""
        ...


class IdempotencyKeys(Protocol):
    """Remembers which body a caller's key came with."""

    async def claim(self, tenant: str, method: str, key: str, digest: bytes) -> bool:
        """Return False when the key came with another digest (32 bytes) before. Never raises for a store that is down."""
        ...


class Denials(Protocol):
    """Told of every call that is refused for want of a right. Never raises, never waits."""

    def verified(self, refusal: Refusal, asked: Asked) -> None:
        """Take note of a call with a verified token."""
        ...

    def unverified(self, refusal: Refusal) -> None:
        """Take note of a call of which nobody knows whose it is."""
        ...


class Upstreams(Protocol):
    """Calls the owners of the forwarded methods."""

    async def call(self, route: Route, admitted: Admitted) -> bytes:
        """Return the serialised response, or raise the owner's typed error; Unavailable with ``retry_after_s`` when it is down."""
        ...

    def stream(self, route: Route, admitted: Admitted) -> AsyncGenerator[bytes, None]:
        """Yield the serialised responses; raises as ``call``. Closing it ends the owner's call."""
        ...
