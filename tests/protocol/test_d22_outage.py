"""D22. Redis down: calls are decided by rules on the log, the first record of an id holds, and nothing unrecorded is told.

The event log is a neighbour here; test_d22_outage_log.py holds the real one.
"""

import asyncio
import uuid
from contextlib import suppress
from dataclasses import replace

import pytest
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1.decision_pb2 import (
    DEGRADATION_MODEL_IN_PROCESS,
    DEGRADATION_NO_FEATURES,
    DEGRADATION_RULES_ONLY,
    TransactionDecided,
)
from meshkit.errors import Conflict, DeadlineExceeded, MeshError, Unavailable
from risk_scoring.domain.decision import Verdict
from risk_scoring.steps import decide_on_log
from risk_scoring.steps.decide_on_log import LogDecider
from risk_scoring.steps.outage import Outage, State
from risk_scoring.steps.restore import Restorer
from risk_scoring.steps.score import Scorer
from risk_scoring.usecases.on_transaction_authorization_requested import OnTransactionAuthorizationRequested
from risk_scoring.usecases.score_transaction import ScoreTransaction

from tests.protocol.desks import EventLog, desk
from tests.protocol.loops import until
from tests.protocol.makers import NOW, feature, payment, request
from tests.protocol.mutants import assert_fails_without, rewritten, swapped


def alive(redis) -> None:
    """Start the server again where an earlier run of the check left it dead."""
    if redis._process is None:
        redis.start()


async def begin(here) -> None:
    """Let the outage begin: nothing but failures for some time."""
    for number in range(2):
        with pytest.raises(Unavailable):
            await here.score(request(payment(900 + number)), 1.0)
        here.shelf.clock.advance(0.3)
    await until(lambda: here.outage_log.held, "the take-over of the partitions")


async def end(here) -> None:
    """Wait for the way back."""
    await until(lambda: not here.outage.active, "the way back")


async def test_decided_by_rules_recorded_and_the_same_afterwards(private_redis) -> None:
    """The race: told from the outage path, then Redis is back and the stream gets the same transaction."""

    async def check() -> None:
        alive(private_redis)
        async with desk(private_redis) as here:
            here.served.scores = [0.999]
            private_redis.kill()
            await begin(here)
            told = await here.score(request(payment(1)), 1.0)
            record = TransactionDecided.FromString(told.decision)
            assert list(record.degradations) == [DEGRADATION_NO_FEATURES, DEGRADATION_RULES_ONLY]
            assert not record.HasField("score") and not record.features
            assert here.log.first_of(told.request.decision_id) == told.decision
            assert len(here.log.audits) == 1
            assert here.health.missing["redis"]
            private_redis.start()
            await end(here)
            assert "redis" not in here.health.missing
            streamed = await here.streamed(payment(1))
            assert streamed[0].value == told.decision
            again = await here.score(request(payment(1)), 1.0)
            assert again.replayed and again.decision == told.decision
            observed = await here.shelf.store.observe([request(payment(2)).observation])
            assert feature(observed.vectors, "c_count_24h") == 1, "its missing features are applied"

    await assert_fails_without("D22", check, swapped(Restorer, "_partition", _forgetful))


async def _forgetful(self, token, partition):
    del self, token, partition


async def test_an_earlier_decision_holds(private_redis) -> None:
    """Decided by the model before the outage; during it the same transaction gets the same bytes."""

    async def check() -> None:
        alive(private_redis)
        async with desk(private_redis) as here:
            before = await here.score(request(payment(1)), 1.0)
            private_redis.kill()
            await begin(here)
            during = await here.score(request(payment(1)), 1.0)
            assert during.decision == before.decision and during.replayed
            assert len(here.log.all()) == 1

    never_looks = rewritten(LogDecider, "_decide_in", "if request.decision_id not in first]", "]")
    await assert_fails_without("D22", check, never_looks)


async def test_two_processes_in_the_outage_agree(private_redis) -> None:
    """Both publish; each reads the partition back and tells the first record."""

    async def check() -> None:
        alive(private_redis)
        log, prefix = EventLog(), uuid.uuid4().hex
        async with desk(private_redis, prefix=prefix, log=log) as one, desk(private_redis, prefix=prefix, log=log) as two:
            private_redis.kill()
            await begin(one)
            await begin(two)
            two.shelf.clock.advance(5)  # its record would read otherwise
            inner = []

            async def meanwhile() -> None:
                log.before_publish = None
                inner.append(await two.score(request(payment(1)), 1.0))

            log.before_publish = meanwhile
            outer = await one.score(request(payment(1)), 1.0)
            assert outer.decision == inner[0].decision == log.all()[0]
            assert len(log.all()) == 2

    own_record = rewritten(LogDecider, "_verdict", "draft.decision == first", "draft.decision")
    await assert_fails_without("D22", check, own_record)


async def test_a_conflict_is_seen_without_the_store(private_redis) -> None:
    async with desk(private_redis) as here:
        private_redis.kill()
        await begin(here)
        await here.score(request(payment(1)), 1.0)
        with pytest.raises(Conflict):
            await here.score(request(payment(1, amount=Money(currency_code="CNY", amount_minor=1))), 1.0)


async def test_nothing_recordable_is_unavailable(private_redis) -> None:
    async def check() -> None:
        alive(private_redis)
        async with desk(private_redis) as here:
            private_redis.kill()
            await begin(here)
            here.log.down = True
            told = None
            with suppress(Unavailable):
                told = await here.score(request(payment(1)), 1.0)
            assert told is None

    async def tell_anyway(self, requests):
        return [Verdict(request, *self._by_rules(request)) for request in requests]

    await assert_fails_without("D22", check, swapped(LogDecider, "decide", tell_anyway))


