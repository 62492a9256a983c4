"""D22 on a real Kafka: the outage takes the partition from the stream, answers, and the stream says the same when Redis is back."""

from contextlib import asynccontextmanager

import pytest
from meshkit.errors import Unavailable
from meshkit.testing.keys import batch_signer
from risk_scoring import translate
from risk_scoring.adapters.kafka_decision_log import KafkaDecisionLog
from risk_scoring.adapters.kafka_outage_log import KafkaOutageLog
from risk_scoring.consumers.transactions import StreamTopics, TransactionStream
from risk_scoring.steps.decide_on_log import LogDecider
from risk_scoring.steps.outage import Outage
from risk_scoring.steps.restore import Restorer
from risk_scoring.translate.messages import account_partition
from risk_scoring.usecases.on_transaction_authorization_requested import OnTransactionAuthorizationRequested

from tests.protocol.desks import Health, desk
from tests.protocol.loops import AUDIT, GROUP, INPUT, OUTPUT, committed, send, until, visible, working
from tests.protocol.makers import DAY, identifier, payment, request
from tests.protocol.mutants import assert_fails_without, swapped

pytestmark = pytest.mark.stack
PARTITION = account_partition("ACCT-6217-0001", 4)
GONE = Unavailable("gone", reason="FEATURE_STORE_DOWN")


@asynccontextmanager
async def mesh(redis, kafka):
    """A stream on real Kafka and Redis, and the outage of another process. Yields the outage."""
    async with desk(redis, adopt=False, log=KafkaDecisionLog(kafka)) as at:
        prefix, signer = kafka.topic_prefix, batch_signer()
        usecase = OnTransactionAuthorizationRequested(at.decider, at.restorer, at.shelf.store, at.stream._usecase._recall)
        topics = StreamTopics(prefix + INPUT, prefix + OUTPUT, prefix + AUDIT)
        stream = TransactionStream(usecase, identifier(), topics, signer, at.sealer, at.shelf.clock, DAY)
        log = KafkaOutageLog(kafka, GROUP, signer, translate.decision_id, at.shelf.clock, 900)
        log_decider = LogDecider(log, at.decider._combiner, at.codec, at.policies.current, at.shelf.clock)
        outage = Outage(log, at.restorer, log_decider, at.shelf.clock, Health(), 0.0)
        await at.restorer.ensure()
        at.served.scores = [0.999]
        async with working(kafka, stream):
            try:
                yield outage, log
            finally:
                await outage.aclose()


async def answers(log) -> bool:
    """Whether the outage holds the partitions."""
    try:
        await log.partition_of("ACCT-6217-0001")
    except Unavailable:
        return False
    return True


async def test_the_same_bytes_whoever_answers(fresh, private_redis) -> None:
    async def check() -> None:
        if private_redis._process is None:
            private_redis.start()
        kafka = await fresh()
        async with mesh(private_redis, kafka) as (outage, log):
            await send(kafka, payment(1).SerializeToString(), partition=PARTITION)
            await until(lambda: _is(committed(kafka, PARTITION), 1), "the stream's first commit")
            (before,) = await visible(kafka, OUTPUT, PARTITION)
            private_redis.kill()
            outage.store_failed(GONE)
            await until(lambda: answers(log), "the take-over of the partitions")
            again, told = await outage.decide([request(payment(1)), request(payment(2))])
            assert again.decision == before, "decided by the model before the outage"
            await send(kafka, payment(2).SerializeToString(), partition=PARTITION)  # the same transaction, behind the call
            private_redis.start()
            await until(lambda: not outage.active, "the way back")
            await until(lambda: _is(committed(kafka, PARTITION), 2), "the stream's second commit")
            records = await visible(kafka, OUTPUT, PARTITION)
            assert records[:2] == [before, told.decision]
            assert set(records[2:]) <= {told.decision}, "nobody contradicts what was told"

    async def forgetful(self, token, partition):
        del self, token, partition

    await assert_fails_without("D22", check, swapped(Restorer, "_partition", forgetful))


async def _is(coroutine, value) -> bool:
    return await coroutine == value
