"""Rows of versions, and how they become a `Version`. What a destroyed key had sealed is left empty."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rag.adapters.ledger.accesses import access_of
from rag.adapters.ledger.database import Connection, Row, one
from rag.adapters.ledger.sealing import Keys, document_owner
from rag.domain.document import FOREVER, State, Submission, Version

SHOWN = "('VISIBLE', 'PARTIAL')"
"""States in which a version can be found."""

_REMEMBERED = 8_192

COLUMNS = (
    "v.version_id, d.document_row, d.tenant, d.document_id, d.sealed_key, v.source_version, v.revision, v.piece, v.state, v.reason, "
    "v.attempt, v.from_seq, v.to_seq, v.valid_from_us, v.valid_to_us, v.demands, v.declared_grade, v.configuration, v.content_sha256, "
    "v.blob, v.description, v.submitted_by"
)
FROM = "FROM version v JOIN document d ON d.document_row = v.document_row"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as it lies there."""

    version_id: int
    document_row: int
    tenant: str
    document_id: str
    sealed_key: bytes | None
    source_version: int
    revision: int
    piece: int
    state: State
    reason: str
    attempt: int
    from_seq: int
    to_seq: int
    valid_from_us: int
    valid_to_us: int
    demands: str
    declared_grade: int
    configuration: bytes
    content_sha256: bytes
    blob: str
    description: bytes | None
    submitted_by: str

    @property
    def order(self) -> tuple[int, int]:
        """Return what orders a document's versions: the newer look at the same version comes after."""
        return self.source_version, self.revision

    @property
    def stands(self) -> bool:
        """Whether nothing has replaced it."""
        return self.state in (State.VISIBLE, State.PARTIAL) and self.to_seq == FOREVER

    @property
    def place(self) -> str:
        """Return what its sealed parts are bound to; pieces share it, since they share passages."""
        return f"{self.source_version}.{self.revision}"

    def described(self, keys: Keys) -> dict[str, Any]:
        """Return its words, empty ones when its key was destroyed."""
        if self.sealed_key is None or self.description is None:
            return {}
        key = keys.open(self.sealed_key, document_owner(self.tenant, self.document_id))
        words: dict[str, Any] = key.open(bytes(self.description), f"description {self.place}")
        return words

    def version(self, keys: Keys) -> Version:
        """Return it as the domain knows it."""
        return _version(self, keys)


def version_row(row: Row) -> VersionRow:
    """Return a row of `COLUMNS`."""
    values = list(row)
    values[4] = None if row[4] is None else bytes(row[4])
    values[8] = State(row[8])
    values[17], values[18] = bytes(row[17]), bytes(row[18])
    return VersionRow(*values)


@lru_cache(_REMEMBERED)
def _version(row: VersionRow, keys: Keys) -> Version:
    words = row.described(keys)
    submission = Submission(
        tenant=row.tenant,
        document_id=row.document_id,
        source_version=row.source_version,
        title=words.get("title", ""),
        media_type=words.get("media_type", ""),
        blob=row.blob,
        content_sha256=row.content_sha256,
        access=access_of(row.demands),
        submitted_by=row.submitted_by,
        declared_grade=row.declared_grade,
        valid_from_us=row.valid_from_us,
        valid_to_us=row.valid_to_us,
        review_at_us=words.get("review_at_us"),
        base=words.get("base", ""),
        product=words.get("product", ""),
        metadata=tuple((name, value) for name, value in words.get("metadata", ())),
        file_name=words.get("file_name", ""),
    )
    return Version(
        version_id=row.version_id,
        submission=submission,
        state=row.state,
        from_seq=row.from_seq,
        to_seq=row.to_seq,
        reason=row.reason,
        attempt=row.attempt,
    )


def versions_where(connection: Connection, where: str, parameters: tuple[object, ...] = ()) -> list[VersionRow]:
    """Return versions; ``where`` is a literal of this package (v: the version, d: its document)."""
    return [version_row(row) for row in connection.query(f"SELECT {COLUMNS} {FROM} WHERE {where}", parameters)]


def version_of(connection: Connection, version_id: int) -> VersionRow | None:
    """Return a version by its id."""
    return one_row(versions_where(connection, "v.version_id = ?", (version_id,)))


def one_row(rows: list[VersionRow]) -> VersionRow | None:
    """Return the first, None without one."""
    return rows[0] if rows else None


def head(connection: Connection) -> int:
    """Return the newest sequence."""
    found = one(connection.query("SELECT seq FROM head WHERE id = 1"))
    return int(found[0]) if found else 0
