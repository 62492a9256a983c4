"""Holds of tokens in Redis, shared by all gateways (`scripts/tokens.lua`); in this process alone while Redis is away.

A call's hold ends by itself after ``hold_s`` unless it is renewed, which `run` does for every call that is under way: what a gateway that
was killed held is free again soon. What a call used is held, for ``pending_s`` at the longest, until it is booked from its audit record
(`redis_token_books`). A Redis that forgot is told again by the renewals. While it is away each gateway grants ``local_fraction`` of every
share; what is used then is booked when it is back, since its records are there. All keys of a tenant are of one hash slot.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from meshkit.clock import Clock
from meshkit.events.health import Health
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.adapters.token_keys import READER, account_key, done_key
from gateway.domain.standby import Standby
from gateway.domain.token_ledger import TokenLedger
from gateway.domain.token_shares import SCOPES, Exhausted, Held, Left, Share, TokenCount, Whose
from gateway.domain.token_windows import Calendar

COMPONENT = "token-budgets"
_SCRIPT = (files("gateway") / "adapters" / "scripts" / "tokens.lua").read_text("utf-8")
_KINDS = {"prompt": 1, "output": 2}
_AT_ONCE = 50  # the client has 100 connections, and says that it is down when more are wanted
_DOWN = (RedisError, OSError, TimeoutError)
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """A call under way. ``exhausted``: a share of its that others used up meanwhile."""

    whose: Whose
    shares: tuple[Share, ...]
    tokens: TokenCount
    exhausted: Exhausted | None = None


class RedisTokenBudgets:
    """Meters tokens. Times come from ``clock``; gateways must agree within a second or so."""

    def __init__(
        self,
        redis: Redis,
        limits: Callable[[Whose], tuple[Share, ...]],
        calendar: Calendar,
        clock: Clock,
        health: Health,
        *,
        hold_s: float = 30.0,
        pending_s: float = 120.0,
        local_fraction: float = 1.0,
    ) -> None:
        self._script: Any = redis.register_script(_SCRIPT)
        self._limits, self._calendar, self._clock, self._health = limits, calendar, clock, health
        self._hold_s, self._pending_s, self._local_fraction = hold_s, pending_s, local_fraction
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._standby = Standby()
        self._local = TokenLedger(calendar)
        self._running: dict[str, _Running] = {}
        self._state = ""

    async def hold(self, whose: Whose, call: str, least: TokenCount, most: TokenCount) -> Held | Exhausted:
        """Hold tokens; see ``ports.TokenBudgets``."""
        shares = self._limits(whose)
        if not shares:
            self._running.pop(call, None)
            return Held(most)
        now_s = self._clock.now_s()
        wanted = {"least": [least.prompt, least.output], "most": [most.prompt, most.output]}
        answer = await self._asked("hold", whose, call, shares, now_s, self._hold_s, wanted)
        if answer is None:
            found = self._hold_here(whose, shares, call, least, most, now_s)
        else:
            found = self._read(answer, shares, now_s)
            if isinstance(found, Held):
                self._local.drop(whose, call, now_s)
        if isinstance(found, Held):
            self._running[call] = _Running(whose, shares, found.tokens)
        return found

    def _hold_here(
        self, whose: Whose, shares: tuple[Share, ...], call: str, least: TokenCount, most: TokenCount, now_s: float
    ) -> Held | Exhausted:
        """Hold of this gateway's part of each share; what is told names the whole ones."""
        parts = {replace(share, tokens=max(1, int(share.tokens * self._local_fraction))): share for share in shares}
        found = self._local.hold(whose, tuple(parts), call, least, most, now_s, now_s + self._hold_s)
        if isinstance(found, Exhausted):
            return replace(found, share=parts[found.share])
        return replace(found, left=tuple(replace(each, share=parts[each.share]) for each in found.left))

    def exhausted(self, call: str) -> Exhausted | None:
        """Return what was used up meanwhile; see ``ports.TokenBudgets``."""
        running = self._running.get(call)
        return running.exhausted if running is not None else None

    async def settle(self, whose: Whose, call: str, used: TokenCount) -> None:
        """Hold what was used until it is booked; see ``ports.TokenBudgets``."""
        if self._running.pop(call, None) is None:
            return
        now_s = self._clock.now_s()
        told = {"tokens": [used.prompt, used.output]}
        if await self._asked("over", whose, call, (), now_s, self._pending_s, told) is None:
            self._local.settle(whose, call, used, now_s)
        else:
            self._local.drop(whose, call, now_s)

    async def renew(self) -> None:
        """Let the holds of all running calls end later, and take note of shares that are used up."""
        for call, running in tuple(self._running.items()):
            now_s = self._clock.now_s()
            shares = self._limits(running.whose) or running.shares
            told = {"tokens": [running.tokens.prompt, running.tokens.output]}
            answer = await self._asked("keep", running.whose, call, shares, now_s, self._hold_s, told)
            if self._running.get(call) is not running:
                continue  # it ended, or was corrected, meanwhile; what it holds too much ends by itself
            if answer is None:
                self._local.keep(running.whose, call, running.tokens, now_s, now_s + self._hold_s)
                continue
            self._local.drop(running.whose, call, now_s)
            found = self._read(answer, shares, now_s)
            running.exhausted = found if isinstance(found, Exhausted) else None

    async def run(self) -> None:
        """Renew for ever."""
        while True:
            await asyncio.sleep(self._hold_s / 3)
            await self.renew()

    def _read(self, answer: Sequence[int], shares: Sequence[Share], now_s: float) -> Held | Exhausted:
        if answer[2]:
            return Exhausted(shares[answer[2] - 1], None if answer[3] < 0 else answer[3] / 1000)
        left = zip(shares, answer[5:], strict=False)
        resets = (Left(share, tokens, self._calendar.window(share.period, now_s).end_s - now_s) for share, tokens in left)
        return Held(TokenCount(answer[0], answer[1]), tuple(resets))

    async def _asked(
        self, op: str, whose: Whose, call: str, shares: Sequence[Share], now_s: float, life_s: float, more: dict[str, Any]
    ) -> list[int] | None:
        """Ask Redis; None while it is away."""
        accounts = [(scope, account_key(whose.tenant, name)) for scope in SCOPES if (name := whose.account(scope))]
        number = {scope: place for place, (scope, _) in enumerate(accounts, 1)}
        rows = []
        for share in shares:
            window = self._calendar.window(share.period, now_s)
            place = number[share.scope]
            to_end_ms = max(1, int((window.end_s - now_s) * 1000))
            rows.append([place, _KINDS[share.kind], f"{accounts[place - 1][1]}:{window.name}", share.tokens, to_end_ms])
        now_ms = int(now_s * 1000)
        asked = {"op": op, "call": call, "now": now_ms, "until": now_ms + int(life_s * 1000), "shares": rows} | more
        asked["life"] = int(2000 * max(self._hold_s, self._pending_s))
        keys = [done_key(whose.tenant, call), READER, *(key for _, name in accounts for key in (name, f"{name}:calls"))]
        async with self._asking:
            if self._standby.is_on(self._clock.monotonic_s()):
                return None
            try:
                answer = [int(each) for each in await self._script(keys=keys, args=[json.dumps(asked)])]
            except _DOWN as error:
                self._standby.failed(self._clock.monotonic_s())
                self._tell("LOCAL_SHARES")
                _logger.warning("token shares are local for a moment", extra={"facts": {"error.type": type(error).__name__}})
                return None
        self._tell("" if answer[4] else "BOOKS_INCOMPLETE")
        return answer

    def _tell(self, reason: str) -> None:
        """Say what is missing, when that changed."""
        if reason == self._state:
            return
        self._state = reason
        if reason:
            self._health.degraded(COMPONENT, reason)
        else:
            self._health.recovered(COMPONENT)
