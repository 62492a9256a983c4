"""Documents and the rows of their versions: found, made, copied, ended."""

from __future__ import annotations

from collections.abc import Sequence

from rag.adapters.ledger.accesses import demands_of
from rag.adapters.ledger.database import Connection, one
from rag.adapters.ledger.rows import SHOWN, VersionRow, one_row, versions_where
from rag.adapters.ledger.sealing import Key, Keys, described, document_owner, tenant_owner
from rag.domain.document import FOREVER, State, Submission

_COPIED = (
    "document_row, source_version, revision, state, reason, attempt, from_seq, to_seq, demands, declared_grade, digest, configuration, "
    "content_sha256, blob, description, title_hash, submitted_by, enrolled_us"
)


def document_row(connection: Connection, tenant: str, document_id: str) -> tuple[int, bytes | None, int] | None:
    """Return row, sealed key and the version up to which a document is hidden; None for an unknown one."""
    ask = "SELECT document_row, sealed_key, hidden_upto FROM document WHERE tenant = ? AND document_id = ?"
    found = one(connection.query(ask, (tenant, document_id)))
    return None if found is None else (found[0], None if found[1] is None else bytes(found[1]), found[2])


def made_document(connection: Connection, tenant: str, document_id: str) -> tuple[int, bytes | None, int]:
    """Return a document, a new one without a key when it is unknown."""
    found = document_row(connection, tenant, document_id)
    if found is None:
        connection.execute("INSERT INTO document (tenant, document_id) VALUES (?, ?)", (tenant, document_id))
        found = document_row(connection, tenant, document_id)
        assert found is not None
    return found


def keyed_document(connection: Connection, keys: Keys, tenant: str, document_id: str) -> tuple[int, bytes, int]:
    """Return a document with a key: one that was purged begins anew with another."""
    row, sealed_key, hidden_upto = made_document(connection, tenant, document_id)
    if sealed_key is None:
        sealed_key = keys.new(document_owner(tenant, document_id))
        connection.execute("UPDATE document SET sealed_key = ? WHERE document_row = ?", (sealed_key, row))
    return row, sealed_key, hidden_upto


def shown(connection: Connection, row: int) -> list[VersionRow]:
    """Return a document's versions that can be found, whether they stand or were replaced."""
    return versions_where(connection, f"v.document_row = ? AND v.state IN {SHOWN}", (row,))


def tenant_key(connection: Connection, keys: Keys, tenant: str) -> Key:
    """Return a tenant's key, a new one when it has none."""
    ask = "SELECT sealed_key FROM tenant WHERE tenant = ?"
    found = one(connection.query(ask, (tenant,)))
    if found is None:
        connection.execute("INSERT INTO tenant (tenant, sealed_key) VALUES (?, ?)", (tenant, keys.new(tenant_owner(tenant))))
        found = connection.query(ask, (tenant,))[0]
    return keys.open(bytes(found[0]), tenant_owner(tenant))


def title_hash(connection: Connection, keys: Keys, tenant: str, title: str) -> bytes:
    """Return by what a title is found again."""
    return tenant_key(connection, keys, tenant).named("title", title)


def inserted(
    connection: Connection,
    keys: Keys,
    submission: Submission,
    *,
    row: int,
    sealed_key: bytes,
    revision: int,
    state: State,
    reason: str,
    digest: bytes,
    configuration: bytes,
    now_us: int,
) -> VersionRow:
    """Write a version as it was handed in and return it."""
    key = keys.open(sealed_key, document_owner(submission.tenant, submission.document_id))
    description = key.seal(described(submission), f"description {submission.source_version}.{revision}")
    values = {
        "document_row": row,
        "source_version": submission.source_version,
        "revision": revision,
        "piece": 0,
        "state": state.value,
        "reason": reason,
        "from_seq": FOREVER,
        "to_seq": FOREVER,
        "valid_from_us": submission.valid_from_us,
        "valid_to_us": submission.valid_to_us,
        "demands": demands_of(submission.access),
        "declared_grade": submission.declared_grade,
        "digest": digest,
        "configuration": configuration,
        "content_sha256": submission.content_sha256,
        "blob": submission.blob,
        "description": description,
        "title_hash": title_hash(connection, keys, submission.tenant, submission.title),
        "submitted_by": submission.submitted_by,
        "enrolled_us": now_us,
    }
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO version ({', '.join(values)}) VALUES ({marks})", list(values.values()))  # noqa: S608
    written = one_row(
        versions_where(
            connection,
            "v.document_row = ? AND v.source_version = ? AND v.revision = ? AND v.piece = 0",
            (row, submission.source_version, revision),
        )
    )
    assert written is not None
    return written


def copied(connection: Connection, version: VersionRow, validity: tuple[int, int]) -> VersionRow:
    """Write what is left of a version as a row of its own, with its passages and names, and return it."""
    place = (version.document_row, version.source_version, version.revision)
    where = "document_row = ? AND source_version = ? AND revision = ?"
    piece = connection.query(f"SELECT MAX(piece) + 1 FROM version WHERE {where}", place)[0][0]  # noqa: S608
    connection.execute(
        f"INSERT INTO version ({_COPIED}, piece, valid_from_us, valid_to_us) "  # noqa: S608
        f"SELECT {_COPIED}, ?, ?, ? FROM version WHERE version_id = ?",
        (piece, *validity, version.version_id),
    )
    written = one_row(
        versions_where(connection, "v.document_row = ? AND v.source_version = ? AND v.revision = ? AND v.piece = ?", (*place, piece))
    )
    assert written is not None
    connection.execute("UPDATE version SET from_seq = ?, to_seq = ? WHERE version_id = ?", (FOREVER, FOREVER, written.version_id))
    for table, columns in (("chunk", "ordinal, access_id, own_access_id, sealed"), ("name", "access_id, own_access_id, sealed")):
        connection.execute(
            f"INSERT INTO {table} (version_id, {columns}) SELECT ?, {columns} FROM {table} WHERE version_id = ?",  # noqa: S608
            (written.version_id, version.version_id),
        )
    return written


def set_state(connection: Connection, version_id: int, state: State, reason: str = "") -> None:
    """Say where a version stands."""
    connection.execute("UPDATE version SET state = ?, reason = ? WHERE version_id = ?", (state.value, reason, version_id))


def newest(versions: Sequence[VersionRow]) -> VersionRow | None:
    """Return the newest of several by their order, a standing piece before one that was replaced."""
    return max(versions, key=lambda version: (version.order, version.stands, -version.piece), default=None)


def as_it_stands(rows: Sequence[VersionRow]) -> VersionRow | None:
    """Return which of the rows of one version says where it stands: one that can be found now, else the newest look at it."""
    return newest([row for row in rows if row.stands] or rows)


def resealed(connection: Connection, keys: Keys, version: VersionRow) -> tuple[int, bytes, tuple[int, int]]:
    """Return what another look at a version begins with: its revision, its words sealed for it, the validity it was handed in with."""
    assert version.sealed_key is not None
    ask = "SELECT MAX(revision) + 1 FROM version WHERE document_row = ? AND source_version = ?"
    revision = connection.query(ask, (version.document_row, version.source_version))[0][0]
    words = version.described(keys)
    key = keys.open(version.sealed_key, document_owner(version.tenant, version.document_id))
    first, last = words["validity"]
    return revision, key.seal(words, f"description {version.source_version}.{revision}"), (first, last)
