"""One audit topic, one log, the consumer between them in process: what tests of the real topic share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from audit.adapters.anchors import Anchors
from audit.adapters.translog_audit_log import TranslogAuditLog
from audit.config import AuditSettings
from audit.consumers import AuditBatches
from audit.main import commit_under, signer_of
from audit.translate import ProtobufBatchCodec
from audit.usecases.on_audit_batch import OnAuditBatch
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.audit.batch import BatchWriter
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.clock import SystemClock
from meshkit.config import KafkaSettings
from meshkit.events.offsets_in_db import OffsetsInDb
from meshkit.testing.keys import batch_signer, batch_verifier, commitment_ring
from translog.entries import Kind
from translog.fsck import fsck
from translog.reader import LogReader
from translog.stores import store_at

SIGNER = batch_signer()
COMMIT = commit_under(commitment_ring())
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
        self.topic = kafka.topic_prefix + AUDIT_TOPIC
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
        async with asyncio.timeout(60):
            while True:
                (described,) = await admin.describe_topics([self.topic])
                if len(described["partitions"]) == PARTITIONS and all(p["leader"] >= 0 for p in described["partitions"]):
                    return
                await asyncio.sleep(0.05)

    async def recreate(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        await admin.start()
        await admin.delete_topics([self.topic])
        async with asyncio.timeout(60):
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
        log = TranslogAuditLog(self.store, signer_of(AuditSettings()), lambda content: content[::-1], COMMIT, anchors, clock)
        async with log:
            sink = AuditBatches(OnAuditBatch(log, ProtobufBatchCodec(batch_verifier()), Silent(), clock))
            stopping = asyncio.Event()
            work = asyncio.create_task(OffsetsInDb(self.kafka, AUDIT_TOPIC, sink, self.health).run(stopping))
            try:
                yield
            finally:
                stopping.set()
                await work

    def look(self) -> tuple[list[str], list[bytes]]:
        """Kinds and bodies of all leaves but positions; the log must be sound."""
        database = self.store.open_reader()
        try:
            reader = LogReader(database)
            report = fsck(database, [signer_of(AuditSettings()).verifier], keys_of=ProtobufBatchCodec(None).keys_of)
            assert report.findings == []
            leaves = [leaf for leaf in map(reader.leaf, range(report.size)) if leaf.kind is not Kind.POSITION]
            return [leaf.kind.value for leaf in leaves], [leaf.body for leaf in leaves]
        finally:
            database.close()

    def records(self) -> list[bytes]:
        return [body for kind, body in zip(*self.look(), strict=True) if kind == Kind.RECORD]

    async def until(self, records: int) -> None:
        """Wait for that many record leaves."""
        async with asyncio.timeout(60):
            while self.count() < records:
                await asyncio.sleep(0.02)

    def count(self) -> int:
        try:
            database = self.store.open_reader()
        except Exception as error:
            assert type(error).__name__ == "NotFoundError"
            return 0
        try:
            return LogReader(database).tallies().get((Kind.RECORD, "bank-a"), 0) if database.has_table("tally") else 0
        finally:
            database.close()
