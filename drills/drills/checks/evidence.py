"""What is read back from outside when the run is over: the decision topic, the dead letters, the whole audit log.

Independent of what was watched live: topics are read anew, committed records only, from their first offset to their last stable one.
Decisions are taken as any reader takes them: the first record of an id counts, and repeated ones must have the same bytes.
"""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import ConsumerRecord
from finmesh.audit.v1 import audit_record_pb2
from finmesh.risk.v1 import decision_pb2 as pb
from meshkit.config import KafkaSettings
from meshkit.events.dead_letter import SUFFIX
from meshkit.events.replay import TopicReader
from translog.entries import Kind, kind_of
from translog.fsck import fsck
from translog.note import Verifier
from translog.reader import LogReader
from translog.sqlite import SqliteDatabase

from drills.checks.audited import of_decision
from drills.checks.balance import Audited, Decision

DECIDED = pb.TransactionDecided.DESCRIPTOR.full_name
_PAGE = 4096


@dataclass
class Decided:
    """The decision topic. `telling` holds the record with most reasons of each outcome, for people."""

    records: int = 0
    repeated: int = 0
    contradictory: int = 0
    first: dict[str, Decision] = field(default_factory=dict)
    telling: dict[int, pb.TransactionDecided] = field(default_factory=dict)

    def take(self, value: bytes) -> None:
        """Add the next record."""
        record = pb.TransactionDecided.FromString(value)
        digest = hashlib.sha256(value).digest()
        self.records += 1
        known = self.first.get(record.decision_id)
        if known is not None:
            self.repeated += 1
            self.contradictory += known.digest != digest
            return
        self.first[record.decision_id] = Decision(
            trace=record.trace_id, digest=digest, tenant=record.tenant, outcome=pb.Outcome.Name(record.outcome),
            reasons=tuple(reason.code for reason in record.reasons), degraded=bool(record.degradations),
        )  # fmt: skip
        shown = self.telling.get(record.outcome)
        if shown is None or len(record.reasons) >= len(shown.reasons):  # of equals the newest: its trace is still there
            self.telling[record.outcome] = record


async def decisions(kafka: KafkaSettings) -> Decided:
    """Read the decision topic. Raises Unavailable."""
    found = Decided()
    async for record in _records(kafka, DECIDED):
        found.take(record.value or b"")
    return found


async def dead_letters(kafka: KafkaSettings, topics: list[str]) -> Counter[str]:
    """Distinct dead letters of `topics` by reason. Raises Unavailable."""
    places: dict[bytes, str] = {}
    for topic in topics:
        async for record in _records(kafka, topic + SUFFIX):
            places[record.key] = dict(record.headers)["reason"].decode()
    return Counter(places.values())


async def _records(kafka: KafkaSettings, topic: str) -> AsyncIterator[ConsumerRecord]:
    reader = TopicReader(kafka, topic)
    try:
        for partition in await reader.partitions():
            async for records, _ in reader.read(partition, 0):
                for record in records:
                    yield record
    finally:
        await reader.aclose()


@dataclass(frozen=True)
class Log:
    """The audit log as its file holds it. `damage` is what a full check (every body and tile hashed again) found.

    `others`: records by tenant that are no decision's.
    """

    audited: dict[str, Audited]
    others: Counter[str]
    size: int
    damage: tuple[str, ...]


def audit_log(path: Path) -> Log:
    """Read and check the whole store. Blocks; raises translog's errors."""
    database = SqliteDatabase.open_reader(path)
    try:
        reader = LogReader(database)
        _, key = reader.require()
        report = fsck(database, [Verifier.parse(key)])
        audited: dict[str, Audited] = {}
        others = Counter[str]()
        damage = [f"{finding.check} at {finding.where}: {finding.detail}" for finding in report.findings]
        for start in range(0, report.size, _PAGE):
            for body in reader.bodies(start, min(start + _PAGE, report.size)):
                if kind_of(body) is not Kind.RECORD:
                    continue
                record = audit_record_pb2.AuditRecord.FromString(body)
                if not of_decision(record):
                    others[record.tenant] += 1
                    continue
                if record.decision_id in audited:
                    damage.append(f"two records of decision {record.decision_id}")
                audited[record.decision_id] = Audited(record.tenant, record.outcome, tuple(record.reason_codes))
        return Log(audited, others, report.size, tuple(damage))
    finally:
        database.close()
