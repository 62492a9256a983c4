"""The audit topic on a real broker: nothing twice, nothing lost, and what the broker lost is said."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from audit.adapters.anchors import Anchors
from audit.adapters.store import store_at
from audit.adapters.translog_audit_log import TranslogAuditLog
from audit.consumers import TOPIC, AuditBatches
from audit.main import signer_of
from audit.translate import ProtobufBatchCodec
from audit.usecases.on_audit_batch import OnAuditBatch
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.audit.batch import BatchSigner, BatchWriter
from meshkit.clock import SystemClock
from meshkit.config import KafkaSettings, KeySettings
from meshkit.events.offsets_in_db import OffsetsInDb
from meshkit.events.topic_ids import TopicIds
from translog.entries import Kind
from translog.fsck import fsck
from translog.reader import LogReader

from tests.stack import Stack

pytestmark = pytest.mark.stack
SIGNER = BatchSigner(KeySettings())
PARTITIONS = 2


def record(n: int) -> bytes:
    return AuditRecord(audit_record_id=f"a-{n}", tenant="bank-a", decision_id=f"d-{n}").SerializeToString()


class Health:
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.reasons: list[str] = []

    def degraded(self, component: str, reason: str) -> None:
        self.up.clear()
        self.reasons.append(reason)

    def recovered(self, component: str) -> None:
        self.up.set()


class Silent:
    def committed(self, leaves, duplicates, size) -> None:
        pass


class Bench:
    """One topic, one log, and ways to write to the first and look into the second."""

    def __init__(self, kafka: KafkaSettings, folder: Path) -> None:
        self.kafka = kafka
        self.topic = kafka.topic_prefix + TOPIC
        self.url = f"sqlite:///{folder / 'audit.db'}"
        self.store = store_at(self.url)
        self.writers = [BatchWriter(f"risk-scoring/stream/{n}", 1, SIGNER) for n in range(PARTITIONS)]
        self.health = Health()

    async def create(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        await admin.start()
        try:
            answer = await admin.create_topics([NewTopic(self.topic, PARTITIONS, 1)])
            assert all(code == 0 for _, code, _ in answer.topic_errors), answer
            await self._exists(admin)
        finally:
            await admin.close()

    async def _exists(self, admin: AIOKafkaAdminClient) -> None:
        async with asyncio.timeout(20):
            while True:
                (described,) = await admin.describe_topics([self.topic])
                if len(described["partitions"]) == PARTITIONS and all(p["leader"] >= 0 for p in described["partitions"]):
                    return
                await asyncio.sleep(0.05)

    async def recreate(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        await admin.start()
        await admin.delete_topics([self.topic])
        async with asyncio.timeout(20):
            while self.topic in await admin.list_topics():
                await asyncio.sleep(0.05)
        await admin.close()
        await self.create()

    async def delete_before(self, partition: int, offset: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        await admin.start()
        await admin.delete_records({TopicPartition(self.topic, partition): RecordsToDelete(before_offset=offset)})
        await admin.close()

    async def send(self, *numbers: int, partition: int = 0, transaction: str = "") -> None:
        """One envelope for each record; ``transaction`` is "", "commit" or "abort"."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka.bootstrap_servers,
            acks="all",
            transactional_id=f"{self.topic}-{partition}" if transaction else None,
        )
        await producer.start()
        try:
            if transaction:
                await producer.begin_transaction()
            for n in numbers:
                for value in self.writers[partition].envelopes([record(n)]):
                    await producer.send(self.topic, value, partition=partition)
            await producer.flush()
            if transaction == "abort":
                await producer.abort_transaction()
            elif transaction:
                await producer.commit_transaction()
        finally:
            await producer.stop()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """The consumer runs while the block does."""
        clock = SystemClock()
        anchors = Anchors(None, None, 1, clock)
        log = TranslogAuditLog(self.store, signer_of(_config()), lambda content: content[::-1], anchors, clock)
        async with log:
            sink = AuditBatches(OnAuditBatch(log, ProtobufBatchCodec(SIGNER), Silent(), clock))
            stopping = asyncio.Event()
            work = asyncio.create_task(OffsetsInDb(self.kafka, TOPIC, sink, self.health).run(stopping))
            try:
                yield
            finally:
                stopping.set()
                await work

    def look(self) -> tuple[list[str], list[bytes]]:
        """Kinds and bodies of all leaves; the log must be sound."""
        database = self.store.open_reader()
        try:
            reader = LogReader(database)
            report = fsck(database, [signer_of(_config()).verifier], keys_of=ProtobufBatchCodec(None).keys_of)
            assert report.findings == []
            leaves = [reader.leaf(n) for n in range(report.size)]
            return [leaf.kind.value for leaf in leaves], [leaf.body for leaf in leaves]
        finally:
            database.close()

    def records(self) -> list[bytes]:
        return [body for kind, body in zip(*self.look(), strict=True) if kind == Kind.RECORD]

    async def until(self, records: int) -> None:
        """Wait for that many record leaves."""
        async with asyncio.timeout(30):
            while self._count() < records:
                await asyncio.sleep(0.02)

    def _count(self) -> int:
        try:
            database = self.store.open_reader()
        except Exception as error:
            assert type(error).__name__ == "NotFoundError"
            return 0
        try:
            return LogReader(database).tallies().get((Kind.RECORD, "bank-a"), 0) if database.has_table("tally") else 0
        finally:
            database.close()


