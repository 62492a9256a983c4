"""Meter the tokens of one call: hold what it may use at most, correct that by the owner's count, end it where its shares do.

Nobody here can count the tokens of a prompt, so a call begins with a bound by its bytes, or with what is left when that is less. The
owner's first response says how many there are, before any work: the prompt's are there then, or the call ends; of the answer's, as many as
are there. An answer that reaches what was held asks for more, and is ended when there is none: what was sent stays sent. Another model that
stands in is counted anew by its own tokens. What was used is booked from the audit record and nowhere else; until then the call holds what
it seems to have used: what the last response said, else what was streamed; the prompt of a caller who left, or whose time was over,
before anything came; nothing of a call that failed before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Protocol

from meshkit.clock import Clock
from meshkit.errors import DeadlineExceeded, MeshError, QuotaExceeded

from gateway import ports
from gateway.domain.call import Admitted
from gateway.domain.token_shares import Exhausted, Left, TokenCount, Whose
from gateway.domain.token_windows import MINUTE_S

_LEAST = TokenCount(1, 1)
_PERIODS_S = {"minute": MINUTE_S, "day": 86_400}
_NAMES = {"minute": "one minute", "day": "one day"}


class Metered(Protocol):
    """One call under way."""

    async def saw(self, response: bytes) -> None:
        """Take note of a response, before the caller is told. Raises QuotaExceeded when the call may not go on."""
        ...

    @property
    def left(self) -> tuple[Left, ...]:
        """What is left of the shares of this call for others, as it was last held."""
        ...


class _Free:
    """A call that costs no tokens."""

    left: tuple[Left, ...] = ()

    async def saw(self, response: bytes) -> None:
        """Nothing."""


_FREE: AbstractAsyncContextManager[Metered] = nullcontext(_Free())


class _Generation:
    """A call that costs tokens. ``_allowed``: by the owner; ``_held``: of that, what it holds."""

    def __init__(self, budgets: ports.TokenBudgets, codec: ports.GenerationCodec, whose: Whose, call: str, clock: Clock) -> None:
        self._budgets, self._codec, self._whose, self._call, self._clock = budgets, codec, whose, call, clock
        self._allowed = self._held = TokenCount()
        self._choices = 1
        self._used: TokenCount | None = None
        self._text = b""  # the newest piece
        self._streamed_bytes = 0
        self.left: tuple[Left, ...] = ()

    async def hold(self, least: TokenCount, most: TokenCount) -> None:
        """Hold tokens. Raises QuotaExceeded."""
        found = await self._budgets.hold(self._whose, self._call, least, most)
        if isinstance(found, Exhausted):
            raise self._refused(found)
        self._held, self.left = found.tokens, found.left

    async def saw(self, response: bytes) -> None:
        """See ``Metered``."""
        stage = self._codec.stage(response)
        if stage == "text":
            await self._go_on(response)
        elif stage in ("admitted", "substituted"):
            each, choices = self._codec.allowed(response)
            self._choices = choices or self._choices
            allowed = TokenCount(each.prompt, each.output * self._choices)
            await self.hold(TokenCount(allowed.prompt, min(allowed.output, self._choices)), allowed)
            self._allowed = allowed
        elif stage == "ended":
            self._used = self._codec.tokens(response)

    async def _go_on(self, text: bytes) -> None:
        """Let a piece of text pass when the call holds its tokens."""
        if (found := self._budgets.exhausted(self._call)) is not None:
            raise self._refused(found)
        if self._held.output < self._allowed.output:  # else no answer can put out more than is held
            so_far = self._codec.tokens(text).output or self._streamed_bytes + len(text)
            if so_far > self._held.output:
                await self.hold(TokenCount(self._allowed.prompt, min(so_far, self._allowed.output)), self._allowed)
        self._text = text
        self._streamed_bytes += len(text)

    async def settle(self, failed: bool) -> None:
        """Say what was used."""
        await self._budgets.settle(self._whose, self._call, self._spent(failed))

    def _spent(self, failed: bool) -> TokenCount:
        if self._used is not None:
            return self._used
        if not self._text:
            return TokenCount() if failed else TokenCount(self._allowed.prompt)
        # an owner that does not count: no token has less than a byte
        streamed = self._codec.tokens(self._text).output or self._streamed_bytes
        return TokenCount(self._allowed.prompt, min(self._allowed.output, streamed))

    def _refused(self, exhausted: Exhausted) -> QuotaExceeded:
        share, after_s = exhausted.share, exhausted.free_after_s
        more, frees_at = "; this call wants more than the whole", ""
        if after_s is not None:
            frees_at = _moment(self._clock.now_s() + after_s)
            more = f"; free again at {frees_at}"
        return QuotaExceeded(
            f"the {share.kind} tokens of this {share.scope} for {_NAMES[share.period]} are used up{more}",
            reason="TOKENS_EXHAUSTED",
            retry_after_s=after_s,
            metadata={
                "limit": share.name,
                "scope": share.scope,
                "kind": share.kind,
                "period": share.period,
                "period_s": str(_PERIODS_S[share.period]),
                "limit_tokens": str(share.tokens),
                "frees_at": frees_at,
            },
        )


class Meter:
    """Meters every call that says what it needs. ``budget_key`` names a principal of a tenant as stores and records do."""

    def __init__(self, budgets: ports.TokenBudgets, codec: ports.GenerationCodec, clock: Clock) -> None:
        self._budgets, self._codec, self._clock = budgets, codec, clock
        self._settling: set[asyncio.Task[None]] = set()

    def __call__(self, admitted: Admitted) -> AbstractAsyncContextManager[Metered]:
        """Return what is entered for one call. Raises QuotaExceeded then, when there is nothing left to begin with."""
        return _FREE if admitted.tokens is None else self._metered(admitted, admitted.tokens)

    @asynccontextmanager
    async def _metered(self, admitted: Admitted, most: TokenCount) -> AsyncIterator[Metered]:
        whose = Whose(admitted.tenant, admitted.scenario, admitted.budget_key, admitted.principal)
        generation = _Generation(self._budgets, self._codec, whose, admitted.request_id, self._clock)
        await generation.hold(_LEAST, most)
        failed = False
        try:
            yield generation
        except MeshError as error:
            failed = not isinstance(error, DeadlineExceeded)  # whose work may have been done
            raise
        finally:
            await self._settled(generation, failed)

    async def _settled(self, generation: _Generation, failed: bool) -> None:
        """Settle, whoever gives up waiting for it meanwhile."""
        task = asyncio.get_running_loop().create_task(generation.settle(failed), name="settle tokens")
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.shield(task)


def _moment(at_s: float) -> str:
    """Return RFC 3339 in UTC; not before it is free."""
    return (datetime.fromtimestamp(at_s, UTC) + timedelta(milliseconds=999)).isoformat(timespec="seconds").replace("+00:00", "Z")