async def test_the_log_does_not_answer_in_time(private_redis) -> None:
    """Redis works, the broker hangs: UNAVAILABLE inside the deadline."""

    async def check() -> None:
        alive(private_redis)
        async with desk(private_redis) as here:
            released = asyncio.Event()

            async def hangs(verdicts) -> None:
                await released.wait()

            here.log.write = hangs
            asyncio.get_running_loop().call_later(3, released.set)  # the broker is back long after the deadline
            reason = None
            try:
                await here.score(request(payment(1)), 0.1)
            except Unavailable as error:
                reason = error.reason
            assert reason == "NOT_RECORDED"
            assert not released.is_set()
            released.set()

    async def patient(self, requests, remaining_s):
        return await self._recorded(requests, remaining_s)

    await assert_fails_without("D22", check, swapped(ScoreTransaction, "_batch", patient))


async def test_what_may_have_been_decided_before_the_lookback_is_not_decided_again(private_redis) -> None:
    async def check() -> None:
        alive(private_redis)
        async with desk(private_redis, log=EventLog(lookback_from_s=NOW - 900)) as here:
            private_redis.kill()
            await begin(here)
            assert (await here.score(request(payment(1, event_time_s=NOW - 500)), 1.0)).decision
            refused = None
            try:
                await here.score(request(payment(2, event_time_s=NOW - 700)), 1.0)
            except Unavailable as error:
                refused = error.reason
            assert refused == "OUTAGE_LOOKBACK"

    await assert_fails_without("D22", check, swapped(decide_on_log, "FUTURE_S", -10_000))


async def test_nothing_is_decided_on_the_log_behind_the_take_over(private_redis) -> None:
    """A decision that begins while the store comes back must not be published after the partition was read."""

    async def check() -> None:
        alive(private_redis)
        async with desk(private_redis) as here:
            private_redis.kill()
            await begin(here)
            running, go_on = asyncio.Event(), asyncio.Event()

            async def slow() -> None:
                running.set()
                await go_on.wait()

            here.log.before_publish = slow
            call = asyncio.create_task(here.score(request(payment(1)), 20.0))
            await running.wait()
            here.log.before_publish = None
            private_redis.start()
            await until(lambda: here.outage.state is State.CLOSING or not here.outage.active, "the way back to begin")
            go_on.set()
            told = await call
            await end(here)
            here.served.scores = [0.999]
            again = await here.score(request(payment(1)), 1.0)
            assert again.decision == told.decision

    async def at_once(self) -> None:
        return None

    await assert_fails_without("D22", check, swapped(Outage, "_closed", at_once))


async def test_a_short_hiccup_is_no_outage(private_redis) -> None:
    async with desk(private_redis) as here:
        private_redis.kill()
        with pytest.raises(Unavailable):
            await here.score(request(payment(1)), 1.0)
        assert not here.outage.active
        private_redis.start()
        with pytest.raises(Unavailable):  # another process: restore first
            await here.score(request(payment(1)), 1.0)
        await here.restorer.ensure()
        assert (await here.score(request(payment(1)), 1.0)).decision
        assert here.outage_log.entered == 0


async def test_the_stream_pauses(private_redis) -> None:
    """It raises Unavailable for the batch, and decides it when the store is back: nothing is decided without features there."""

    async def check() -> None:
        alive(private_redis)
        async with desk(private_redis) as here:
            private_redis.kill()
            paused = False
            try:
                await here.streamed(payment(1))
            except Unavailable:
                paused = True
            assert paused
            private_redis.start()
            decision, _ = await here.streamed(payment(1))
            assert TransactionDecided.FromString(decision.value).features

    async def by_rules(self, requests, published, timeline):
        return [Verdict(request, b"d", b"a") for request in requests]

    await assert_fails_without("D22", check, swapped(OnTransactionAuthorizationRequested, "decide", by_rules))


FAILURES = [Unavailable("down", reason="CIRCUIT_OPEN"), DeadlineExceeded("slow"), MeshError("refused")]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_triton_down_slow_or_refusing(private_redis, failure) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            here.served.failure = failure
            here.in_process.scores = [0.25]
            (verdict,) = await here.decide(request(payment(1)))
            record = TransactionDecided.FromString(verdict.decision)
            assert list(record.degradations) == [DEGRADATION_MODEL_IN_PROCESS]
            assert record.score == 0.25
            here.in_process.failure = failure
            (verdict,) = await here.decide(request(payment(2)))
            record = TransactionDecided.FromString(verdict.decision)
            assert list(record.degradations) == [DEGRADATION_RULES_ONLY]
            assert not record.HasField("score")
            assert not record.versions.model_version

    genuine = Scorer.score

    async def unflagged(self, vectors, remaining_s=None):
        scores = await genuine(self, vectors, remaining_s)
        return replace(scores, degradations=())

    await assert_fails_without("D22", check, swapped(Scorer, "score", unflagged))


async def test_a_model_that_answers_nonsense_is_down(private_redis) -> None:
    async with desk(private_redis) as here:
        here.served.scores = [float("nan")]
        (verdict,) = await here.decide(request(payment(1)))
        assert list(TransactionDecided.FromString(verdict.decision).degradations) == [DEGRADATION_MODEL_IN_PROCESS]
