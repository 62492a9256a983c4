"""A refused call and a change of a list become leaves: a gateway and a publisher on a real broker, the audit service's consumer."""

import asyncio
from pathlib import Path

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit import errors
from meshkit.audit.emit import AuditEmitter
from meshkit.audit.records import KEYS as KEY_RINGS
from meshkit.audit.records import POLICIES, TOKEN_KEYS, AuditRecords
from meshkit.clock import SystemClock
from meshkit.config import KafkaSettings
from meshkit.events.publisher import Publisher
from meshkit.events.replay import TopicReader
from meshkit.testing.keys import batch_signer, commitment_ring
from risk_scoring.adapters.kafka_publisher import KafkaPublisher
from risk_scoring.domain.decision import Asker
from risk_scoring.domain.lists import ListChange
from risk_scoring.translate.list_changes import LIST_TOPIC, ListChangeCodec
from risk_scoring.usecases.change_list_entry import ChangeListEntry

from tests.component.gateway.conftest import OpenDoor, certs, open_door
from tests.component.gateway.test_denials import CHANGE, told
from tests.ports.audit.bench import Bench, Health
from tests.protocol.makers import KEYS
from tests.stack import Stack

__all__ = ["certs", "open_door"]  # fixtures
pytestmark = pytest.mark.stack
TENANT = "bank-a"


@pytest.fixture
def bench(stack: Stack, provisioned: str, tmp_path: Path) -> Bench:
    return Bench(KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=provisioned), tmp_path)


def leaves(bench: Bench) -> list[AuditRecord]:
    kinds, bodies = bench.look()
    assert set(kinds) == {"record"}, "nothing of ours is poison"
    return [AuditRecord.FromString(body) for body in bodies]


async def test_a_denial_and_what_is_in_force_are_leaves(bench: Bench, open_door: OpenDoor) -> None:
    async with bench.reading(), open_door(publisher=Publisher, kafka=bench.kafka) as door:
        for _ in range(12):
            error = await door.failure(door.stub.ChangeListEntry, CHANGE, door.token(roles=[]))
            assert isinstance(error, errors.PermissionDenied)
        await bench.until(1)
        async with asyncio.timeout(60):
            while sum(count for record in leaves(bench) for *_, count in told(record)) < 12:
                await asyncio.sleep(0.1)
    found = leaves(bench)
    refused = [each for record in found for each in told(record)]
    assert sum(count for *_, count in refused) == 12
    assert {each[:3] for each in refused} == {("POLICY_DENIED", "ChangeListEntry", "client")}
    assert {record.change.version.of for record in found if record.HasField("change")} == {POLICIES, TOKEN_KEYS, KEY_RINGS}


async def test_a_change_of_a_list_is_a_leaf(bench: Bench) -> None:
    events = Publisher(bench.kafka)
    emitter = AuditEmitter(events, "risk-scoring/rpc/r1", batch_signer(), bench.kafka.topic_prefix, Health())  # type: ignore[arg-type]
    publisher = KafkaPublisher(events, emitter, KEYS, bench.kafka.topic_prefix)
    codec = ListChangeCodec(AuditRecords("risk-scoring", "development", SystemClock()), KEYS, commitment_ring())
    change = ListChange(TENANT, 1, 2, "账户-6222021234567890128", "", 4e9, "fraud-desk", "张三 13800138000")
    reader = TopicReader(bench.kafka, LIST_TOPIC)
    try:
        async with bench.reading():
            asker = Asker("0198c1d2-7a3b-7c4d-8e5f-60718293a4b5", "fraud-desk", "fraud-prevention", b"\x01" * 32)
            await ChangeListEntry(publisher, codec)(change, b"payload", asker)
            await bench.until(1)
        (record,) = leaves(bench)
        written = [message async for messages, _ in reader.read(0, 0) for message in messages]
        assert [(message.key, message.value) for message in written] == [(record.change.list_entry.entry_key, b"payload")]
        assert record.change.list_entry.list == "LIST_KIND_BLOCK"
    finally:
        await reader.aclose()
        await events.aclose()
