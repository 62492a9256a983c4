"""D18. The decline cap: counted over all replicas, by processing time, from a least number on; never approve, never hard blocks."""

import uuid

import pytest
import yaml
from finmesh.risk.v1.decision_pb2 import OUTCOME_CHALLENGE, OUTCOME_DECLINE, TransactionDecided
from risk_scoring.domain import channel_policy, combine
from risk_scoring.domain.channel_policy import ChannelPolicies
from risk_scoring.domain.lists import ListSnapshot
from risk_scoring.domain.observation import Capped, CapPolicy, Won
from risk_scoring.domain.outcome import Outcome, Thresholds

from tests.protocol.desks import channels, desk
from tests.protocol.makers import TENANT, candidate, payment, request, seen
from tests.protocol.mutants import assert_fails_without, lua, swapped
from tests.protocol.stores import opened

COUNT = ("finalise", "cap.total >= cap.min and cap.declined + 1 > cap.max * cap.total", "false")


def declines(first: int, n: int, scope: str = TENANT):
    """Declines that the cap may soften."""
    return [candidate(seen(first + i), b"decline %d" % i, scope=scope, capped=b"milder %d" % i) for i in range(n)]


def approvals(first: int, n: int):
    """Decisions that are no declines."""
    return [candidate(seen(first + i), b"approve %d" % i) for i in range(n)]


async def test_replicas_count_together(private_redis) -> None:
    async def check() -> None:
        prefix, cap = uuid.uuid4().hex, {TENANT: CapPolicy(300, 0.2, 10)}
        async with opened(private_redis, prefix=prefix) as one, opened(private_redis, prefix=prefix) as two:
            await one.store.finalise(approvals(0, 4), cap)
            await two.store.finalise(approvals(10, 4), cap)
            first = await one.store.finalise(declines(20, 1), cap)  # 1 of 9: below the least number
            second = await two.store.finalise(declines(30, 1), cap)  # 2 of 10
            third = await one.store.finalise(declines(40, 1), cap)  # 3 of 11: above
            assert first + second + third == [Won(), Won(), Capped()]

    alone = lua("finalise", "local key = prefix .. 'cap:'", "local key = prefix .. batch[1][1] .. 'cap:'")
    await assert_fails_without("D18", check, lua(*COUNT), alone)


async def test_few_decisions_are_no_ground(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            final = await shelf.store.finalise(declines(0, 12), {TENANT: CapPolicy(300, 0.01, 10)})
            assert final == [Won()] * 9 + [Capped()] * 3

    await assert_fails_without("D18", check, lua("finalise", "cap.total >= cap.min and", ""))


async def test_the_interval_is_of_processing_time(private_redis) -> None:
    async def check() -> None:
        cap = {TENANT: CapPolicy(300, 0.000001, 10)}
        async with opened(private_redis) as shelf:
            await shelf.store.finalise(approvals(0, 20), cap)
            assert await shelf.store.finalise(declines(100, 1), cap) == [Capped()]
            shelf.clock.advance(300)
            assert await shelf.store.finalise(declines(200, 1), cap) == [Won()], "a new interval, and few decisions in it"

    await assert_fails_without("D18", check, lua("finalise", "'cap:' .. policy[1] .. ':'", "'cap:' .. '0' .. ':'"))


async def test_tenants_do_not_share_a_cap(private_redis) -> None:
    async def check() -> None:
        caps = {TENANT: CapPolicy(300, 0.01, 1), "bank-b": CapPolicy(300, 1.0, 1)}
        async with opened(private_redis) as shelf:
            final = await shelf.store.finalise([*declines(0, 1, "bank-b"), *declines(9, 1)], caps)
            assert final == [Won(), Capped()]
            assert await shelf.store.finalise(declines(20, 1, "bank-b"), caps) == [Won()]

    shared = lua("finalise", "local policy = policies[scope]", "scope = 'bank-a' local policy = policies[scope]")
    await assert_fails_without("D18", check, shared)


async def test_a_replay_is_not_counted_again(private_redis) -> None:
    async def check() -> None:
        cap = {TENANT: CapPolicy(300, 0.5, 1)}
        async with opened(private_redis) as shelf:
            await shelf.store.finalise(approvals(0, 1), cap)
            for _ in range(3):
                await shelf.store.finalise(declines(1, 1), cap)
            key = next(key for key in await shelf.keys() if b"cap:" in key)
            assert await shelf.link.command("HGETALL", key) == {b"total": b"2", b"declined": b"1"}

    await assert_fails_without("D18", check, lua("finalise", "elseif entry and entry[1] == 2 then", "elseif false then"))


@pytest.fixture
def tight(tmp_path):
    """Channels that are never approved above a cap of nothing."""
    return channels(tmp_path, cap={"highest_rate": 0.000001, "least_decisions": 1})


async def test_overflow_goes_to_challenge_or_review_and_never_to_approve(private_redis, tight) -> None:
    async def check() -> None:
        async with desk(private_redis, channel_file=tight) as here:
            here.served.scores = [0.999]
            (verdict,) = await here.decide(request(payment(1)))
            record = TransactionDecided.FromString(verdict.decision)
            assert (record.outcome, record.recommended_outcome) == (OUTCOME_CHALLENGE, OUTCOME_DECLINE)
            assert record.decline_capped

    await assert_fails_without("D18", check, lua(*COUNT))


async def test_no_policy_can_turn_a_decline_into_an_approval(tmp_path) -> None:
    def check() -> None:
        refused = False
        try:
            outcome_of_overflow("approve", tmp_path)
        except ValueError:
            refused = True
        assert refused

    await assert_fails_without("D18", check, swapped(channel_policy.ChannelPolicy, "__post_init__", lambda self: None))


def outcome_of_overflow(overflow: str, folder):
    """Load a channel table with this overflow."""
    document = yaml.safe_load(channels(folder, ecommerce={"overflow": overflow}).read_text())
    return ChannelPolicies.from_document(document, Thresholds(0.3, 0.6, 0.9))


async def test_hard_blocks_are_exempt(private_redis, tight) -> None:
    class Blocking(ListSnapshot):
        def blocks(self, transaction, now_s):
            return True

    async def check() -> None:
        async with desk(private_redis, channel_file=tight) as here:
            here.policies.lists_changed(Blocking())
            verdicts = await here.decide(*(request(payment(n)) for n in range(5)))
            records = [TransactionDecided.FromString(verdict.decision) for verdict in verdicts]
            assert {record.outcome for record in records} == {OUTCOME_DECLINE}
            assert not any(record.decline_capped for record in records)

    soft = swapped(combine, "cappable", lambda acting, hard, mode: acting == Outcome.DECLINE)
    await assert_fails_without("D18", check, soft)
