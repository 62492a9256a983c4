"""D6. Finalise sets the exact bytes if absent; whoever loses publishes the winner's, on every path."""

import uuid
from contextlib import asynccontextmanager

from finmesh.risk.v1.decision_pb2 import DEGRADATION_RULES_ONLY, TransactionDecided
from meshkit.errors import DeadlineExceeded
from risk_scoring.domain.observation import Capped, Decided, Won

from tests.protocol.desks import desk
from tests.protocol.makers import NO_CAP, TENANT, candidate, payment, request, seen
from tests.protocol.mutants import assert_fails_without, lua
from tests.protocol.stores import opened

RULE = ("finalise", "elseif entry and entry[1] == 2 then", "elseif false then")


async def test_the_second_candidate_loses_and_learns_the_winner(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            first = await shelf.store.finalise([candidate(seen(1), b"one"), candidate(seen(2), b"two")], {TENANT: NO_CAP})
            second = await shelf.store.finalise([candidate(seen(2), b"TWO"), candidate(seen(3), b"three")], {TENANT: NO_CAP})
            assert first == [Won(), Won()]
            assert second == [Decided(b"two", b"audit of two"), Won()]
            assert await shelf.store.stored_decision(seen(2).decision_id) == b"two"

    await assert_fails_without("D6", check, lua(*RULE))


async def test_twins_in_one_batch(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            here.served.scores = [0.001]
            one, two = await here.decide(request(payment(1), partition=0, offset=1), request(payment(1), partition=0, offset=2))
            assert one.decision == two.decision
            assert (one.replayed, two.replayed) == (False, True)

    await assert_fails_without("D6", check, lua(*RULE))


@asynccontextmanager
async def overtaken(redis):
    """Two replicas: while the first scores a payment, the second decides it. Yields both and what the second decided."""
    prefix = uuid.uuid4().hex
    async with desk(redis, prefix=prefix) as one, desk(redis, prefix=prefix) as two:
        genuine, inner = one.served.score, []

        async def score(vectors, timeout_s):
            inner.extend(await two.decide(request(payment(1))))
            return await genuine(vectors, timeout_s)

        one.served.score = score
        yield one, two, inner


async def test_replicas_that_score_at_once_agree(private_redis) -> None:
    async def check() -> None:
        async with overtaken(private_redis) as (one, two, inner):
            two.served.scores = [0.99]
            (outer,) = await one.decide(request(payment(1)))
            assert (outer.decision, outer.audit) == (inner[0].decision, inner[0].audit)
            assert outer.replayed and not inner[0].replayed

    await assert_fails_without("D6", check, lua(*RULE))


async def test_a_degraded_answer_competes_like_any_other(private_redis) -> None:
    async def check() -> None:
        async with overtaken(private_redis) as (one, two, inner):
            two.served.failure = two.in_process.failure = DeadlineExceeded("too slow")
            (outer,) = await one.decide(request(payment(1)))
            assert TransactionDecided.FromString(outer.decision).degradations == [DEGRADATION_RULES_ONLY]
            assert outer.decision == inner[0].decision

    await assert_fails_without("D6", check, lua(*RULE))


async def test_the_capped_form_is_what_is_stored_and_published(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            cap = {TENANT: NO_CAP._replace(highest_rate=0.01)}
            final = await shelf.store.finalise([candidate(seen(1), b"declined", capped=b"milder")], cap)
            again = await shelf.store.finalise([candidate(seen(1), b"declined", capped=b"milder")], cap)
            assert final == [Capped()]
            assert again == [Decided(b"milder", b"audit of milder")]

    await assert_fails_without(
        "D6", check, lua("finalise", "pack({ 2, candidate[2], decision, audit })", "pack({ 2, candidate[2], candidate[4], candidate[5] })")
    )
