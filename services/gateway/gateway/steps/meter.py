"""Meter the tokens of one call: hold what it may use at most, correct that by the owner's count, settle what was used.

Nobody here can count the tokens of a prompt, so a call begins with a bound by its bytes, or with what is left when that is less; the
owner's first response says how many there are, before any work, and then they are there or the call ends. The last response says what was
used. A call that ends without one pays for what was streamed; one whose caller left, or whose time was over, while its prompt was read, for
the prompt; one that failed before, nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from meshkit.errors import DeadlineExceeded, MeshError, QuotaExceeded

from gateway import ports
from gateway.domain.call import Admitted
from gateway.domain.token_shares import Exhausted, TokenCount, Whose

_LEAST = TokenCount(1, 1)
_PERIODS = {60: "minute", 86_400: "day"}


class Metered(Protocol):
    """One call under way."""

    async def saw(self, response: bytes) -> None:
        """Take note of a response, before the caller is told. Raises QuotaExceeded when the call may not go on."""
        ...


class _Free:
    """A call that costs no tokens."""

    async def saw(self, response: bytes) -> None:
        """Nothing."""


class _Generation:
    """A call that costs tokens."""

    def __init__(self, budgets: ports.TokenBudgets, codec: ports.GenerationCodec, whose: Whose, call: str) -> None:
        self._budgets, self._codec, self._whose, self._call = budgets, codec, whose, call
        self._allowed = TokenCount()
        self._used: TokenCount | None = None
        self._text = b""  # the newest piece
        self._streamed_bytes = 0

    async def hold(self, least: TokenCount, most: TokenCount) -> None:
        """Hold tokens. Raises QuotaExceeded."""
        granted = await self._budgets.hold(self._whose, self._call, least, most)
        if isinstance(granted, Exhausted):
            raise _refused(granted)

    async def saw(self, response: bytes) -> None:
        """See ``Metered``."""
        stage = self._codec.stage(response)
        if stage == "text":
            self._text = response
            self._streamed_bytes += len(response)
        elif stage == "admitted":
            allowed = self._codec.tokens(response)
            await self.hold(allowed, allowed)
            self._allowed = allowed
        elif stage == "ended":
            self._used = self._codec.tokens(response)

    async def settle(self, failed: bool) -> None:
        """Say what was used."""
        await self._budgets.settle(self._whose, self._call, self._spent(failed))

    def _spent(self, failed: bool) -> TokenCount:
        if self._used is not None:
            return self._used
        if not self._text:
            return TokenCount() if failed else TokenCount(self._allowed.prompt)
        streamed = (
            self._codec.tokens(self._text).output or self._streamed_bytes
        )  # an owner that does not count: no token has less than a byte
        return TokenCount(self._allowed.prompt, min(self._allowed.output, streamed))


class Meter:
    """Meters every call that says what it needs."""

    def __init__(self, budgets: ports.TokenBudgets, codec: ports.GenerationCodec) -> None:
        self._budgets, self._codec = budgets, codec
        self._settling: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def __call__(self, admitted: Admitted) -> AsyncIterator[Metered]:
        """Yield the call. Raises QuotaExceeded when there is nothing left to begin with."""
        if admitted.tokens is None:
            yield _Free()
            return
        whose = Whose(admitted.tenant, admitted.scenario, admitted.principal)
        generation = _Generation(self._budgets, self._codec, whose, admitted.request_id)
        await generation.hold(_LEAST, admitted.tokens)
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


def _refused(exhausted: Exhausted) -> QuotaExceeded:
    share, after_s = exhausted.share, exhausted.free_after_s
    period = _PERIODS.get(share.period_s, f"{share.period_s} s")
    more = "" if after_s is not None else "; this call wants more than the whole"
    return QuotaExceeded(
        f"the {share.kind} tokens of this {share.scope} for one {period} are used up{more}",
        reason="TOKENS_EXHAUSTED",
        retry_after_s=after_s,
        metadata={"scope": share.scope, "kind": share.kind, "period_s": str(share.period_s), "limit_tokens": str(share.tokens)},
    )
