"""D7. A call is told its decision when audit record and then decision are acknowledged; whoever finds a stored decision emits it again.

The stream's one transaction is held by test_d12_rewind.py.
"""

import asyncio
from types import SimpleNamespace
from typing import Any, ClassVar

from finmesh.audit.v1.audit_record_pb2 import AuditBatch
from meshkit.audit.emit import AuditEmitter
from meshkit.config import KafkaSettings
from meshkit.events import clients
from meshkit.events.publisher import Publisher
from meshkit.testing.keys import batch_signer
from risk_scoring.adapters.kafka_publisher import KafkaPublisher
from risk_scoring.domain.decision import Verdict
from risk_scoring.domain.lists import ListChange
from risk_scoring.steps import decide
from risk_scoring.usecases.score_transaction import ScoreTransaction

from tests.protocol.desks import Health, desk
from tests.protocol.makers import KEYS, TENANT, payment, request
from tests.protocol.mutants import assert_fails_without, swapped


class Broker:
    """A producer that acknowledges when it is told to. Stands for AIOKafkaProducer."""

    made: ClassVar[list[Any]] = []
    client = SimpleNamespace(cluster=SimpleNamespace(leader_for_partition=lambda place: None))  # so that all go the sender's way

    def __init__(self, **options: object) -> None:
        self.options = options
        self.sent: list[tuple[str, bytes]] = []
        self.waiting: list[asyncio.Future[object]] = []
        Broker.made.append(self)

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    async def partitions_for(self, topic: str) -> set[int]:
        """Four."""
        return {0, 1, 2, 3}

    async def send(self, topic, value, key, partition, headers):
        """Accept a message."""
        self.sent.append((topic, value))
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    def acknowledge(self) -> None:
        """Answer for everything sent so far."""
        for future in self.waiting:
            if not future.done():
                future.set_result(SimpleNamespace(offset=0))


def publisher() -> KafkaPublisher:
    """A publisher on a Broker."""
    Broker.made.clear()
    events = Publisher(KafkaSettings())
    return KafkaPublisher(events, AuditEmitter(events, "risk-scoring/rpc/r1", batch_signer(), "", Health()), KEYS, "")  # type: ignore[arg-type]


async def turns() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_audit_then_decision_then_the_reply() -> None:
    async def check() -> None:
        with swapped(clients, "AIOKafkaProducer", Broker):
            sending = publisher()
            told = asyncio.create_task(sending.publish([Verdict(request(payment(1)), b"decision", b"audit")]))
            await turns()
            (broker,) = Broker.made
            topics = [topic.rpartition(".")[2] for topic, _ in broker.sent]
            assert topics == ["AuditBatch"]
            assert not told.done()
            broker.acknowledge()
            await turns()
            topics = [topic.rpartition(".")[2] for topic, _ in broker.sent]
            assert topics == ["AuditBatch", "TransactionDecided"]
            assert not told.done()
            broker.acknowledge()
            await told
            assert broker.options["acks"] == "all" and broker.options["enable_idempotence"] is True

    async def without_waiting(self, records, traces=()):
        await self._publisher.send((await self._epoch()).of(records, traces))

    await assert_fails_without("D7", check, swapped(AuditEmitter, "write", without_waiting))


async def test_a_change_of_a_list_is_audited_before_it_is_written() -> None:
    change = ListChange(TENANT, 1, 2, "账户-1", "", 2e9, "fraud-desk")

    async def check() -> None:
        with swapped(clients, "AIOKafkaProducer", Broker):
            told = asyncio.create_task(publisher().publish_list_change(change, b"payload", b"record"))
            await turns()
            (broker,) = Broker.made
            assert [topic.rpartition(".")[2] for topic, _ in broker.sent] == ["AuditBatch"]
            broker.acknowledge()
            await turns()
            assert [topic.rpartition(".")[2] for topic, _ in broker.sent] == ["AuditBatch", "ListEntryChanged"]
            assert AuditBatch.FromString(broker.sent[0][1]).records == [b"record"]
            assert not told.done()
            broker.acknowledge()
            await told

    async def effect_first(self, change, payload, audit):
        await self._events.write([SimpleNamespace(topic=self._lists, value=payload, key=b"", partition=0, headers=[])])
        await self._audit.write([audit])

    await assert_fails_without("D7", check, swapped(KafkaPublisher, "publish_list_change", effect_first))


async def test_batches_that_overlap_leave_in_the_order_of_their_numbers() -> None:
    with swapped(clients, "AIOKafkaProducer", Broker):
        sending = publisher()
        both = [asyncio.create_task(sending.publish([Verdict(request(payment(n)), b"d", b"audit %d" % n)])) for n in range(5)]
        await turns()
        (broker,) = Broker.made
        sequences = [AuditBatch.FromString(value).sequence for topic, value in broker.sent if topic.endswith("AuditBatch")]
        assert sequences == [0, 1, 2, 3, 4]
        for _ in range(2):
            broker.acknowledge()
            await turns()
        await asyncio.gather(*both)


async def test_a_call_that_gave_up_begins_a_new_epoch() -> None:
    """What was sent of the old one is unknown: its numbers must not look like a hole."""

    async def check() -> None:
        with swapped(clients, "AIOKafkaProducer", Broker):
            sending = publisher()
            given_up = asyncio.create_task(sending.publish([Verdict(request(payment(1)), b"d", b"audit 1")]))
            await turns()
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            await asyncio.sleep(0.001)
            told = asyncio.create_task(sending.publish([Verdict(request(payment(2)), b"d", b"audit 2")]))
            await turns()
            first, second = (AuditBatch.FromString(value) for topic, value in Broker.made[0].sent if topic.endswith("AuditBatch"))
            told.cancel()
            await asyncio.gather(told, return_exceptions=True)
            assert second.epoch > first.epoch and second.sequence == 0

    genuine = AuditEmitter._epoch

    async def the_same_epoch(self):
        self._batches = self._batches or getattr(self, "kept", None)
        self.kept = await genuine(self)
        return self.kept

    await assert_fails_without("D3", check, swapped(AuditEmitter, "_epoch", the_same_epoch))


async def test_nothing_is_told_before_it_is_recorded(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            go_on, genuine = asyncio.Event(), here.log.write

            async def slow(verdicts) -> None:
                await go_on.wait()
                await genuine(verdicts)

            here.log.write = slow
            call = asyncio.create_task(here.score(request(payment(1)), 5.0))
            await asyncio.sleep(0.1)
            assert not call.done()
            go_on.set()
            told = await call
            assert here.log.all() == [told.decision] and here.log.audits == [told.audit]

    async def reply_first(self, requests, remaining_s):
        return await self._decider.decide(requests)

    await assert_fails_without("D7", check, swapped(ScoreTransaction, "_batch", reply_first))


async def test_a_stored_decision_is_emitted_again(private_redis) -> None:
    """The process died between finalise and publish: the retry, and the stream too, emit what is stored."""

    async def check() -> None:
        async with desk(private_redis) as here:
            (lost,) = await here.decide(request(payment(1)))
            retry = await here.score(request(payment(1)), 1.0)
            assert retry.replayed
            assert here.log.all() == [lost.decision] and here.log.audits == [lost.audit]
            messages = await here.streamed(payment(1))
            assert messages[0].value == lost.decision
            assert list(AuditBatch.FromString(messages[1].value).records) == [lost.audit]

    def forgets_the_bytes(request, row):
        return Verdict(request, row.decision[:-2], row.audit, replayed=True)

    await assert_fails_without("D7", check, swapped(decide, "_known", forgets_the_bytes))
