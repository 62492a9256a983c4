"""The audit log: records on the topic to a committed checkpoint beside bare SQLite inserts of the same bytes, then a full check.

The audit service is down while the topic is filled, then started: its time begins with the first commit that is seen. The bare thing is one
table with the record's bytes in it, as durable (WAL, synchronous FULL), in transactions as large as the log's own: no ids, no indexes, no
hashes, no proofs. What the broker takes to hand the records over counts on both sides.
"""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from aiokafka import AIOKafkaProducer
from audit.translate import ProtobufBatchCodec
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.audit.batch import BatchSigner, BatchWriter, SigningKey
from meshkit.clock import SystemClock
from meshkit.crypto.derive import signing
from meshkit.crypto.ring import Ring, read_ring
from meshkit.events.connection import connection
from provisioning.keys import path_of
from simbank.tokens import mix64
from translog.fsck import fsck
from translog.note import Verifier
from translog.reader import LogReader
from translog.sqlite import SqliteDatabase

from bench import rate, site
from bench.cost import Look, Meter, cost_figures, cost_words
from bench.processes import Usage
from bench.report import Figures, Target
from bench.site import Site

TOPIC = "finmesh.audit.v1.AuditBatch"
BATCH = 256  # records in a message, as the stream sends them under load
TARGETS = {"events_per_s": Target(min=5_000), "ratio": Target(min=0.1), "fsck_entries_per_s": Target(min=1_000_000 / 60)}
_PROCESSES = ("audit", "kafka")
WORDS = {
    **cost_words(_PROCESSES, "record", "an audit record", ("bare", "a bare insert, with the broker's share")),
    "events_per_s": "records from topic to committed checkpoint, 1/s",
    "bare_events_per_s": "bare SQLite inserts of the same bytes, 1/s",
    "ratio": "log : bare",
    "fsck_entries_per_s": "entries checked by fsck (every body and tile hashed again), 1/s",
    "records": "records logged",
    "findings": "what fsck found",
}
_MAX_S = 600.0


