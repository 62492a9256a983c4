"""What is read back from outside when the load has ended: the decision topic and the whole audit log, byte by byte."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh.risk.v1 import decision_pb2 as pb
from meshkit.config import KafkaSettings
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import COMMITMENT
from meshkit.crypto.ring import Ring, read_ring
from meshkit.events.replay import TopicReader
from provisioning.keys import path_of
from translog.entries import Kind, kind_of
from translog.fsck import fsck
from translog.note import Verifier
from translog.reader import LogReader
from translog.sqlite import SqliteDatabase

from drills.checks.account import First
from drills.checks.audited import of_decision

DECIDED = pb.TransactionDecided.DESCRIPTOR.full_name
_PAGE = 4096


@dataclass
class Decided:
    """The decision topic as every reader takes it: the first committed record of an id counts."""

    first: dict[str, First] = field(default_factory=dict)
    repeated: int = 0
    contradicted: Counter[str] = field(default_factory=Counter)

    def take(self, value: bytes, key: CommitmentKey) -> None:
        """Add the next record."""
        record, digest = pb.TransactionDecided.FromString(value), hashlib.sha256(value).digest()
        known = self.first.get(record.decision_id)
        if known is None:
            decided_s = record.decided_time.seconds + record.decided_time.nanos / 1e9
            self.first[record.decision_id] = First(record.trace_id, digest, key.commit(value), decided_s, bool(record.degradations))
        elif known.digest == digest:
            self.repeated += 1
        else:
            self.contradicted[record.decision_id] += 1


async def decisions(kafka: KafkaSettings, keys: Path) -> Decided:
    """Read the whole topic, committed records only; ``keys`` is the mesh's folder of key files. Raises Unavailable."""
    key = Ring(read_ring(path_of(keys, COMMITMENT), COMMITMENT), CommitmentKey).primary
    found, reader = Decided(), TopicReader(kafka, DECIDED)
    try:
        for partition in await reader.partitions():
            async for records, _ in reader.read(partition, 0):
                for record in records:
                    found.take(record.value or b"", key)
    finally:
        await reader.aclose()
    return found


@dataclass
class Log:
    """The audit log. `damage` is what a full check (every body and tile hashed again) found."""

    leaves: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))  # decision id: commitments
    kinds: Counter[Kind] = field(default_factory=Counter)
    damage: list[str] = field(default_factory=list)


def audit_log(path: Path) -> Log:
    """Read and check the whole store. Blocks; raises translog's errors."""
    database = SqliteDatabase.open_reader(path)
    try:
        reader, log = LogReader(database), Log()
        _, key = reader.require()
        report = fsck(database, [Verifier.parse(key)])
        log.damage = [f"audit log: {finding.check} at {finding.where}: {finding.detail}" for finding in report.findings]
        for start in range(0, report.size, _PAGE):
            for body in reader.bodies(start, min(start + _PAGE, report.size)):
                kind = kind_of(body)
                log.kinds[kind] += 1
                if kind is Kind.RECORD and of_decision(record := AuditRecord.FromString(body)):
                    log.leaves[record.decision_id].append(record.decision_commitment)
        return log
    finally:
        database.close()