def _config():
    from audit.config import Config

    return Config()


@pytest.fixture
async def bench(stack: Stack, topic_prefix: str, tmp_path: Path) -> Bench:
    bench = Bench(KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=topic_prefix), tmp_path)
    await bench.create()
    return bench


async def test_it_goes_on_from_its_own_offsets(bench: Bench) -> None:
    await bench.send(*range(5))
    await bench.send(*range(5, 8), partition=1)
    async with bench.reading():
        await bench.until(8)
    await bench.send(8, 9)
    async with bench.reading():
        await bench.until(10)
        await bench.send(10, partition=1)
        await bench.until(11)
    assert sorted(bench.records()) == sorted(record(n) for n in range(11))
    assert set(bench.look()[0]) == {"record"}


async def test_aborted_batches_are_never_seen_and_a_new_epoch_leaves_no_gap(bench: Bench) -> None:
    await bench.send(0, 1, transaction="commit")
    await bench.send(2, transaction="abort")
    bench.writers[0] = BatchWriter("risk-scoring/stream/0", 2, SIGNER)
    await bench.send(2, 3, transaction="commit")
    async with bench.reading():
        await bench.until(4)
    kinds, bodies = bench.look()
    assert kinds == ["record"] * 4
    assert bodies == [record(n) for n in range(4)]


async def test_retention_that_passed_is_a_gap(bench: Bench) -> None:
    await bench.send(*range(4))
    async with bench.reading():
        await bench.until(4)
    await bench.send(*range(4, 10))
    await bench.delete_before(0, 7)
    async with bench.reading():
        await bench.until(7)
    kinds, bodies = bench.look()
    assert kinds == ["record"] * 4 + ["gap", "gap"] + ["record"] * 3
    assert b'"reason":"RETENTION_PASSED"' in bodies[4]
    assert b'"due":4' in bodies[4]
    assert b'"resumed":7' in bodies[4]
    assert b'"reason":"PRODUCER_SEQUENCE"' in bodies[5]


async def test_a_topic_created_anew_is_a_gap_although_offsets_would_fit(bench: Bench) -> None:
    """While nobody reads: the new topic is longer than the old one was, so offsets alone would look right."""
    await bench.send(0, 1)
    async with bench.reading():
        await bench.until(2)
    await bench.recreate()
    bench.writers = [BatchWriter(f"risk-scoring/stream/{n}", 2, SIGNER) for n in range(PARTITIONS)]
    await bench.send(2, 3, 4, 5)
    async with bench.reading():
        await bench.until(6)
    kinds, bodies = bench.look()
    assert kinds == ["record"] * 2 + ["gap"] * PARTITIONS + ["record"] * 4
    assert all(b'"reason":"TOPIC_CREATED_ANEW"' in body for body in bodies[2 : 2 + PARTITIONS])


async def test_a_topic_created_anew_under_a_running_reader(bench: Bench) -> None:
    async with bench.reading():
        await bench.send(0, 1)
        await bench.until(2)
        await bench.recreate()
        bench.writers = [BatchWriter(f"risk-scoring/stream/{n}", 2, SIGNER) for n in range(PARTITIONS)]
        await bench.send(2, 3, 4)
        await bench.until(5)
    kinds, _ = bench.look()
    assert kinds == ["record"] * 2 + ["gap"] * PARTITIONS + ["record"] * 3


async def test_a_topic_that_is_not_there_yet_is_waited_for(stack: Stack, topic_prefix: str, tmp_path: Path) -> None:
    bench = Bench(KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=topic_prefix), tmp_path)
    async with bench.reading():
        async with asyncio.timeout(20):
            while "UnknownTopicOrPartitionError" not in bench.health.reasons:
                await asyncio.sleep(0.02)
        await bench.create()
        await asyncio.wait_for(bench.health.up.wait(), 20)
        await bench.send(0)
        await bench.until(1)


async def test_topic_ids(bench: Bench) -> None:
    async with TopicIds(bench.kafka) as topics:
        before = await topics.identity(bench.topic)
        assert await topics.identity(bench.topic) == before
        assert before.partitions == {0, 1}
    await bench.recreate()
    async with TopicIds(bench.kafka) as topics:
        assert (await topics.identity(bench.topic)).id != before.id


@pytest.mark.timeout(120)
async def test_kill_9_again_and_again(bench: Bench) -> None:
    """The whole process is killed while it writes; what it committed is there once, the rest comes again."""
    environment = os.environ | {
        "FINMESH_KAFKA__BOOTSTRAP_SERVERS": bench.kafka.bootstrap_servers,
        "FINMESH_KAFKA__TOPIC_PREFIX": bench.kafka.topic_prefix,
        "FINMESH_AUDIT__DATABASE_URL": bench.url,
        "FINMESH_AUDIT__FLUSH_RECORDS": "1",
    }
    total = 2000
    sending = asyncio.create_task(bench.send(*range(total)))
    for kills in range(4):
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "audit", env=environment, stderr=asyncio.subprocess.DEVNULL)
        await bench.until(total if kills == 3 else 60 * (kills + 1))
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert kills > 0 or bench._count() < total, "killed too late to prove anything"
    await sending
    assert bench.records() == [record(n) for n in range(total)]
    assert set(bench.look()[0]) == {"record"}
