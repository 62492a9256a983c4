"""An audit log on disk as the audit service writes it, for drills that look at it while it grows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finmesh.audit.v1.audit_record_pb2 import AuditRecord, Change, VersionChange
from translog.entries import Batch, Commitment, Gap, Keys, Record
from translog.log import Log
from translog.note import Signer
from translog.sqlite import SqliteDatabase

SIGNER = Signer("audit.finmesh.test/log", bytes(range(32)))


def of_decision(name: str) -> Record:
    """The audit record of a decision."""
    record = AuditRecord(audit_record_id=f"record of {name}", decision_id=name, tenant="retail", outcome="OUTCOME_APPROVE")
    return Record(record.SerializeToString(), Keys(record.audit_record_id, name, name, "retail"))


def of_change(number: int) -> Record:
    """What a process writes when it starts: a version that came in force."""
    record = AuditRecord(audit_record_id=f"change {number}", tenant="finmesh", change=Change(version=VersionChange()))
    return Record(record.SerializeToString(), Keys(record.audit_record_id, tenant="finmesh"))


GAP = Gap("SEQUENCE_GAP", {"missing": 1})


class Audit:
    """The writer."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._log = Log.open(database, signer=SIGNER, seal=bytes, commit=lambda content: [Commitment("k", content[:1] * 32)], now_ms=1)

    def write(self, *entries: Record | Gap) -> None:
        """Commit leaves."""
        self._log.append(Batch(entries, 1))


@contextmanager
def writing(path: Path) -> Iterator[Audit]:
    """Make the log below ``path`` and write to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = SqliteDatabase.open_writer(path)
    try:
        yield Audit(database)
    finally:
        database.close()
