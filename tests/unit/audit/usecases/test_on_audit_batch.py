"""Messages become leaves in a real log; only Kafka is missing."""

import json
from pathlib import Path

import pytest
from audit.domain.message import Lost, Message
from audit.main import commit_under
from audit.translate import ProtobufBatchCodec
from audit.usecases.on_audit_batch import OnAuditBatch
from finmesh.audit.v1.audit_record_pb2 import AuditBatch, AuditRecord
from meshkit.audit.batch import BatchWriter
from meshkit.clock import FakeClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.ring import Ring, RingKeys
from meshkit.testing.keys import batch_signer, batch_verifier, commitment_ring
from translog.entries import Kind, NextOffset, ProducerPosition
from translog.fsck import fsck
from translog.log import Log
from translog.note import Signer
from translog.sqlite import SqliteDatabase

TOPIC = "finmesh.audit.v1.AuditBatch"
SIGNER = batch_signer()
COMMIT = commit_under(commitment_ring())


class DirectLog:
    """Port AuditLog without its thread."""

    def __init__(self, log: Log) -> None:
        self.log = log

    async def offsets(self):
        return self.log.offsets()

    async def producers(self):
        return self.log.producers()

    async def append(self, batch):
        return self.log.append(batch)


class Remembering:
    """Port Alarms."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, int], int, int]] = []

    def committed(self, leaves, duplicates, size) -> None:
        self.seen.append(({kind.value: n for kind, n in leaves.items()}, duplicates, size))


def record(n: int, **fields) -> bytes:
    return AuditRecord(**({"audit_record_id": f"a-{n}", "tenant": "bank-a", "request_id": f"r-{n}"} | fields)).SerializeToString()


class Bench:
    """The use case over a SQLite file, and a producer."""

    def __init__(self, path: Path) -> None:
        self.database = SqliteDatabase.open_writer(path)
        self.log = Log.open(self.database, signer=Signer("log", bytes(32)), seal=lambda c: c[::-1], commit=COMMIT, now_ms=1)
        self.alarms = Remembering()
        self.usecase = OnAuditBatch(DirectLog(self.log), ProtobufBatchCodec(batch_verifier()), self.alarms, FakeClock(1000.5))
        self.writer = BatchWriter("risk-scoring/stream/0", 1, SIGNER)
        self.offset = 0

    def message(self, value: bytes) -> Message:
        self.offset += 1
        return Message(TOPIC, 0, "topic-id", self.offset - 1, value)

    def batch(self, *records: bytes) -> Message:
        (value,) = self.writer.envelopes(records)
        return self.message(value)

    async def store(self, *messages: Message, lost: tuple[Lost, ...] = ()) -> None:
        await self.usecase.store(messages, lost, [NextOffset(TOPIC, 0, "topic-id", self.offset)])

    def kinds(self) -> list[str]:
        """Of all leaves but positions, each of which ends a transaction."""
        kinds = [self.log.reader.leaf(n).kind for n in range(self.log.size)]
        assert kinds[-1] is Kind.POSITION
        return [kind.value for kind in kinds if kind is not Kind.POSITION]


@pytest.fixture
def bench(tmp_path: Path):
    bench = Bench(tmp_path / "audit.db")
    yield bench
    report = fsck(bench.database, [Signer("log", bytes(32)).verifier], keys_of=ProtobufBatchCodec(None).keys_of)
    bench.database.close()
    assert report.findings == []


async def test_every_record_is_a_leaf_of_its_exact_bytes(bench: Bench) -> None:
    unknown_field = record(1) + b"\xf8\x07\x2a"  # field 127, which no schema knows: kept as it is
    await bench.store(bench.batch(record(0), unknown_field), bench.batch(record(2)))
    assert [bench.log.reader.leaf(n).body for n in (1, 2, 3)] == [record(0), unknown_field, record(2)]
    assert bench.log.reader.record("a-1").received_ms == 1_000_500
    assert bench.log.offsets() == [NextOffset(TOPIC, 0, "topic-id", 2)]
    assert bench.log.producers() == [ProducerPosition("risk-scoring/stream/0", 1, 1)]
    assert bench.alarms.seen == [({"record": 3}, 0, 5)]


async def test_a_replay_in_another_envelope_changes_nothing(bench: Bench) -> None:
    await bench.store(bench.batch(record(0), record(1)))
    bench.writer = BatchWriter("risk-scoring/stream/0", 2, SIGNER)
    await bench.store(bench.batch(record(0)), bench.batch(record(1)))
    assert bench.kinds() == ["record", "record"]
    assert bench.alarms.seen[-1] == ({}, 2, 5)


async def test_other_bytes_under_a_known_id(bench: Bench) -> None:
    await bench.store(bench.batch(record(0)))
    await bench.store(bench.batch(record(0, outcome="OUTCOME_APPROVE"), record(1)))
    assert bench.kinds() == ["record", "conflict", "record"]
    assert bench.log.reader.record("a-0").body == record(0)


async def test_poison_stalls_nothing_and_is_not_lost(bench: Bench) -> None:
    forged = AuditBatch(producer="risk-scoring/stream/0", epoch=1 << 60, records=[record(9)], key_id="dev-1", signature=b"x")
    await bench.store(
        bench.batch(record(0)),
        bench.message(b"\xff\xff junk"),
        bench.message(b""),
        bench.message(forged.SerializeToString()),
        bench.batch(b"\xff not a record", record(1), b'{"finmesh.translog":"gap"}', record(2)),
    )
    assert bench.kinds() == ["record", "poison", "poison", "poison", "poison", "record", "poison", "record"]
    rows = bench.database.query("SELECT sealed FROM quarantine ORDER BY leaf_index")
    assert [row[0][::-1] for row in rows][:2] == [b"\xff\xff junk", b""]
    assert bench.log.offsets()[0].offset == 5


async def test_a_conflict_is_recognised_under_every_key_of_the_ring(bench: Bench, tmp_path: Path) -> None:
    """A commitment key was promoted and nothing was started again."""
    file = tmp_path / "commitment.json"
    file.touch(mode=0o600)
    file.write_bytes(RingKeys("commitment", "k-1", {"k-1": b"1" * 32}).content())
    ring = Ring.of_file(file, "commitment", CommitmentKey)
    bench.log._commit = commit_under(ring)
    await bench.store(bench.batch(record(0)), bench.batch(record(0, outcome="OUTCOME_DECLINE")))
    file.write_bytes(RingKeys("commitment", "k-2", {"k-1": b"1" * 32, "k-2": b"2" * 32}).content())
    await ring.reload()
    await bench.store(bench.batch(record(0, outcome="OUTCOME_DECLINE")), bench.message("手机 13800138000".encode()))
    assert bench.kinds() == ["record", "conflict", "poison"]
    conflict, poison = (json.loads(bench.log.reader.leaf(n).body) for n in (2, 4))
    assert (conflict["key_id"], poison["key_id"]) == ("k-1", "k-2")
    assert poison["commitment"] == CommitmentKey("k-2", b"2" * 32).commit("手机 13800138000".encode()).hex()


async def test_a_forged_epoch_hides_no_hole(bench: Bench) -> None:
    forged = AuditBatch(producer="risk-scoring/stream/0", epoch=1 << 60, key_id="dev-1", signature=b"x")
    await bench.store(bench.batch(record(0)), bench.message(forged.SerializeToString()))
    next(bench.writer.envelopes([record(1)]))  # never arrives
    await bench.store(bench.batch(record(2)))
    assert bench.kinds() == ["record", "poison", "gap", "record"]
    assert b'"reason":"PRODUCER_SEQUENCE"' in bench.log.reader.leaf(4).body


async def test_a_record_above_the_leaf_limit(bench: Bench) -> None:
    batch = AuditBatch(producer="risk-scoring/p", records=[record(0, build="x" * 65_536)])
    SIGNER.sign(batch)
    await bench.store(bench.message(batch.SerializeToString()))
    assert bench.kinds() == ["poison"]
    assert b"RECORD_NOT_ALLOWED" in bench.log.reader.leaf(1).body


async def test_losses_are_leaves_before_what_follows(bench: Bench) -> None:
    lost = Lost(TOPIC, 0, "RETENTION_PASSED", "topic-id", 3, "topic-id", 40)
    bench.offset = 40
    await bench.store(bench.batch(record(0)), lost=(lost,))
    assert bench.kinds() == ["gap", "record"]
    assert b'"due":3' in bench.log.reader.leaf(1).body
    assert bench.alarms.seen == [({"gap": 1, "record": 1}, 0, 4)]


async def test_positions_survive_a_restart_and_uncommitted_ones_are_forgotten(bench: Bench) -> None:
    await bench.store(bench.batch(record(0)))
    lost_message = bench.batch(record(1))
    assert await bench.usecase.offsets(TOPIC) == {0: NextOffset(TOPIC, 0, "topic-id", 1)}
    assert await bench.usecase.offsets("another.topic") == {}
    await bench.store(lost_message, bench.batch(record(2)))
    assert bench.kinds() == ["record"] * 3
    assert Kind.GAP not in {kind for kind, _ in bench.log.reader.tallies()}
