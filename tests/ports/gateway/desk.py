"""Holds and books of tokens over one Redis, as a gateway and its reader have them; used by the suites of both ports."""

from __future__ import annotations

from collections.abc import Callable
from uuid import NAMESPACE_OID, uuid5

from gateway.adapters.redis_token_books import RedisTokenBooks
from gateway.adapters.redis_token_budgets import RedisTokenBudgets
from gateway.domain.token_shares import Exhausted, Held, Share, TokenCount, Whose
from gateway.domain.token_use import Place, TokenUse
from gateway.domain.token_windows import Calendar
from meshkit.clock import Clock
from redis.asyncio import Redis

NOWHERE = "redis://127.0.0.1:1/0"
PARTITION = "finmesh.audit.v1.AuditBatch:0"
LEAST = TokenCount(1, 1)


class Health:
    """Remembers what is missing."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    def degraded(self, component: str, reason: str) -> None:
        self.missing[component] = reason

    not_ready = degraded

    def recovered(self, component: str) -> None:
        self.missing.pop(component, None)


def use(whose: Whose, call: str, used: TokenCount, at_s: float) -> TokenUse:
    """What the record of a call says."""
    return TokenUse(uuid5(NAMESPACE_OID, f"{whose.tenant}{call}").bytes, call, whose, used, at_s)


class Desk:
    """One gateway. ``settle`` also books, as the reader does once the record is there; without Redis nobody can."""

    def __init__(
        self,
        redis: Redis,
        shares: tuple[Share, ...] | Callable[[Whose], tuple[Share, ...]],
        clock: Clock,
        *,
        calendar: Calendar | None = None,
        hold_s: float = 30.0,
        pending_s: float = 120.0,
        local_fraction: float = 1.0,
    ) -> None:
        self.clock, self.health = clock, Health()
        calendar = calendar or Calendar()
        limits = shares if callable(shares) else lambda whose: shares
        self.budgets = RedisTokenBudgets(
            redis, limits, calendar, clock, self.health, hold_s=hold_s, pending_s=pending_s, local_fraction=local_fraction
        )
        self.books = RedisTokenBooks(redis, calendar, clock)
        self.is_local = redis.connection_pool.connection_kwargs["port"] == 1

    async def hold(self, whose: Whose, call: str, least: TokenCount, most: TokenCount) -> TokenCount | Exhausted:
        """Hold, and leave out what is left for others."""
        found = await self.budgets.hold(whose, call, least, most)
        return found.tokens if isinstance(found, Held) else found

    async def held(self, whose: Whose, call: str, prompt: int, output: int) -> TokenCount | Exhausted:
        """Hold exactly that."""
        return await self.hold(whose, call, TokenCount(prompt, output), TokenCount(prompt, output))

    async def free(self, whose: Whose) -> TokenCount | Exhausted:
        """Hold all there is, and give it back."""
        found = await self.hold(whose, "look", TokenCount(), TokenCount(10**9, 10**9))
        await self.budgets.settle(whose, "look", TokenCount())
        return found

    async def settle(self, whose: Whose, call: str, prompt: int, output: int) -> None:
        """End a call whose record is booked at once."""
        used = TokenCount(prompt, output)
        await self.budgets.settle(whose, call, used)
        if not self.is_local and used != TokenCount():
            await self.book(use(whose, call, used, self.clock.now_s()))

    async def book(self, *uses: TokenUse) -> None:
        """Book records that come now."""
        before = Place(PARTITION, (await self.books.places()).get(PARTITION, ""))
        after = f"topic@{int(before.at.partition('@')[2] or 0) + len(uses)}"
        assert await self.books.book(before, after, uses)
