"""Port Custody: grants, quarantine, holds, purges, with who decided and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from meshkit.errors import FailedPrecondition, NotFound

from rag.adapters.ledger.accesses import access_of, demands_of
from rag.adapters.ledger.changes import Changes
from rag.adapters.ledger.columns import column, packed_column
from rag.adapters.ledger.database import Connection, one
from rag.adapters.ledger.documents import as_it_stands, document_row, set_state, tenant_key
from rag.adapters.ledger.purges import purge_row, purged
from rag.adapters.ledger.rows import head, version_of, versions_where
from rag.adapters.ledger.sealing import Keys
from rag.adapters.ledger.store import Store
from rag.domain.access import Grant
from rag.domain.custody import Decision, Purge
from rag.domain.document import ChangeKind, State, Version

_WHY = "why"
_ASKED_AT_ONCE = 500


class LedgerCustody:
    """Port Custody."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys

    async def set_grant(self, tenant: str, principal: str, grant: Grant) -> int:
        """Grant rights."""

        def work(connection: Connection) -> int:
            connection.execute(
                "INSERT INTO grants (tenant, principal, clearance, memberships) VALUES (?, ?, ?, ?) ON CONFLICT (tenant, principal) "
                "DO UPDATE SET clearance = excluded.clearance, memberships = excluded.memberships",
                (tenant, principal, grant.clearance, packed_column([sorted(grant.groups), sorted(grant.barriers)])),
            )
            return head(connection)

        return await self._store.write(work)

    async def decide(self, tenant: str, document_id: str, source_version: int, grade: int, decision: Decision) -> Version:
        """Release or refuse a version in quarantine; the same decision again is the same."""

        def work(connection: Connection) -> Version:
            where = "d.tenant = ? AND d.document_id = ? AND v.source_version = ?"
            version = as_it_stands(versions_where(connection, where, (tenant, document_id, source_version)))
            if version is None:
                raise _unknown()
            if version.state is not State.QUARANTINED:
                if _decided(connection, version.version_id) == grade:
                    return version.version(self._keys)
                raise FailedPrecondition("the version is not in quarantine", reason="NOT_QUARANTINED")
            connection.execute(
                "INSERT INTO decision (version_id, grade, principal, why, at_us) VALUES (?, ?, ?, ?, ?)",
                (version.version_id, grade, decision.principal, self._sealed(connection, tenant, decision), decision.at_us),
            )
            if grade:
                demands = demands_of(replace(access_of(version.demands), grade=grade))
                connection.execute(
                    "UPDATE version SET demands = ?, declared_grade = ?, attempt = 0, claimed_by = 0 WHERE version_id = ?",
                    (demands, grade, version.version_id),
                )
                set_state(connection, version.version_id, State.ENROLLED)
            else:
                set_state(connection, version.version_id, State.FAILED, "RELEASE_REFUSED")
                changes = Changes(connection, tenant)
                changes.told(version.version_id, ChangeKind.FAILED)
                changes.write()
            decided = version_of(connection, version.version_id)
            assert decided is not None
            return decided.version(self._keys)

        return await self._store.write(work)

    async def hold(self, tenant: str, document_id: str, held: bool, decision: Decision) -> None:
        """Set or lift a hold; the newest word counts, all of them are kept."""

        def work(connection: Connection) -> None:
            row = _document(connection, tenant, document_id)
            connection.execute(
                "INSERT INTO hold (document_row, held, principal, why, at_us) VALUES (?, ?, ?, ?, ?)",
                (row, int(held), decision.principal, self._sealed(connection, tenant, decision), decision.at_us),
            )

        await self._store.write(work)

    async def held(self, tenant: str, document_ids: Collection[str]) -> frozenset[str]:
        """Return which of these documents are under hold; none that is not known."""

        def work(connection: Connection) -> frozenset[str]:
            known = {document_id: document_row(connection, tenant, document_id) for document_id in document_ids}
            return frozenset(document_id for document_id, row in known.items() if row is not None and is_held(connection, row[0]))

        return await self._store.read(work)

    async def purge(self, tenant: str, document_id: str, decision: Decision) -> Purge:
        """Destroy a document, or return the purge that did and is not undone by a newer version."""

        def work(connection: Connection) -> Purge:
            row = _document(connection, tenant, document_id)
            if is_held(connection, row):
                raise FailedPrecondition("the document is under legal hold", reason="LEGAL_HOLD")
            why = self._sealed(connection, tenant, decision)
            purge_id = purged(connection, self._keys, tenant, document_id, decision, why)
            return purge_row(connection, purge_id, decision.at_us)

        return await self._store.write(work)

    async def destroyed(self, purge_id: int, blob: str) -> None:
        """Take an original off the list of those that a purge has to destroy."""

        def work(connection: Connection) -> None:
            left = column(connection.query("SELECT blobs FROM purge WHERE purge_id = ?", (purge_id,))[0][0])
            blobs = packed_column([other for other in left if other != blob])
            connection.execute("UPDATE purge SET blobs = ? WHERE purge_id = ?", (blobs, purge_id))

        await self._store.write(work)

    async def scrub(self) -> bool:
        """Rewrite the store, then say so of every purge that was committed before."""
        last = await self._store.read(lambda connection: connection.query("SELECT COALESCE(MAX(purge_id), 0) FROM purge")[0][0])
        if not await self._store.scrub():
            return False
        await self._store.write(lambda connection: connection.execute("UPDATE purge SET scrubbed = 1 WHERE purge_id <= ?", (last,)))
        return True

    async def purge_of(self, purge_id: int, now_us: int) -> Purge:
        """Return how far a purge is."""
        return await self._store.read(lambda connection: purge_row(connection, purge_id, now_us))

    async def unfinished(self, now_us: int) -> list[Purge]:
        """Return purges with work left here; what followers still have to do is theirs."""

        def work(connection: Connection) -> list[Purge]:
            rows = connection.query("SELECT purge_id FROM purge WHERE scrubbed = 0 OR blobs <> '[]' ORDER BY purge_id")
            return [purge_row(connection, purge_id, now_us) for (purge_id,) in rows]

        return await self._store.read(work)

    async def referred_to(self, blobs: Collection[str]) -> set[str]:
        """Return which of these originals belong to a version."""
        wanted = list(blobs)

        def work(connection: Connection) -> set[str]:
            found: set[str] = set()
            for first in range(0, len(wanted), _ASKED_AT_ONCE):
                some = wanted[first : first + _ASKED_AT_ONCE]
                marks = ", ".join("?" * len(some))
                found |= {row[0] for row in connection.query(f"SELECT DISTINCT blob FROM version WHERE blob IN ({marks})", some)}  # noqa: S608
            return found

        return await self._store.read(work)

    def _sealed(self, connection: Connection, tenant: str, decision: Decision) -> bytes:
        return tenant_key(connection, self._keys, tenant).seal(decision.why, _WHY)


def _decided(connection: Connection, version_id: int) -> int | None:
    """Return the grade that was decided last; 0: refused."""
    found = one(connection.query("SELECT grade FROM decision WHERE version_id = ? ORDER BY decision_id DESC LIMIT 1", (version_id,)))
    return None if found is None else int(found[0])


def is_held(connection: Connection, row: int) -> bool:
    """Whether the newest word about a document is a hold."""
    found = one(connection.query("SELECT held FROM hold WHERE document_row = ? ORDER BY hold_id DESC LIMIT 1", (row,)))
    return found is not None and bool(found[0])


def _document(connection: Connection, tenant: str, document_id: str) -> int:
    """Return a document of which a version is known. Raises NotFound (DOCUMENT_NOT_FOUND)."""
    found = document_row(connection, tenant, document_id)
    if found is None or not connection.query("SELECT 1 FROM version WHERE document_row = ? LIMIT 1", (found[0],)):
        raise _unknown()
    return found[0]


def _unknown() -> NotFound:
    return NotFound("no such document", reason="DOCUMENT_NOT_FOUND")
