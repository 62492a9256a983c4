"""Which decisions the audit log holds by now, told by their ids: what a drill waits for before it judges.

A count of records would not do: denials, generations and changes of what a process goes by are records too, more of them with every
restart, and a wait for as many records as there are decisions ends before the last decisions are audited.
"""

from collections.abc import Set
from pathlib import Path

from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from translog.entries import Kind, kind_of
from translog.reader import LogReader
from translog.sqlite import SqliteDatabase

_PAGE = 4096


def of_decision(record: AuditRecord) -> bool:
    """Whether a record is a decision's, and not of anything else that happened."""
    return record.WhichOneof("detail") is None


class Audited:
    """Decision ids in the log below ``path``, which may not be made yet; each look reads what came since the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0  # leaves
        self._ids: set[str] = set()

    @property
    def ids(self) -> Set[str]:
        """What the looks have found so far."""
        return self._ids

    def look(self) -> None:
        """Read on to the newest checkpoint. Blocks; raises translog's errors, also while the log is being made."""
        if not self._path.exists():
            return
        database = SqliteDatabase.open_reader(self._path)
        try:
            reader = LogReader(database)
            reader.require()
            size, _ = reader.checkpoint_note()
            while self._read < size:
                end = min(self._read + _PAGE, size)
                records = [AuditRecord.FromString(body) for body in reader.bodies(self._read, end) if kind_of(body) is Kind.RECORD]
                self._ids |= {record.decision_id for record in records if of_decision(record)}
                self._read = end
        finally:
            database.close()
