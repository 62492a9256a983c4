"""A signing key rotates on a real topic, under load and without a restart: nothing lost, nothing poison but what a retired key signed."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from audit.config import AuditKeys, AuditSettings, Config
from audit.main import serve
from finmesh.audit.v1.audit_record_pb2 import AuditBatch, AuditRecord
from meshkit.audit.batch import BatchSigner, BatchWriter, SigningKey
from meshkit.audit.emit import AuditEmitter
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.config import KafkaSettings, ProducerKeys, ServiceConfig
from meshkit.crypto.derive import AUDIT_BATCH, signing
from meshkit.crypto.ring import Ring, read_ring
from meshkit.events.message import Message
from meshkit.events.publisher import Publisher
from meshkit.events.replay import TopicReader
from meshkit.service import Service
from meshkit.testing.serving import running
from provisioning import keys, services

from tests.ports.audit.bench import Bench, record
from tests.stack import Stack

pytestmark = pytest.mark.stack
PURPOSE = signing("risk-scoring")
RELOAD_S = 0.05


@pytest.fixture
async def bench(stack: Stack, topic_prefix: str, tmp_path: Path) -> Bench:
    bench = Bench(KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=topic_prefix), tmp_path)
    await bench.create()
    return bench


def audit_config(bench: Bench, folder: Path) -> Config:
    rings = {workload: keys.path_of(folder, signing(workload)) for workload in set(services.load().producers.values())}
    return Config(
        kafka=bench.kafka,
        keys=AuditKeys(
            reload_s=RELOAD_S,
            seal=keys.path_of(folder, "seal"),
            audit_batch=rings,
            audit_batch_shared=keys.path_of(folder, AUDIT_BATCH),
        ),
        audit=AuditSettings(database_url=bench.url, producers=services.load().producers, flush_delay_ms=5),
    )


def late(number: int) -> bytes:
    return AuditRecord(audit_record_id=f"late-{number}", tenant="bank-a").SerializeToString()


class Load:
    """One producer that never rests, with its signing key from a file: what the RPC process does."""

    def __init__(self, bench: Bench, service: Service, folder: Path) -> None:
        self.keys = ProducerKeys(audit_batch=keys.path_of(folder, PURPOSE), reload_s=RELOAD_S)
        self.ring = service.ring(self.keys.audit_batch, PURPOSE, SigningKey, self.keys.reload_s)
        self.publisher = Publisher(bench.kafka)
        self.emitter = AuditEmitter(self.publisher, "risk-scoring/rpc/r1", BatchSigner(self.ring), bench.kafka.topic_prefix, service)
        self.sent = 0

    async def run(self, ended: asyncio.Event) -> None:
        async with aclosing(self.publisher):
            while not ended.is_set():
                await self.emitter.write([record(self.sent)])
                self.sent += 1

    async def more(self, records: int) -> None:
        """Wait until so many more are acknowledged."""
        wanted = self.sent + records
        async with asyncio.timeout(60):
            while self.sent < wanted:
                await asyncio.sleep(0.01)

    async def signs_with(self, key_id: str) -> None:
        async with asyncio.timeout(60):
            while self.ring.primary.id != key_id:
                await asyncio.sleep(0.01)


@pytest.mark.timeout(180)
async def test_add_promote_retire_under_load(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    keys.ensure_keys(folder, b"a root of a test, long enough: 32 bytes", "old", services.load().producers.values())
    config, ended = audit_config(bench, folder), asyncio.Event()
    left_over = Ring(read_ring(keys.path_of(folder, PURPOSE), PURPOSE), SigningKey)
    async with running(Service(config, "audit"), partial(serve, config)) as audit, Service(ServiceConfig(), "risk-scoring") as producer:
        load = Load(bench, producer, folder)
        sending = asyncio.create_task(load.run(ended))
        await load.more(50)
        keys.add(folder, PURPOSE, "new")
        keys.promote(folder, PURPOSE, "new")  # at once: audit may hear of it last
        await load.signs_with("new")
        await load.more(50)
        ended.set()
        await sending
        await bench.until(load.sent)  # the longest lag is over
        keys.retire(folder, PURPOSE, "old")
        poison = await _until_refused(bench, BatchSigner(left_over))
        async with asyncio.timeout(60):  # its first look at the log may have come before there was one
            while audit.state()["state"] != "ready":
                await asyncio.sleep(0.01)
    kinds, bodies = bench.look()
    assert bodies[: load.sent] == [record(n) for n in range(load.sent)]
    assert (Counter(kinds)["poison"], set(kinds)) == (1, {"record", "poison"})
    assert b"SIGNATURE_WRONG" in poison
    signed = await _signed_with(bench)
    assert signed["old"] > 40 and signed["new"] >= 50


async def _until_refused(bench: Bench, signer: BatchSigner) -> bytes:
    """Send what the retired key signs until audit has let go of it; returns the poison leaf."""
    writer = BatchWriter("risk-scoring/rpc/gone", 1, signer)
    async with asyncio.timeout(60), aclosing(Publisher(bench.kafka)) as publisher:
        for number in count():
            leaves = len(bench.look()[0])
            (value,) = writer.envelopes([late(number)])
            await publisher.write([Message(bench.topic, 0, b"gone", value, ())])
            while len(bench.look()[0]) == leaves:
                await asyncio.sleep(0.01)
            kinds, bodies = bench.look()
            if "poison" in kinds:
                return bodies[kinds.index("poison")]
    raise AssertionError


async def _signed_with(bench: Bench) -> Counter[str]:
    """How many batches of the topic each key signed."""
    found: Counter[str] = Counter()
    reader = TopicReader(bench.kafka, AUDIT_TOPIC)
    try:
        for partition in await reader.partitions():
            async for records, _ in reader.read(partition, 0):
                found.update(AuditBatch.FromString(each.value or b"").key_id for each in records)
    finally:
        await reader.aclose()
    return found
