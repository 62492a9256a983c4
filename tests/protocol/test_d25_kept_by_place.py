"""D25. A decision that is kept by its place: the same bytes hours later on both paths, and never another, whatever became of its record."""

from collections.abc import Awaitable

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditBatch
from meshkit.errors import Conflict, MeshError, NotFound, Unavailable
from risk_scoring import translate
from risk_scoring.domain.decision import Verdict
from risk_scoring.domain.observation import Recorded, RecordPlace
from risk_scoring.steps import decide
from risk_scoring.steps.recall import Recall
from risk_scoring.translate.messages import account_partition
from risk_scoring.usecases.get_decision import GetDecision
from risk_scoring.usecases.score_transaction import ScoreTransaction

from tests.protocol.desks import PARTITIONS, TOPIC_ID, desk
from tests.protocol.makers import DAY, HOUR, NO_CAP, candidate, payment, request, seen
from tests.protocol.mutants import assert_fails_without, lua, rewritten, swapped
from tests.protocol.stores import opened

PARTITION = account_partition("ACCT-6217-0001", PARTITIONS)
TAKEN_FOR_A_VECTOR = ("observe", "elseif entry[1] == RECORDED then", "elseif false then")


async def kept(here, number: int) -> Verdict:
    """Decide one payment, publish it, and keep it by its place."""
    verdict: Verdict = await here.score(request(payment(number)), 5.0)
    place = RecordPlace(TOPIC_ID, PARTITION, len(here.log.decisions[PARTITION]) - 1)
    await here.shelf.keep_by_place(verdict.request.decision_id, place)
    return verdict


async def refusal(call: Awaitable[object]) -> str:
    """The reason of a call's error, empty for none."""
    try:
        await call
    except MeshError as error:
        return error.reason
    return ""


