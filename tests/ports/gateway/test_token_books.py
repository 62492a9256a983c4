"""Books of tokens in Redis: whatever is held, settled, booked, repeated, forgotten or dies, in whatever order, nothing drifts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from gateway.adapters.redis_token_books import RedisTokenBooks, Spent
from gateway.domain.token_shares import Share, TokenCount, Whose
from gateway.domain.token_use import Place, TokenUse
from gateway.domain.token_windows import Calendar
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from meshkit.clock import FakeClock
from meshkit.errors import Unavailable
from redis.asyncio import Redis

from tests.ports.gateway.desk import LEAST, NOWHERE, PARTITION, Desk, use
from tests.stack import PrivateRedis

SHARES = (
    Share("tenant", "prompt", "minute", 2_000),
    Share("tenant", "output", "day", 5_000),
    Share("scenario", "output", "minute", 900),
    Share("principal", "prompt", "day", 3_000),
)
WHOSE = [Whose("bank-a", scenario, bytes([number]) * 16) for scenario in ("assistant", "研究") for number in (1, 2)]
COUNTS = st.builds(TokenCount, st.integers(0, 300), st.integers(0, 300))
CALLS = st.integers(0, 7)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["hold", "settle", "end"]), CALLS, COUNTS),
        st.tuples(st.sampled_from(["read", "read twice", "renew", "crash", "remember", "forget", "forget a little"]), CALLS, COUNTS),
        st.tuples(st.just("pass"), CALLS, st.builds(TokenCount, st.integers(1, 45))),
    ),
    max_size=40,
)


class Mesh:
    """Two gateways, the log of ends, and a reader of it, on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self.redis, self.clock = redis, FakeClock(1_750_000_020.0)
        self.gateways = [self._gateway(), self._gateway()]
        self.log: list[TokenUse] = []
        self.at = ""  # where the reader believes to stand
        self.remembered: dict[bytes, Any] = {}
        self.numbers: Counter[int] = Counter()  # how often a call was made under one number

    def _gateway(self) -> Desk:
        return Desk(self.redis, SHARES, self.clock)

    def call(self, number: int) -> tuple[Desk, Whose, str]:
        """A call stays at its gateway; with another one its number begins anew."""
        return self.gateways[number % 2], WHOSE[number % 4], f"{number}-{self.numbers[number]}"

    async def step(self, op: str, number: int, count: TokenCount) -> None:
        gateway, whose, call = self.call(number)
        if op == "hold":
            await gateway.hold(whose, call, LEAST, TokenCount(count.prompt + 1, count.output + 1))
        elif op == "settle":
            await gateway.budgets.settle(whose, call, count)
        elif op == "end":
            self.log.append(use(whose, call, count, self.clock.now_s()))
            self.numbers[number] += 1
        elif op in ("read", "read twice"):
            await self.read(1 + number)
            if op == "read twice":
                await self.read(1 + number, begin=0)
        elif op == "renew":
            await gateway.budgets.renew()
        elif op == "crash":
            self.gateways[number % 2] = self._gateway()
        elif op == "remember":
            self.remembered = {name: await self.redis.dump(name) async for name in self.redis.scan_iter()}
        elif op.startswith("forget"):
            await self.redis.flushall()
            for name, content in self.remembered.items() if op == "forget a little" else ():
                await self.redis.restore(name, 10_000_000, content)
        else:
            self.clock.advance(count.prompt)

    async def read(self, records: int, begin: int | None = None) -> None:
        """Book some records from where the reader stands, or again from elsewhere; a refused reader asks where the books stand."""
        books = self.gateways[0].books
        stands = begin if begin is not None else int(self.at.rpartition("@")[2] or 0)
        batch = self.log[stands : stands + records]
        if begin is not None:  # the log holds an end twice, or somebody reads again
            await books.book(Place(PARTITION, self.at), self.at or "topic@0", batch)
        elif await books.book(Place(PARTITION, self.at), f"topic@{stands + len(batch)}", batch):
            self.at = f"topic@{stands + len(batch)}"
            return
        self.at = await self.place()

    async def place(self) -> str:
        return (await self.gateways[0].books.places()).get(PARTITION, "")

    async def check_held(self) -> None:
        """What is held in all is the sum over the calls, and never less than nothing."""
        async for name in self.redis.scan_iter("finmesh:gateway:tokens:{*"):
            if await self.redis.type(name) != b"hash":
                continue
            fields = await self.redis.hgetall(name)
            if b"held:1" in fields:
                calls = [tuple(map(int, value.split(b","))) for field, value in fields.items() if field.startswith(b"call:")]
                assert int(fields[b"held:1"]) == sum(prompt for prompt, _ in calls)
                assert int(fields[b"held:2"]) == sum(output for _, output in calls)

    async def check_books(self) -> None:
        """What is booked is the sum over the records, each once, in its windows."""
        distinct = list({each.generation: each for each in reversed(self.log)}.values())
        calendar = Calendar()
        for scope, whose in (("tenant", WHOSE[0]), *(("scenario", each) for each in WHOSE), *(("principal", each) for each in WHOSE)):
            for period in ("minute", "day"):
                window = calendar.window(period, self.clock.now_s())  # type: ignore[arg-type]
                mine = [
                    each.used
                    for each in distinct
                    if each.whose.account(scope) == whose.account(scope) and calendar.window(period, each.at_s) == window  # type: ignore[arg-type]
                ]
                sums = TokenCount(sum(used.prompt for used in mine), sum(used.output for used in mine))
                found = await self.gateways[0].books.spent(whose, scope, period, self.clock.now_s())  # type: ignore[arg-type]
                assert found == Spent(sums, len(mine)), (scope, period)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_nothing_drifts(private_redis: PrivateRedis, steps: list[tuple[str, int, TokenCount]]) -> None:
    async with Redis.from_url(private_redis.url) as redis:
        await redis.flushall()
        mesh = Mesh(redis)
        for op, number, count in steps:
            await mesh.step(op, number, count)
            await mesh.check_held()
        for _ in range(2):  # the first read may find that the books stand elsewhere
            await mesh.read(len(mesh.log) + 1)
        await mesh.check_books()
        mesh.clock.advance(300)
        for whose in WHOSE:
            await Desk(redis, SHARES, mesh.clock).free(whose)
        await mesh.check_held()
        async for name in redis.scan_iter("finmesh:gateway:tokens:{*:calls"):
            assert await redis.zcard(name) == 0, "nobody holds anything for ever"


