"""The transaction of a purge. It destroys the document's key, so that every copy of what it sealed is unreadable from here on.

What stays are rows of ids: that there was a version, who read it, who had it destroyed. Originals and the store's own old pages follow
(`Purge.blobs`, `Purge.scrubbed`), and a process that dies in between is gone on with by the next.
"""

from __future__ import annotations

from meshkit.errors import NotFound

from rag.adapters.ledger.changes import Changes
from rag.adapters.ledger.columns import column, packed_column
from rag.adapters.ledger.conversations import forget_document
from rag.adapters.ledger.database import Connection, listed, one
from rag.adapters.ledger.documents import document_row
from rag.adapters.ledger.reports import forget_words
from rag.adapters.ledger.rows import VersionRow, versions_where
from rag.adapters.ledger.sealing import Keys
from rag.domain.custody import Decision, Purge
from rag.domain.document import ChangeKind, State


def purged(connection: Connection, keys: Keys, tenant: str, document_id: str, decision: Decision, why: bytes) -> int:
    """Destroy a document within a transaction; return the purge, the one before when nothing came since."""
    found = document_row(connection, tenant, document_id)
    assert found is not None
    row, _, hidden_upto = found
    versions = versions_where(connection, "v.document_row = ? AND v.state <> ?", (row, State.PURGED.value))
    before = one(connection.query("SELECT MAX(purge_id) FROM purge WHERE document_row = ?", (row,)))
    if not versions and before is not None and before[0] is not None:
        return int(before[0])
    names = {document_id, *(str(version.described(keys).get("title", "")) for version in versions)} - {""}
    forget_document(connection, keys, tenant, row, names)
    forget_words(connection, keys, tenant, document_id, names)
    blobs = _emptied(connection, row, versions)
    upto = max((hidden_upto, *(version.source_version for version in versions)))
    connection.execute("UPDATE document SET sealed_key = NULL, hidden_upto = ? WHERE document_row = ?", (upto, row))
    changes = Changes(connection, tenant)
    for version in versions:
        changes.ended(version.version_id, ChangeKind.PURGED)
    seq = changes.write()
    connection.execute(
        "INSERT INTO purge (document_row, seq, principal, why, at_us, blobs) VALUES (?, ?, ?, ?, ?, ?)",
        (row, seq, decision.principal, why, decision.at_us, packed_column(blobs)),
    )
    return int(connection.query("SELECT MAX(purge_id) FROM purge WHERE document_row = ?", (row,))[0][0])


def purge_row(connection: Connection, purge_id: int, now_us: int) -> Purge:
    """Return a purge. Raises NotFound (PURGE_NOT_FOUND)."""
    ask = (
        "SELECT d.tenant, d.document_id, p.seq, p.blobs, p.scrubbed FROM purge p JOIN document d ON d.document_row = p.document_row "
        "WHERE p.purge_id = ?"
    )
    found = one(connection.query(ask, (purge_id,)))
    if found is None:
        raise NotFound("no such purge", reason="PURGE_NOT_FOUND")
    tenant, document_id, seq, blobs, scrubbed = found
    behind = connection.query("SELECT name FROM follower WHERE until_us > ? AND seq < ? ORDER BY name", (now_us, seq))
    return Purge(
        purge_id=purge_id,
        tenant=tenant,
        document_id=document_id,
        sequence=seq,
        blobs=tuple(column(blobs)),
        scrubbed=bool(scrubbed),
        behind=tuple(name for (name,) in behind),
    )


def was_purged(connection: Connection, row: int) -> bool:
    """Whether a document was ever destroyed."""
    return bool(connection.query("SELECT 1 FROM purge WHERE document_row = ? LIMIT 1", (row,)))


def _emptied(connection: Connection, row: int, versions: list[VersionRow]) -> list[str]:
    """Take everything that versions said out of their rows; return the originals that nobody else refers to."""
    ids = listed(version.version_id for version in versions)
    for table in ("chunk", "name"):
        connection.execute(f"DELETE FROM {table} WHERE version_id IN {ids}")  # noqa: S608
    connection.execute(
        "UPDATE version SET state = ?, reason = '', description = NULL, title_hash = ?, digest = ?, content_sha256 = ?, blob = '', "  # noqa: S608
        f"claimed_by = 0 WHERE version_id IN {ids}",
        (State.PURGED.value, b"", b"", b""),
    )
    blobs = sorted({version.blob for version in versions if version.blob})
    return [blob for blob in blobs if not connection.query("SELECT 1 FROM version WHERE blob = ? LIMIT 1", (blob,))]