async def test_a_duplicate_hours_later_gets_the_same_bytes(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            first = await kept(here, 1)
            here.shelf.clock.advance(5 * HOUR)
            here.served.scores = [0.999]
            published, audited = len(here.log.all()), len(here.log.audits)
            again = await here.score(request(payment(1)), 5.0)
            assert again.replayed and again.decision == first.decision
            assert (len(here.log.all()), len(here.log.audits)) == (published, audited), "a call publishes nothing of it"
            messages = [(message.topic, message.value) for message in await here.streamed(payment(1))]
            assert messages == [("decisions", first.decision)], "the stream publishes it again, and no audit record"
            told = await GetDecision(here.shelf.store, here.stream._usecase._recall)(first.request.decision_id, 1.0)
            assert told == first.decision

    audited_twice = swapped(
        decide,
        "_known",
        lambda asked, row: (
            Verdict(asked, b"", b"audit", replayed=True, place=row.place)
            if isinstance(row, Recorded)
            else Verdict(asked, row.decision, row.audit, replayed=True)
        ),
    )
    await assert_fails_without("D25", check, audited_twice)


async def test_state_3_is_no_vector(private_redis) -> None:
    """What a script of the release before takes it for."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            await shelf.store.finalise([candidate(seen(1), b"decision")], {"bank-a": NO_CAP})
            place = RecordPlace(TOPIC_ID, 3, 2**40 + 7)
            await shelf.keep_by_place(seen(1).decision_id, place)
            other = seen(1, fingerprint=b"g" * 16)
            rows = (await shelf.store.observe([seen(1), seen(2), other])).rows
            assert rows[0] == Recorded(place), rows
            assert [type(row).__name__ for row in rows[1:]] == ["New", "Conflict"]

    def errors(_: object) -> AssertionError:
        return AssertionError("the script fails on it")

    async def checked() -> None:
        try:
            await check()
        except Unavailable as error:
            raise errors(error) from error

    await assert_fails_without("D25", checked, lua(*TAKEN_FOR_A_VECTOR))


async def test_it_is_never_decided_again(private_redis) -> None:
    """A process that observed before, and finalises when the decision is kept by its place already."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            await shelf.store.finalise([candidate(seen(1), b"decision")], {"bank-a": NO_CAP})
            place = RecordPlace(TOPIC_ID, 0, 0)
            await shelf.keep_by_place(seen(1).decision_id, place)
            before = await shelf.contents()
            late, conflict = candidate(seen(1), b"another"), candidate(seen(1, fingerprint=b"g" * 16), b"another")
            rows = await shelf.store.finalise([late, conflict], {"bank-a": NO_CAP})
            assert rows[0] == Recorded(place)
            assert type(rows[1]).__name__ == "Conflict"
            name = shelf.link.prefix.encode() + b"d:" + seen(1).decision_id
            assert (await shelf.contents())[name] == before[name]

    await assert_fails_without("D25", check, lua("finalise", "elseif entry and entry[1] == RECORDED then", "elseif false then"))


async def test_a_record_that_is_gone_is_told_so_and_never_decided_again(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            first, other = await kept(here, 1), await kept(here, 2)
            asked = here.served.asked
            for place in (
                RecordPlace(TOPIC_ID, PARTITION, 99),
                RecordPlace(bytes(16), PARTITION, 0),
                RecordPlace(TOPIC_ID, PARTITION, 1),  # another decision's
            ):
                await here.shelf.keep_by_place(first.request.decision_id, place)
                assert await refusal(here.score(request(payment(1)), 5.0)) == "DECISION_UNREADABLE"
                looked_up = GetDecision(here.shelf.store, here.stream._usecase._recall)(first.request.decision_id, 1.0)
                assert await refusal(looked_up) == "DECISION_UNREADABLE"
                letter, decision = await here.streamed(payment(1), payment(2))
                assert (decision.topic, decision.value) == ("decisions", other.decision), "its neighbours go on"
                assert letter.topic.endswith(".dead-letter")
                assert dict(letter.headers)["reason"] == b"DECISION_UNREADABLE"
            assert here.served.asked == asked
            assert here.log.first_of(first.request.decision_id) == first.decision

    def believes(self, record, place, decision_id, fingerprint):
        return record

    await assert_fails_without("D25", check, swapped(Recall, "_checked", believes))


async def test_other_content_is_a_conflict_and_the_record_is_not_read(private_redis) -> None:
    async with desk(private_redis) as here:
        await kept(here, 1)
        with pytest.raises(Conflict):
            await here.score(request(payment(1, merchant_category_code="6011")), 5.0)
        assert here.records.asked == []


async def test_who_is_decided_beside_it_does_not_wait_for_kafka(private_redis) -> None:
    """Kafka's records are away: the old decision is UNAVAILABLE, its neighbour in the same batch is answered."""

    async def check() -> None:
        async with desk(private_redis) as here:
            first = await kept(here, 1)

            async def away(places, within_s):
                raise Unavailable("the event log does not answer", reason="EVENT_LOG_DOWN")

            genuine, here.records.read = here.records.read, away
            old, new = await here.score._batch([request(payment(1)), request(payment(2))], 5.0)
            assert old.place is not None and new.decision
            with pytest.raises(Unavailable) as failed:
                await here.score(request(payment(1)), 5.0)
            assert failed.value.reason == "EVENT_LOG_DOWN"
            with pytest.raises(Unavailable):
                await here.streamed(payment(1))
            assert not here.outage.active, "that says nothing of the store"
            here.records.read = genuine
            assert (await here.score(request(payment(1)), 5.0)).decision == first.decision

    reads_in_the_batch = rewritten(
        ScoreTransaction,
        "_decided",
        "return verdicts",
        "return [await self._recall.one(v, 1.0) if v.place is not None else v for v in verdicts]",
    )

    async def checked() -> None:
        try:
            await check()
        except Unavailable as error:
            raise AssertionError("all of the batch waited") from error

    await assert_fails_without("D25", checked, reads_in_the_batch)


async def test_a_batch_of_old_decisions_gets_on_by_what_one_reading_gets_to(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            verdicts = [await kept(here, number) for number in range(5)]
            here.records.at_once, attempts = 2, 0
            while True:
                attempts += 1
                assert attempts < 10, "it never gets on"
                try:
                    messages = await here.streamed(*(payment(number) for number in range(5)))
                except Unavailable as limited:
                    assert limited.reason == "DECISION_READS_LIMITED"
                    continue
                break
            assert [message.value for message in messages] == [verdict.decision for verdict in verdicts]
            assert attempts == 3
            assert not here.stream._usecase._recall._held, "nothing stays behind"

    await assert_fails_without("D25", check, rewritten(Recall, "batch", "held.update(found)", "held = held | found"))


async def test_what_is_new_beside_it_is_audited(private_redis) -> None:
    async with desk(private_redis) as here:
        first = await kept(here, 1)
        old, new, audit = await here.streamed(payment(1), payment(2))
        assert old.value == first.decision
        assert translate.decision_id(new.value) == request(payment(2)).decision_id
        assert len(AuditBatch.FromString(audit.value).records) == 1


async def test_a_restore_leaves_it_alone(private_redis) -> None:
    """The log holds another record of the id, behind the one that is pointed at."""

    async def check() -> None:
        async with desk(private_redis, horizon_s=DAY) as here:
            first = await kept(here, 1)
            before = await here.shelf.contents()
            record = translate.restored_record(first.decision)._replace(decision=b"a later one")
            assert await here.shelf.restore([record], PARTITION, 2) == (0, 0)
            name = here.shelf.link.prefix.encode() + b"d:" + first.request.decision_id
            assert (await here.shelf.contents())[name] == before[name]

    await assert_fails_without("D25", check, lua("restore", "entry[1] == RECORDED or ", ""))


async def test_an_unknown_decision_stays_unknown(private_redis) -> None:
    async with desk(private_redis) as here:
        with pytest.raises(NotFound):
            await GetDecision(here.shelf.store, here.stream._usecase._recall)(bytes(16), 1.0)