async def test_one_gateway_leads_until_it_is_silent_or_resigns(private_redis: PrivateRedis) -> None:
    async with Redis.from_url(private_redis.url) as redis:
        first, second = (RedisTokenBooks(redis, Calendar(), FakeClock()) for _ in range(2))
        assert await first.leads()
        assert not await second.leads()
        assert await first.leads(), "it stays"
        assert 0 < await redis.pttl("finmesh:gateway:tokens:leader") <= 6_000
        await redis.delete("finmesh:gateway:tokens:leader")  # as when it was silent
        assert await second.leads()
        await first.resigns()
        assert await second.leads() and not await first.leads(), "only the one that leads can resign"


async def test_books_are_whole_only_for_who_stands_where_they_do(private_redis: PrivateRedis) -> None:
    async with Redis.from_url(private_redis.url) as redis:
        desk = Desk(redis, SHARES, FakeClock())
        await desk.book(use(WHOSE[0], "1", TokenCount(1, 1), desk.clock.now_s()))
        await desk.books.are_whole(Place(PARTITION, "topic@7"))
        await desk.held(WHOSE[0], "2", 1, 1)
        assert desk.health.missing == {"token-budgets": "BOOKS_INCOMPLETE"}
        await desk.books.are_whole(Place(PARTITION, "topic@1"))
        await desk.held(WHOSE[0], "2", 1, 1)
        assert not desk.health.missing
        assert await desk.books.places() == {PARTITION: "topic@1"}


async def test_a_generation_that_used_nothing_ends_no_hold(private_redis: PrivateRedis) -> None:
    """Another model stood in: the first generation of the call has an end of its own, and the second goes on."""
    async with Redis.from_url(private_redis.url) as redis:
        desk = Desk(redis, SHARES, FakeClock(1_750_000_020.0))
        await desk.held(WHOSE[0], "1", 10, 500)
        failed = use(WHOSE[0], "1", TokenCount(), desk.clock.now_s())
        await desk.book(TokenUse(b"first".ljust(16), failed.call, failed.whose, failed.used, failed.at_s))
        await desk.budgets.renew()
        desk.clock.advance(29)  # type: ignore[attr-defined]
        await desk.budgets.renew()
        desk.clock.advance(29)  # type: ignore[attr-defined]
        assert (await desk.free(WHOSE[0])) == TokenCount(1_990, 400)


async def test_books_that_cannot_be_reached_say_so() -> None:
    async with Redis.from_url(NOWHERE) as redis:
        books = RedisTokenBooks(redis, Calendar(), FakeClock())
        for work in (books.places(), books.leads(), books.book(Place(PARTITION, ""), "topic@1", ())):
            with pytest.raises(Unavailable) as caught:
                await work
            assert caught.value.reason == "BOOKS_DOWN"
