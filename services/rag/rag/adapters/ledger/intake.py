"""Port Intake: versions enrolled and documents withdrawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

from meshkit.errors import Conflict, NotFound

from rag.adapters.ledger.accesses import demands_of
from rag.adapters.ledger.changes import Changes
from rag.adapters.ledger.database import Connection
from rag.adapters.ledger.documents import as_it_stands, document_row, inserted, keyed_document, made_document, set_state
from rag.adapters.ledger.purges import was_purged
from rag.adapters.ledger.rows import versions_where
from rag.adapters.ledger.sealing import Keys, described
from rag.adapters.ledger.store import Store
from rag.domain.access import HIGHEST_INDEXED
from rag.domain.document import ChangeKind, State, Submission, Version


class LedgerIntake:
    """Port Intake."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys

    async def enrol(self, submission: Submission, now_us: int) -> Version:
        """Enrol a version, or return the one that this submission is already."""
        return await self._store.write(lambda connection: enrolled(connection, self._keys, submission, now_us))

    async def withdraw(self, tenant: str, document_id: str, source_version: int, now_us: int) -> int:
        """Hide a document. Raises NotFound (DOCUMENT_NOT_FOUND) when every known version is to be hidden and none is known."""
        return await self._store.write(lambda connection: withdrawn(connection, tenant, document_id, source_version))

    async def version(self, tenant: str, document_id: str, source_version: int = 0) -> Version:
        """Return a version: the row that stands, else the newest look at it."""

        def work(connection: Connection) -> Version:
            where = "d.tenant = ? AND d.document_id = ?"
            rows = versions_where(connection, where, (tenant, document_id))
            wanted = source_version or max((row.source_version for row in rows), default=0)
            of_it = [row for row in rows if row.source_version == wanted]
            found = as_it_stands(of_it)
            if found is None:
                raise NotFound("no such document", reason="DOCUMENT_NOT_FOUND")
            return found.version(self._keys)

        return await self._store.read(work)

    async def tallies(self, tenant: str) -> Mapping[State, int]:
        """Return versions by state, pieces of one version counted once."""
        ask = (
            "SELECT v.state, COUNT(*) FROM version v JOIN document d ON d.document_row = v.document_row "
            "WHERE d.tenant = ? AND v.piece = 0 GROUP BY v.state"
        )
        rows = await self._store.read(lambda connection: connection.query(ask, (tenant,)))
        return {State(state): count for state, count in rows}


def digest_of(submission: Submission) -> bytes:
    """Return the SHA-256 of everything that makes a submission another one: content, id, access, validity, words."""
    parts = [
        submission.tenant,
        submission.document_id,
        submission.source_version,
        submission.content_sha256.hex(),
        demands_of(submission.access),
        submission.declared_grade,
        {**described(submission), "metadata": sorted(submission.metadata)},
    ]
    return sha256(json.dumps(parts, sort_keys=True).encode()).digest()


def enrolled(connection: Connection, keys: Keys, submission: Submission, now_us: int) -> Version:
    """Enrol a version within a transaction. Raises Conflict (SOURCE_VERSION_CONFLICT, DOCUMENT_PURGED)."""
    digest = digest_of(submission)
    known = document_row(connection, submission.tenant, submission.document_id)
    if known is not None:
        found = as_it_stands(
            versions_where(connection, "v.document_row = ? AND v.source_version = ?", (known[0], submission.source_version))
        )
        if found is not None:
            if found.state is State.PURGED or digest == _digest(connection, found.version_id):
                return found.version(keys)
            raise Conflict("the same source version came with other content", reason="SOURCE_VERSION_CONFLICT")
        if known[1] is None and submission.source_version <= known[2] and was_purged(connection, known[0]):
            raise Conflict("the document was destroyed, up to this version and beyond", reason="DOCUMENT_PURGED")
    row, sealed_key, hidden_upto = keyed_document(connection, keys, submission.tenant, submission.document_id)
    state, reason = State.ENROLLED, ""
    if submission.source_version <= hidden_upto:
        state = State.WITHDRAWN
    elif submission.declared_grade > HIGHEST_INDEXED:
        state, reason = State.QUARANTINED, "GRADE_DECLARED"
    written = inserted(
        connection,
        keys,
        submission,
        row=row,
        sealed_key=sealed_key,
        revision=0,
        state=state,
        reason=reason,
        digest=digest,
        configuration=b"",
        now_us=now_us,
    )
    if state is not State.ENROLLED:
        changes = Changes(connection, submission.tenant)
        changes.told(written.version_id, ChangeKind(state.value))
        changes.write()
    return written.version(keys)


def withdrawn(connection: Connection, tenant: str, document_id: str, source_version: int) -> int:
    """Hide a document within a transaction; return the sequence from which it is hidden."""
    row, _, hidden_upto = made_document(connection, tenant, document_id)
    versions = versions_where(connection, "v.document_row = ?", (row,))
    upto = source_version or max((version.source_version for version in versions), default=0)
    if upto == 0:
        raise NotFound("no such document", reason="DOCUMENT_NOT_FOUND")
    connection.execute("UPDATE document SET hidden_upto = ? WHERE document_row = ?", (max(upto, hidden_upto), row))
    changes = Changes(connection, tenant)
    for version in versions:
        if version.source_version <= upto and version.state not in (State.FAILED, State.WITHDRAWN, State.PURGED):
            set_state(connection, version.version_id, State.WITHDRAWN)
            changes.ended(version.version_id, ChangeKind.WITHDRAWN)
    return changes.write()


def _digest(connection: Connection, version_id: int) -> bytes:
    return bytes(connection.query("SELECT digest FROM version WHERE version_id = ?", (version_id,))[0][0])
