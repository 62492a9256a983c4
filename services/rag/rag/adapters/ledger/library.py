"""Port Library: the ledger as readers and indexes see it. What was withdrawn or purged is met nowhere here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from meshkit.errors import NotFound

from rag.adapters.ledger.accesses import access_of
from rag.adapters.ledger.columns import column
from rag.adapters.ledger.database import Connection, Row, listed
from rag.adapters.ledger.documents import as_it_stands
from rag.adapters.ledger.rows import COLUMNS, SHOWN, VersionRow, head, version_of, version_row, versions_where
from rag.adapters.ledger.sealing import Keys, document_owner, unpacked
from rag.adapters.ledger.store import Store
from rag.domain.access import Access, Grant, Reader
from rag.domain.citing import PassageId
from rag.domain.document import FOREVER, Change, ChangeKind, Chunk, Version

_CHUNK = "c.chunk_id, c.version_id, c.ordinal, c.access_id, c.sealed, a.demands"
_FROM = f"SELECT {_CHUNK} FROM chunk c JOIN access a ON a.access_id = c.access_id"  # noqa: S608
_NAMES_KEPT = 64
_Names = list[tuple[str, int, int]]


class LedgerLibrary:
    """Port Library."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys
        self._names: dict[tuple[str, frozenset[int]], _Names] = {}
        self._names_at = -1

    async def sequence(self) -> int:
        """Return the newest sequence."""
        return await self._store.read(head)

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return what happened after a sequence, oldest first."""
        ask = "SELECT seq, kind, tenant, version_id, access_ids FROM change WHERE seq > ? ORDER BY seq LIMIT ?"
        rows = await self._store.read(lambda connection: connection.query(ask, (after, limit)))
        return [Change(seq, ChangeKind(kind), tenant, version_id, frozenset(column(ids))) for seq, kind, tenant, version_id, ids in rows]

    async def version_of(self, version_id: int) -> Version:
        """Return a version, a purged one as far as it is known. Raises NotFound (VERSION_GONE)."""

        def work(connection: Connection) -> Version:
            return _there(version_of(connection, version_id)).version(self._keys)

        return await self._store.read(work)

    async def indexed(self, version_id: int) -> tuple[Version, list[Chunk]]:
        """Return a version with its passages, in order. Raises NotFound (VERSION_GONE) for one that can't be found any more."""

        def work(connection: Connection) -> tuple[Version, list[Chunk]]:
            version = _there(next(iter(versions_where(connection, f"v.version_id = ? AND v.state IN {SHOWN}", (version_id,))), None))
            ask = f"{_FROM} WHERE c.version_id = ? ORDER BY c.ordinal"
            return version.version(self._keys), self._opened(version, connection.query(ask, (version_id,)))

        return await self._store.read(work)

    async def acknowledge(self, follower: str, seq: int, lease_s: float, now_us: int) -> None:
        """Keep how far an index is."""
        row = (follower, seq, now_us + int(lease_s * 1_000_000))
        sql = (
            "INSERT INTO follower (name, seq, until_us) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, until_us = excluded.until_us"
        )
        await self._store.write(lambda connection: connection.execute(sql, row))

    async def grant(self, tenant: str, principal: str) -> Grant:
        """Return what a principal was granted, nothing when nothing was."""
        ask = "SELECT clearance, memberships FROM grants WHERE tenant = ? AND principal = ?"
        rows = await self._store.read(lambda connection: connection.query(ask, (tenant, principal)))
        if not rows:
            return Grant()
        groups, barriers = column(rows[0][1])
        return Grant(rows[0][0], frozenset(groups), frozenset(barriers))

    async def readable(self, reader: Reader, now_us: int) -> dict[int, Access]:
        """Return the access ids that a reader may read now."""
        ask = "SELECT access_id, demands FROM access WHERE tenant = ?"
        rows = await self._store.read(lambda connection: connection.query(ask, (reader.tenant,)))
        demanded = {access_id: access_of(demands) for access_id, demands in rows}
        return {access_id: access for access_id, access in demanded.items() if reader.may_read(access, now_us)}

    async def chunks(self, tenant: str, chunk_ids: Sequence[int]) -> dict[int, tuple[Chunk, Version]]:
        """Return passages with their versions; unknown ids, and those of other tenants, are left out."""

        def work(connection: Connection) -> dict[int, tuple[Chunk, Version]]:
            ask = (
                f"SELECT {_CHUNK}, {COLUMNS} FROM chunk c JOIN access a ON a.access_id = c.access_id "  # noqa: S608
                "JOIN version v ON v.version_id = c.version_id JOIN document d ON d.document_row = v.document_row "
                f"WHERE c.chunk_id IN {listed(chunk_ids)} AND d.tenant = ? AND v.state IN {SHOWN}"
            )
            versions: dict[int, tuple[VersionRow, Version]] = {}
            found: dict[int, tuple[Chunk, Version]] = {}
            for row in connection.query(ask, (tenant,)):
                if row[1] not in versions:
                    lies = version_row(row[6:])
                    versions[row[1]] = lies, lies.version(self._keys)
                lies, version = versions[row[1]]
                found[row[0]] = self._opened(lies, [row[:6]])[0], version
            return found

        return await self._store.read(work)

    async def passages(self, tenant: str, ids: Collection[PassageId]) -> dict[PassageId, tuple[Chunk, Version]]:
        """Return passages by what they are called, of the newest look at their version; unknown ones are left out."""

        def work(connection: Connection) -> dict[PassageId, tuple[Chunk, Version]]:
            wanted: dict[tuple[str, int], list[PassageId]] = {}
            for each in ids:
                wanted.setdefault((each.document_id, each.source_version), []).append(each)
            found: dict[PassageId, tuple[Chunk, Version]] = {}
            for (document_id, source_version), of_it in wanted.items():
                where = f"d.tenant = ? AND d.document_id = ? AND v.source_version = ? AND v.state IN {SHOWN}"
                lies = as_it_stands(versions_where(connection, where, (tenant, document_id, source_version)))
                if lies is None:
                    continue
                ordinals = listed(each.ordinal for each in of_it)
                ask = f"{_FROM} WHERE c.version_id = ? AND c.ordinal IN {ordinals}"
                version = lies.version(self._keys)
                for chunk in self._opened(lies, connection.query(ask, (lies.version_id,))):
                    found[PassageId(document_id, source_version, chunk.passage.ordinal)] = chunk, version
            return found

        return await self._store.read(work)

    async def around(self, tenant: str, chunk: Chunk, before: int, after: int) -> list[Chunk]:
        """Return a passage's neighbours of the same version and access id, in order."""

        def work(connection: Connection) -> list[Chunk]:
            where = f"v.version_id = ? AND d.tenant = ? AND v.state IN {SHOWN}"
            version = next(iter(versions_where(connection, where, (chunk.version_id, tenant))), None)
            if version is None:
                return []
            ask = f"{_FROM} WHERE c.version_id = ? AND c.access_id = ? AND c.ordinal BETWEEN ? AND ? AND c.ordinal <> ? ORDER BY c.ordinal"
            at = chunk.passage.ordinal
            rows = connection.query(ask, (chunk.version_id, chunk.access_id, at - before, at + after, at))
            return self._opened(version, rows)

        return await self._store.read(work)

    async def documents(self, tenant: str, access_ids: Collection[int], after: str, limit: int) -> list[Version]:
        """Return the newest version that stands of each document with a readable passage, by document id."""
        readable = _readable(access_ids)
        where = (
            f"d.tenant = ? AND d.document_id > ? AND v.state IN {SHOWN} AND v.to_seq = ? AND {readable} AND NOT EXISTS ("  # noqa: S608
            f"SELECT 1 FROM version n WHERE n.document_row = v.document_row AND n.state IN {SHOWN} AND n.to_seq = v.to_seq "
            "AND (n.source_version > v.source_version OR (n.source_version = v.source_version AND n.piece < v.piece)) AND "
            f"{readable.replace('v.version_id', 'n.version_id')}) ORDER BY d.document_id LIMIT ?"
        )
        rows = await self._store.read(lambda connection: versions_where(connection, where, (tenant, after, FOREVER, limit)))
        return [row.version(self._keys) for row in rows]

    async def versions(self, tenant: str, document_id: str, access_ids: Collection[int]) -> list[Version]:
        """Return all versions of a document with a readable passage, newest first; each piece of one that gave way is a row."""
        where = (
            f"d.tenant = ? AND d.document_id = ? AND v.state IN {SHOWN} AND {_readable(access_ids)} "
            "ORDER BY v.source_version DESC, v.revision DESC, v.to_seq DESC, v.piece"
        )
        rows = await self._store.read(lambda connection: versions_where(connection, where, (tenant, document_id)))
        return [row.version(self._keys) for row in rows]

    async def extents(self, tenant: str, version_ids: Collection[int], access_ids: Collection[int]) -> dict[int, dict[int, int]]:
        """Return how many passages of each version have each of these access ids."""
        ask = (
            "SELECT c.version_id, c.access_id, COUNT(*) FROM chunk c JOIN version v ON v.version_id = c.version_id "  # noqa: S608
            f"JOIN document d ON d.document_row = v.document_row WHERE c.version_id IN {listed(version_ids)} "
            f"AND c.access_id IN {listed(access_ids)} AND d.tenant = ? AND v.state IN {SHOWN} GROUP BY c.version_id, c.access_id"
        )
        found: dict[int, dict[int, int]] = {}
        for version_id, access_id, count in await self._store.read(lambda connection: connection.query(ask, (tenant,))):
            found.setdefault(version_id, {})[access_id] = count
        return found

    async def passages_after(self, tenant: str, seq: int) -> int:
        """Return how many passages there are of versions that were published after a sequence, or demand more since."""
        ask = (
            "SELECT COUNT(*) FROM chunk c JOIN version v ON v.version_id = c.version_id "  # noqa: S608
            f"WHERE v.state IN {SHOWN} AND v.version_id IN (SELECT version_id FROM change WHERE tenant = ? AND kind = ? AND seq > ?)"
        )
        rows = await self._store.read(lambda connection: connection.query(ask, (tenant, ChangeKind.PUBLISHED.value, seq)))
        return int(rows[0][0])

    async def names(self, tenant: str, access_ids: Collection[int]) -> list[tuple[str, int, int]]:
        """Return the names catalogue of what is readable; kept in memory until the ledger moves on."""
        key = (tenant, frozenset(access_ids))
        seq = await self.sequence()
        if seq == self._names_at and key in self._names:
            return self._names[key]

        def work(connection: Connection) -> tuple[int, _Names]:
            ask = (
                f"SELECT n.sealed, n.access_id, {COLUMNS} FROM name n JOIN version v ON v.version_id = n.version_id "  # noqa: S608
                f"JOIN document d ON d.document_row = v.document_row WHERE d.tenant = ? AND v.state IN {SHOWN} "
                f"AND n.access_id IN {listed(key[1])} ORDER BY n.name_id"
            )
            found: _Names = []
            for sealed, access_id, *columns in connection.query(ask, (tenant,)):
                version = version_row(tuple(columns))
                found.append((str(self._open(version, bytes(sealed), f"name {version.place}")), version.version_id, access_id))
            return head(connection), found

        at, found = await self._store.read(work)
        if at != self._names_at or len(self._names) >= _NAMES_KEPT:
            self._names, self._names_at = {}, at
        self._names[key] = found
        return found

    def _opened(self, version: VersionRow, rows: Sequence[Row]) -> list[Chunk]:
        return [
            Chunk(
                chunk_id, version_id, access_id,
                unpacked(self._open(version, bytes(sealed), f"{version.place}#{ordinal}"), ordinal, access_of(demands)),
            )
            for chunk_id, version_id, ordinal, access_id, sealed, demands in rows
        ]  # fmt: skip

    def _open(self, version: VersionRow, sealed: bytes, place: str) -> Any:
        assert version.sealed_key is not None
        return self._keys.open(version.sealed_key, document_owner(version.tenant, version.document_id)).open(sealed, place)


def _there(version: VersionRow | None) -> VersionRow:
    if version is None:
        raise NotFound("no such version", reason="VERSION_GONE")
    return version


def _readable(access_ids: Collection[int]) -> str:
    return f"EXISTS (SELECT 1 FROM chunk c WHERE c.version_id = v.version_id AND c.access_id IN {listed(access_ids)})"  # noqa: S608
