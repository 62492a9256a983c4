"""Holds and uses of tokens in Redis, shared by all gateways (`scripts/tokens.lua`); in this process alone while Redis is away.

A call's hold ends by itself after ``hold_s`` unless it is renewed, which `run` does for every call that is under way: what a gateway that
was killed held is free again soon, and what its calls used is not counted here. All keys of a tenant are of one hash slot.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from meshkit.clock import Clock
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.domain.standby import Standby
from gateway.domain.token_ledger import TokenLedger
from gateway.domain.token_shares import Exhausted, Share, TokenCount, Whose

_SCRIPT = (files("gateway") / "adapters" / "scripts" / "tokens.lua").read_text("utf-8")
_KINDS = {"prompt": 1, "output": 2}
_AT_ONCE = 50  # the client has 100 connections, and says that it is down when more are wanted
_DOWN = (RedisError, OSError, TimeoutError)
_logger = logging.getLogger(__name__)


class RedisTokenBudgets:
    """Meters tokens. Times come from ``clock``; gateways must agree within a second or so."""

    def __init__(self, redis: Redis, shares: Sequence[Share], clock: Clock, hold_s: float = 30.0) -> None:
        self._script: Any = redis.register_script(_SCRIPT)
        self._shares = tuple(shares)
        self._scopes = tuple(dict.fromkeys(share.scope for share in self._shares))
        self._periods = [sorted({share.period_s for share in self._shares if share.scope == scope}) for scope in self._scopes]
        self._clock = clock
        self._hold_s = hold_s
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._standby = Standby()
        self._local = TokenLedger(self._shares)
        self._running: dict[str, tuple[Whose, bool]] = {}  # and whether Redis has the hold

    async def hold(self, whose: Whose, call: str, least: TokenCount, most: TokenCount) -> TokenCount | Exhausted:
        """Hold tokens; see ``ports.TokenBudgets``."""
        if not self._shares:
            return most
        now_s = self._clock.now_s()
        shares = [[self._scopes.index(each.scope) + 1, _KINDS[each.kind], each.period_s, each.tokens] for each in self._shares]
        wanted = {"least": [least.prompt, least.output], "most": [most.prompt, most.output], "shares": shares}
        in_redis = self._running.get(call, (whose, True))[1]
        answer = await self._asked(whose, call, "hold", now_s, wanted) if in_redis else None
        if answer is None:
            granted = self._local.hold(whose, call, least, most, now_s, now_s + self._hold_s)
        elif answer[2]:
            granted = Exhausted(self._shares[answer[2] - 1], None if answer[3] < 0 else answer[3] / 1000)
        else:
            granted = TokenCount(answer[0], answer[1])
        if isinstance(granted, TokenCount):
            self._running[call] = (whose, answer is not None)
        return granted

    async def settle(self, whose: Whose, call: str, used: TokenCount) -> None:
        """Count what was used; see ``ports.TokenBudgets``."""
        if not self._shares:
            return
        now_s, (_, in_redis) = self._clock.now_s(), self._running.pop(call, (whose, True))
        told = {"used": [used.prompt, used.output], "periods": self._periods}
        if not in_redis or await self._asked(whose, call, "settle", now_s, told) is None:
            self._local.settle(whose, call, used, now_s)

    async def renew(self) -> None:
        """Let the holds of all running calls end later."""
        for call, (whose, in_redis) in tuple(self._running.items()):
            now_s = self._clock.now_s()
            if not in_redis:
                self._local.renew(whose, call, now_s, now_s + self._hold_s)
            elif await self._asked(whose, call, "renew", now_s, {}) is None:
                return  # what ends meanwhile is counted when it is told

    async def run(self) -> None:
        """Renew for ever."""
        while True:
            await asyncio.sleep(self._hold_s / 3)
            await self.renew()

    async def _asked(self, whose: Whose, call: str, op: str, now_s: float, more: dict[str, Any]) -> list[int] | None:
        """Ask Redis; None while it is away."""
        accounts = [f"finmesh:gateway:tokens:{{{whose.tenant}}}:{whose.account(scope)}" for scope in self._scopes]
        now_ms = int(now_s * 1000)
        longest_s = max(share.period_s for share in self._shares)
        asked = {"op": op, "call": call, "now": now_ms, "until": now_ms + int(self._hold_s * 1000), "longest": longest_s} | more
        keys = [key for name in accounts for key in (name, f"{name}:calls")]
        async with self._asking:
            if self._standby.is_on(self._clock.monotonic_s()):
                return None
            try:
                return [int(each) for each in await self._script(keys=keys, args=[json.dumps(asked)])]
            except _DOWN as error:
                self._standby.failed(self._clock.monotonic_s())
                _logger.warning("token shares are local for a moment", extra={"facts": {"error.type": type(error).__name__}})
                return None
