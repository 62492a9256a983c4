"""The change log: gap-free, written with what it tells of. What one transaction does becomes known at one sequence, its last."""

from __future__ import annotations

from collections.abc import Iterable

from rag.adapters.ledger.columns import packed_column
from rag.adapters.ledger.database import Connection, listed
from rag.adapters.ledger.rows import head
from rag.domain.document import ChangeKind


class Changes:
    """Changes of one transaction."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection, self._tenant = connection, tenant
        self._told: list[tuple[ChangeKind, int]] = []
        self._begun: list[int] = []
        self._ended: list[int] = []
        self._never: list[int] = []

    def published(self, version_id: int) -> None:
        """Say that a version is visible from here on."""
        self._told.append((ChangeKind.PUBLISHED, version_id))
        self._begun.append(version_id)

    def moved(self, version_ids: Iterable[int]) -> None:
        """Say that passages of versions demand something else, once for each that an index knows."""
        told = {version_id for kind, version_id in self._told if kind is ChangeKind.PUBLISHED}
        self._told += [(ChangeKind.PUBLISHED, version_id) for version_id in version_ids if version_id not in told | set(self._never)]

    def told(self, version_id: int, kind: ChangeKind) -> None:
        """Say what became of a version that was not visible."""
        self._told.append((kind, version_id))

    def ended(self, version_id: int, kind: ChangeKind) -> None:
        """Say that a version is visible no more."""
        self._told.append((kind, version_id))
        self._ended.append(version_id)

    def never(self, version_id: int) -> None:
        """Say of a version that a newer one had replaced it before it came: nobody is told, and it was never visible."""
        self._never.append(version_id)

    def write(self) -> int:
        """Write them; return the sequence at which all of it is known."""
        first = head(self._connection) + 1
        seq = first + len(self._told) - 1
        if self._begun:
            self._connection.execute(f"UPDATE version SET from_seq = ? WHERE version_id IN {listed(self._begun)}", (seq,))  # noqa: S608
        if self._ended:
            ended = listed(self._ended)
            self._connection.execute(f"UPDATE version SET to_seq = ? WHERE version_id IN {ended} AND to_seq > ?", (seq, seq))  # noqa: S608
        if self._never:
            never = listed(self._never)
            self._connection.execute(f"UPDATE version SET from_seq = ?, to_seq = ? WHERE version_id IN {never}", (seq, seq))  # noqa: S608
        if self._told:
            rows = [
                (first + place, kind.value, self._tenant, version_id, packed_column(self._access_ids(version_id)))
                for place, (kind, version_id) in enumerate(self._told)
            ]
            self._connection.executemany("INSERT INTO change (seq, kind, tenant, version_id, access_ids) VALUES (?, ?, ?, ?, ?)", rows)
            self._connection.execute("UPDATE head SET seq = ? WHERE id = 1", (seq,))
        return seq

    def _access_ids(self, version_id: int) -> list[int]:
        found = self._connection.query("SELECT DISTINCT access_id FROM chunk WHERE version_id = ?", (version_id,))
        return sorted(row[0] for row in found)
