"""Port Workbench: one leader at a time works on versions; the epoch in the ledger refuses what a former one would still write."""

from __future__ import annotations

from collections.abc import Collection

from meshkit.errors import Conflict

from rag import ports
from rag.adapters.ledger.changes import Changes
from rag.adapters.ledger.database import Connection, listed
from rag.adapters.ledger.documents import resealed, set_state
from rag.adapters.ledger.publication import published
from rag.adapters.ledger.rows import SHOWN, VersionRow, head, one_row, versions_where
from rag.adapters.ledger.sealing import Keys
from rag.adapters.ledger.store import Store
from rag.domain.document import FOREVER, ChangeKind, Prepared, State

_WAIT_US = 1_000_000
_DOUBLINGS = 8
_NO_VERSION = 0
_REFRESHED = "document_row, source_version, declared_grade, demands, digest, content_sha256, blob, title_hash, submitted_by, enrolled_us"


class LedgerWorkbench:
    """Port Workbench."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys

    async def lead(self, owner: str, lease_s: float, now_us: int) -> int:
        """Become or stay the leader. Raises Conflict (ANOTHER_LEADS)."""

        def work(connection: Connection) -> int:
            epoch, leads, until_us = connection.query("SELECT epoch, owner, until_us FROM leader WHERE id = 1")[0]
            if leads != owner:
                if until_us > now_us:
                    raise Conflict("another process leads", reason="ANOTHER_LEADS")
                epoch += 1
            until_us = now_us + int(lease_s * 1_000_000)
            connection.execute("UPDATE leader SET epoch = ?, owner = ?, until_us = ? WHERE id = 1", (epoch, owner, until_us))
            return int(epoch)

        return await self._store.write(work)

    async def resign(self, epoch: int) -> None:
        """Stop leading; nothing for a former leader."""

        def work(connection: Connection) -> None:
            if connection.execute("UPDATE leader SET until_us = 0, owner = '' WHERE id = 1 AND epoch = ?", (epoch,)):
                connection.execute(
                    "UPDATE version SET claimed_by = 0, attempt = attempt - 1 WHERE state = 'ENROLLED' AND claimed_by = ?", (epoch,)
                )

        await self._store.write(work)

    async def refresh(self, epoch: int, configuration: bytes, limit: int) -> int:
        """Enrol versions that stand under another configuration once more, each as a revision of its own."""
        return await self._store.write(lambda connection: _refreshed(connection, self._keys, epoch, configuration, limit))

    async def claim(self, epoch: int, under_way: Collection[int], limit: int, now_us: int) -> list[ports.Job]:
        """Take versions that wait, oldest first; what this epoch claimed and does not work on was claimed without an answer."""

        def work(connection: Connection) -> list[ports.Job]:
            _fence(connection, epoch)
            where = (
                f"v.state = 'ENROLLED' AND v.version_id NOT IN {listed(under_way or (_NO_VERSION,))} AND v.wait_until_us <= ? "
                "ORDER BY v.version_id LIMIT ?"
            )
            found = versions_where(connection, where, (now_us, limit))
            ids = [version.version_id for version in found]
            if not ids:
                return []
            connection.execute(
                "UPDATE version SET attempt = attempt + CASE WHEN claimed_by = ? THEN 0 ELSE 1 END, claimed_by = ? "  # noqa: S608
                f"WHERE version_id IN {listed(ids)}",
                (epoch, epoch),
            )
            again = versions_where(connection, f"v.version_id IN {listed(ids)} ORDER BY v.version_id")
            return [ports.Job(version.version(self._keys), epoch) for version in again]

        return await self._store.write(work)

    async def publish(self, job: ports.Job, prepared: Prepared, now_us: int) -> int:
        """Make a version visible in one transaction. One that is visible already, or hidden meanwhile, is left as it is."""

        def work(connection: Connection) -> int:
            version = self._claimed(connection, job)
            if version is None:
                return head(connection)
            reason = "SECRETS_WITHHELD" if prepared.withheld else ""
            return published(connection, self._keys, version, prepared, reason)

        return await self._store.write(work)

    async def fail(self, job: ports.Job, state: State, reason: str, now_us: int) -> None:
        """End a version, or put it back."""

        def work(connection: Connection) -> None:
            version = self._claimed(connection, job)
            if version is None:
                return
            set_state(connection, version.version_id, state, reason)
            if state is State.ENROLLED:
                wait_us = _WAIT_US << min(version.attempt - 1, _DOUBLINGS)
                _put_back(connection, version, 0, now_us + wait_us)
            else:
                changes = Changes(connection, version.tenant)
                changes.told(version.version_id, ChangeKind(state.value))
                changes.write()

        await self._store.write(work)

    async def release(self, job: ports.Job, reason: str, now_us: int) -> None:
        """Put a version back as if it had not been claimed, for a moment later."""

        def work(connection: Connection) -> None:
            version = self._claimed(connection, job)
            if version is not None:
                set_state(connection, version.version_id, State.ENROLLED, reason)
                _put_back(connection, version, 1, now_us + _WAIT_US)

        await self._store.write(work)

    def _claimed(self, connection: Connection, job: ports.Job) -> VersionRow | None:
        """Return the version that a job is about; None when it has its end, or was put back already. Raises Conflict (FENCED)."""
        _fence(connection, job.epoch)
        where = "v.version_id = ? AND v.state = 'ENROLLED' AND v.claimed_by = ?"
        return one_row(versions_where(connection, where, (job.version.version_id, job.epoch)))


def _fence(connection: Connection, epoch: int) -> None:
    """Raises Conflict (FENCED) when another leads, or led since."""
    if connection.query("SELECT epoch FROM leader WHERE id = 1") != [(epoch,)]:
        raise Conflict("another process leads", reason="FENCED")


def _put_back(connection: Connection, version: VersionRow, uncounted: int, wait_until_us: int) -> None:
    connection.execute(
        "UPDATE version SET claimed_by = 0, attempt = attempt - ?, wait_until_us = ? WHERE version_id = ?",
        (uncounted, wait_until_us, version.version_id),
    )


def _refreshed(connection: Connection, keys: Keys, epoch: int, configuration: bytes, limit: int) -> int:
    """Within a transaction; a look that is under way or ended under this configuration is not begun again."""
    _fence(connection, epoch)
    connection.execute(
        "UPDATE version SET configuration = ? WHERE state = 'ENROLLED' AND revision > 0 AND configuration <> ?",
        (configuration, configuration),
    )
    stale = versions_where(
        connection,
        f"v.state IN {SHOWN} AND v.to_seq = ? AND NOT EXISTS (SELECT 1 FROM version n WHERE n.document_row = v.document_row "  # noqa: S608
        "AND n.source_version = v.source_version AND n.revision >= v.revision AND n.configuration = ?) "
        "ORDER BY v.document_row, v.source_version LIMIT ?",
        (FOREVER, configuration, limit),
    )
    seen: set[tuple[int, int]] = set()
    for version in stale:
        if (version.document_row, version.source_version) not in seen:
            seen.add((version.document_row, version.source_version))
            _look_again(connection, keys, version, configuration)
    return len(seen)


def _look_again(connection: Connection, keys: Keys, version: VersionRow, configuration: bytes) -> None:
    """Enrol another look at a version, with the validity that it was handed in with."""
    revision, sealed, validity = resealed(connection, keys, version)
    connection.execute(
        f"INSERT INTO version ({_REFRESHED}, description, revision, piece, state, from_seq, to_seq, valid_from_us, valid_to_us, "  # noqa: S608
        f"configuration) SELECT {_REFRESHED}, ?, ?, 0, 'ENROLLED', ?, ?, ?, ?, ? FROM version WHERE version_id = ?",
        (sealed, revision, FOREVER, FOREVER, *validity, configuration, version.version_id),
    )
