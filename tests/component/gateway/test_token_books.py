"""What generations used is booked from their audit records, whatever forgets, repeats or dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from finmesh.audit.v1 import audit_record_pb2 as audit
from gateway.adapters.redis_token_books import RedisTokenBooks, Spent
from gateway.config import BudgetSettings, TokenShares
from gateway.domain.token_shares import TokenCount, Whose
from gateway.domain.token_windows import Calendar
from meshkit.clock import SystemClock
from meshkit.errors import QuotaExceeded, Unavailable
from redis.asyncio import Redis

from tests.component.gateway.audit_topic import AuditTopic
from tests.component.gateway.conftest import Door, OpenDoor
from tests.component.gateway.scripted_router import admitted, delta, ended
from tests.component.gateway.test_generate import USER, answer, ask
from tests.stack import PrivateRedis

BANK_A = Whose("bank-a", "assistant", b"")


def record(door: Door | None = None, prompt: int = 30, output: int = 7, **fields: Any) -> audit.AuditRecord:
    """What a router writes at the end of the newest call, or of one that nobody knows here."""
    facts = door.router.facts[-1] if door else None
    known: dict[str, Any] = {"tenant": "bank-a", "scenario": "assistant", "request_id": facts.request_id if facts else ""}
    found = audit.AuditRecord(**known | fields)
    found.decided_time.GetCurrentTime()
    found.generation.generation_id = str(uuid4())
    found.generation.budget_key = facts.budget_key if facts else b""
    found.generation.ended.usage.prompt_tokens, found.generation.ended.usage.output_tokens = prompt, output
    found.generation.ended.usage.shadow_tokens = 1_000
    return found


@asynccontextmanager
async def opened_books(private_redis: PrivateRedis) -> AsyncIterator[RedisTokenBooks]:
    """The books, as another gateway sees them."""
    async with Redis.from_url(private_redis.url, socket_timeout=0.5) as redis:
        yield RedisTokenBooks(redis, Calendar(), SystemClock())


async def until(books: RedisTokenBooks, expected: Spent, whose: Whose = BANK_A, scope: Any = "tenant") -> None:
    """Return when so much is booked, of the day."""
    async with asyncio.timeout(15):
        while await spent(books, whose, scope) != expected:
            await asyncio.sleep(0.02)


async def spent(books: RedisTokenBooks, whose: Whose, scope: Any) -> Spent | None:
    """Return what is booked; None while Redis is away."""
    try:
        return await books.spent(whose, scope, "day", SystemClock().now_s())
    except Unavailable:
        return None


async def test_a_record_is_booked_for_all_whose_it_is(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    topic = AuditTopic()
    async with open_door(private_redis.url, topic=topic) as door, opened_books(private_redis) as books:
        door.router.script = (admitted(prompt=30, output=90), delta("你好", output=2), ended(prompt=30, output=7))
        assert (await answer(door, ask()))[1] is None
        await topic.put(record(door))
        whose = Whose("bank-a", "assistant", door.router.facts[-1].budget_key)
        for scope in ("tenant", "scenario", "principal"):
            await until(books, Spent(TokenCount(30, 7), 1), whose, scope)
        async with Redis.from_url(private_redis.url) as redis:
            held = await redis.hget("finmesh:gateway:tokens:{bank-a}:tenant", "held:2")
            assert held == b"0", "what was held until then does not count twice"


async def test_only_ends_of_routers_count_and_each_once(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    topic = AuditTopic()
    async with open_door(private_redis.url, topic=topic), opened_books(private_redis) as books:
        one, begun, other, nameless = record(), record(), record(output=500), record()
        begun.generation.ClearField("ended")
        begun.generation.started.prompt_tokens = 99
        other.generation.generation_id = one.generation.generation_id
        nameless.generation.generation_id = "?"
        await topic.put(begun, one)
        await topic.put(one, other, producer="router/2")
        await topic.put(record(), producer="risk-scoring/stream/1")
        await topic.put_bytes(b"\xff\xff no batch")
        await topic.put_bytes(audit.AuditBatch(producer="gateway/1", records=[record().SerializeToString()]).SerializeToString())
        await topic.put(nameless)
        await topic.put(record(tenant="Bank A"))
        await topic.put(record(tenant="bank-b", scenario="研究"))
        await until(books, Spent(TokenCount(30, 7), 1), Whose("bank-b", "研究", b""), "scenario")
        assert await spent(books, BANK_A, "tenant") == Spent(TokenCount(30, 7), 1)


async def test_yesterday_is_yesterdays_and_last_week_nobodys(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    topic = AuditTopic()
    async with open_door(private_redis.url, topic=topic), opened_books(private_redis) as books:
        yesterday, last_week = record(), record()
        yesterday.decided_time.FromSeconds(yesterday.decided_time.seconds - 86_400)
        last_week.decided_time.FromSeconds(last_week.decided_time.seconds - 7 * 86_400)
        await topic.put(yesterday, last_week, record())
        await until(books, Spent(TokenCount(30, 7), 1))
        now_s = SystemClock().now_s()
        assert await books.spent(BANK_A, "tenant", "day", now_s - 86_400) == Spent(TokenCount(30, 7), 1)
        assert await books.spent(BANK_A, "tenant", "day", now_s - 7 * 86_400) == Spent(TokenCount(), 0)


async def test_a_redis_that_forgot_is_filled_again_while_nothing_is_written(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    topic = AuditTopic()
    async with open_door(private_redis.url, topic=topic) as door, opened_books(private_redis) as books:
        for _ in range(5):
            await topic.put(record())
        await until(books, Spent(TokenCount(150, 35), 5))
        await asyncio.to_thread(private_redis.kill)
        await asyncio.to_thread(private_redis.wipe)
        await asyncio.to_thread(private_redis.start)
        await until(books, Spent(TokenCount(150, 35), 5))
        await state(door, lambda missing: missing is None)


async def state(door: Door, expected: Callable[[Any], bool]) -> None:
    """Return when a call finds the budgets in a certain state of health."""
    door.router.script = (admitted(), ended())
    async with asyncio.timeout(15):
        while True:
            await answer(door, ask())
            if expected(door.service._missing.get("token-budgets")):
                return


async def test_books_that_are_not_whole_are_told(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    topic = AuditTopic()
    topic.is_behind = True
    async with open_door(private_redis.url, topic=topic) as door:
        await state(door, lambda missing: missing is not None and missing[0] == "BOOKS_INCOMPLETE")


async def test_a_redis_that_lost_a_second_is_told_it_again(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    """The reader stands behind what Redis has, as after a failover to a replica that lagged."""
    topic = AuditTopic()
    async with open_door(private_redis.url, topic=topic), opened_books(private_redis) as books, Redis.from_url(private_redis.url) as redis:
        await topic.put(record())
        await until(books, Spent(TokenCount(30, 7), 1))
        before = {name: await redis.dump(name) async for name in redis.scan_iter("*tokens*") if not name.endswith(b":leader")}
        await topic.put(record())
        await until(books, Spent(TokenCount(60, 14), 2))
        async with redis.pipeline(transaction=True) as lost:
            for name, content in before.items():
                lost.restore(name, 60_000, content, replace=True)
            await lost.execute()
        await topic.put(record())
        await until(books, Spent(TokenCount(90, 21), 3))
        assert topic.restarts


async def test_two_gateways_book_once_and_the_second_goes_on(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    topic = AuditTopic()
    async with opened_books(private_redis) as books, open_door(private_redis.url, topic=topic):
        async with open_door(private_redis.url, topic=topic):
            for _ in range(20):
                await topic.put(record())
            await until(books, Spent(TokenCount(600, 140), 20))
        await topic.put(record())
        await until(books, Spent(TokenCount(630, 147), 21))


async def test_the_same_request_sent_twice_is_two_generations(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    topic = AuditTopic()
    async with open_door(private_redis.url, topic=topic) as door, opened_books(private_redis) as books:
        door.router.script = (admitted(), ended())
        for _ in range(2):
            assert (await answer(door, ask()))[1] is None
            await topic.put(record(door))
        assert len({UUID(facts.request_id) for facts in door.router.facts}) == 2
        await until(books, Spent(TokenCount(60, 14), 2))


async def test_principals_have_keys_that_hold_no_names(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    async with open_door(private_redis.url) as door:
        door.router.script = (admitted(), ended())
        for subject, tenant in (("zhang-san", "bank-a"), ("zhang-san", "bank-a"), ("li-si", "bank-a"), ("zhang-san", "bank-b")):
            request = ask()
            request.request.tenant = tenant
            assert (await answer(door, request, door.token(roles=USER, sub=subject, tenant=tenant)))[1] is None
        first, second, other, elsewhere = (facts.budget_key for facts in door.router.facts)
        assert first == second and len(first) == 16
        assert len({first, other, elsewhere}) == 3


async def test_a_stream_is_stopped_when_its_share_was_used_up_elsewhere(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    """By gateways that granted by themselves while Redis was away, for instance: their records come late."""
    topic = AuditTopic()
    budget = BudgetSettings(tenant=TokenShares(output_per_day=1_000), principal=TokenShares(), hold_s=0.3)
    async with open_door(private_redis.url, topic=topic, budget=budget) as door, opened_books(private_redis) as books:
        pieces = [part for number in range(1, 500) for part in (delta("字", output=number), lambda: asyncio.sleep(0.02))]
        door.router.script = (admitted(output=600), *pieces)
        responses = door.stub.Generate(ask(max_output_tokens=600), metadata=door.token(roles=USER))
        await anext(responses)
        await topic.put(record(output=1_000))
        await until(books, Spent(TokenCount(30, 1_000), 1))
        with pytest.raises(QuotaExceeded) as caught:
            async for _ in responses:
                pass
        assert caught.value.metadata["limit"] == "tenant-output-day" and caught.value.metadata["frees_at"].endswith("Z")
        assert 0 < (caught.value.retry_after_s or 0) <= 86_400, "the day ends it"
        await door.router.ended.wait()
