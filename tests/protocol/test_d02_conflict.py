"""D2. The same key with another fingerprint is a conflict, on the stream, in a call, and between two replicas."""

import pytest
from finmesh.common.v1.money_pb2 import Money
from meshkit.errors import Conflict
from risk_scoring.domain import observation

from tests.protocol.desks import desk
from tests.protocol.makers import NO_CAP, TENANT, candidate, payment, request, seen
from tests.protocol.mutants import assert_fails_without, lua
from tests.protocol.stores import opened

DEARER = {"amount": Money(currency_code="CNY", amount_minor=99_999)}
RULE = ("observe", "if entry[2] ~= tx[PRINT] then", "if false then")


async def test_stream(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            await here.streamed(payment(1))
            messages = await here.streamed(payment(1, **DEARER), payment(2), first_offset=1)
            assert [message.topic for message in messages] == ["in.dead-letter", "decisions", "audit"]
            assert dict(messages[0].headers)["reason"] == b"IDEMPOTENCY_CONFLICT"

    await assert_fails_without("D2", check, lua(*RULE))


async def test_call(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            await here.score(request(payment(1)), 1.0)
            published = len(here.log.all())
            try:
                await here.score(request(payment(1, **DEARER)), 1.0)
            except Conflict as conflict:
                assert conflict.reason == "IDEMPOTENCY_CONFLICT"
            else:
                raise AssertionError("another amount got a decision")
            assert len(here.log.all()) == published

    await assert_fails_without("D2", check, lua(*RULE))


async def test_a_conflict_shows_also_while_nothing_is_decided(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            observed = await shelf.store.observe([seen(1), seen(1, fingerprint=b"g" * 16)])
            assert observed.rows == [observation.New(), observation.Conflict()]

    await assert_fails_without("D2", check, lua(*RULE))


async def test_finalise_keeps_the_first_fingerprint(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            mine, other = seen(1), seen(1, fingerprint=b"g" * 16)
            final = await shelf.store.finalise([candidate(mine, b"mine"), candidate(other, b"other")], {TENANT: NO_CAP})
            assert final == [observation.Won(), observation.Conflict()]
            assert await shelf.store.stored_decision(mine.decision_id) == b"mine"

    await assert_fails_without("D2", check, lua("finalise", "if entry and entry[2] ~= candidate[2] then", "if false then"))


@pytest.mark.parametrize("change", [{"utc_offset_minutes": 0}], ids=["time zone"])
async def test_what_is_no_business_field_is_no_conflict(private_redis, change) -> None:
    async with desk(private_redis) as here:
        first = await here.score(request(payment(1)), 1.0)
        again = await here.score(request(payment(1, **change)), 1.0)
        assert again.replayed and again.decision == first.decision


async def test_in_a_mixed_batch_each_request_gets_its_own_answer(private_redis) -> None:
    async with desk(private_redis) as here:
        (first,) = await here.decide(request(payment(1)))
        batch = [request(payment(n, **changes)) for n, changes in ((2, {}), (1, {}), (1, DEARER), (3, {}), (1, {}))]
        verdicts = await here.decide(*batch)
        assert [verdict.request for verdict in verdicts] == batch
        assert [(verdict.replayed, verdict.conflict) for verdict in verdicts] == [
            (False, False), (True, False), (False, True), (False, False), (True, False),
        ]  # fmt: skip
        assert [verdict.decision for verdict in verdicts if verdict.replayed] == [first.decision] * 2
        assert len({verdict.decision for verdict in verdicts}) == 4