async def measure(var: Path | None, records: int, say: Callable[[str], None]) -> Figures:
    """Run it. Raises StartError."""
    async with site.opened(var, ["kafka", "provision", "audit"]) as at:
        await at.mesh.stop("audit")
        bodies = [record(number) for number in range(records)]
        await _fill(at, bodies)
        say(f"{records:,} records of {sum(map(len, bodies)) // records} bytes on the topic")
        meter = Meter(at.usage)
        found, each_us = await _logged(at, records, meter)
        await at.mesh.stop("audit")
        in_a_commit = max(records // max(_commits(at), 1), 1)
        bare_before, before_us = await asyncio.to_thread(_bare, at.places.var / "bare-1.db", bodies, in_a_commit)
        bare_after, after_us = await asyncio.to_thread(_bare, at.places.var / "bare-2.db", bodies, in_a_commit)
        entries_per_s, findings = await asyncio.to_thread(_checked, at)
        bare = (bare_before + bare_after) / 2
        bare_us = (before_us + after_us) / 2 + each_us["kafka"]
        values = {
            **cost_figures(each_us, _PROCESSES, "record", ("bare", bare_us)),
            "events_per_s": found,
            "bare_events_per_s": bare,
            "ratio": found / bare,
            "fsck_entries_per_s": entries_per_s,
            "records": float(records),
            "findings": float(findings),
        }
        figures = Figures("audit: topic to checkpoint", values, TARGETS, WORDS)
        figures.notes["bare inserts, twice, 1/s"] = f"{bare_before:,.0f}, {bare_after:,.0f}"
        figures.notes["records in one commit"] = f"{in_a_commit:,}"
        figures.notes["bytes on disk of one record, with its proof"] = f"{at.audit_file.stat().st_size / records:,.0f}"
        return figures


def record(number: int) -> bytes:
    """A record like those of the stream: same fields, same sizes."""
    bits = mix64(number)
    digest = bits.to_bytes(8, "big") * 4
    decision = str(uuid.UUID(int=(bits << 64 | mix64(bits)) & ((1 << 128) - 1)))
    message = AuditRecord(
        audit_record_id=str(uuid.UUID(int=(mix64(~bits & (1 << 64) - 1) << 64 | bits) & ((1 << 128) - 1))),
        producer="risk-scoring",
        tenant="retail" if bits % 4 else "rural",
        scenario="anti-fraud",
        purpose="fraud-prevention",
        principal_key=digest[:16],
        request_id=decision,
        decision_id=decision,
        decision_commitment=digest,
        commitment_key_id="dev-1",
        feature_commitment=digest,
        outcome="OUTCOME_APPROVE",
        model_digest=digest.hex(),
        model_version="1",
        rule_set_version="anti-fraud-1",
        feature_schema_version=1,
        trace_id=digest[:16],
        build="risk-scoring/0.1.0",
    )
    message.event_time.FromMicroseconds(time.time_ns() // 1_000)
    message.decided_time.FromMicroseconds(time.time_ns() // 1_000)
    return message.SerializeToString()


async def _fill(at: Site, bodies: Sequence[bytes]) -> None:
    purpose = signing("risk-scoring")
    signer = BatchSigner(Ring(read_ring(path_of(at.places.keys, purpose), purpose), SigningKey))
    writers = [BatchWriter(f"risk-scoring/stream/bench-{partition}", 1, signer) for partition in range(2)]
    producer = AIOKafkaProducer(**connection(at.kafka), acks="all", enable_idempotence=True, max_request_size=4_000_000)
    await producer.start()
    try:
        for number, start in enumerate(range(0, len(bodies), BATCH)):
            for envelope in writers[number % 2].envelopes(bodies[start : start + BATCH]):
                await producer.send(TOPIC, envelope, partition=number % 2)
        await producer.flush()
    finally:
        await producer.stop()


def _size(at: Site) -> int:
    with closing(SqliteDatabase.open_reader(at.audit_file)) as database:
        return LogReader(database).records()


def _commits(at: Site) -> int:
    with closing(SqliteDatabase.open_reader(at.audit_file)) as database:
        return int(database.query("SELECT COUNT(*) FROM checkpoint WHERE size > 0")[0][0])


async def _logged(at: Site, records: int, meter: Meter) -> tuple[float, dict[str, float]]:
    """Records a second, and microseconds by process for each: from the first commit that is seen to the last.

    A run that one commit ends is too small for that, and counts with the start of the process.
    """
    fresh = meter.now()
    looks: list[tuple[int, Look]] = []

    async def size() -> int:
        found = _size(at)
        if found and (not looks or found != looks[-1][0]):
            looks.append((found, meter.now()))
        return found

    starting = asyncio.create_task(at.mesh.start("audit"))
    samples = await rate.watched(size, records, _MAX_S, SystemClock(), every_s=0.05)
    await starting
    if "audit" not in looks[-1][1].used:
        looks.append((looks[-1][0], meter.now()))
    await meter.rest(looks[-1][1].at_s - fresh.at_s)
    last, ended = looks[-1]
    from_start = (0, Look({**fresh.used, "audit": Usage(0, 0)}, fresh.at_s))
    first, began = next(((count, look) for count, look in looks if count < last and "audit" in look.used), from_start)
    return rate.sustained(samples, records), meter.us_each(began, ended, last - first)


def _bare(file: Path, bodies: Sequence[bytes], batch: int) -> tuple[float, float]:
    """Rows a second of a plain table, and microseconds of processor time for each."""
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        began_s, began_cpu_s = time.perf_counter(), time.thread_time()
        for start in range(0, len(bodies), batch):
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO record (body) VALUES (?)", ((body,) for body in bodies[start : start + batch]))
            database.execute("COMMIT")
        return len(bodies) / (time.perf_counter() - began_s), (time.thread_time() - began_cpu_s) / len(bodies) * 1e6


def _checked(at: Site) -> tuple[float, int]:
    """Entries a second, and how many findings."""
    with closing(SqliteDatabase.open_reader(at.audit_file)) as database:
        _, key = LogReader(database).require()
        began_s = time.perf_counter()
        report = fsck(database, [Verifier.parse(key)], keys_of=ProtobufBatchCodec(None).keys_of)
        return report.size / (time.perf_counter() - began_s), len(report.findings)
