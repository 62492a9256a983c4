"""Demands as rows: equal demands of one tenant share one access id, which is never given out again and never means anything else."""

from __future__ import annotations

from functools import lru_cache

from rag.adapters.ledger.columns import column, packed_column
from rag.adapters.ledger.database import Connection, one
from rag.domain.access import Access


def demands_of(access: Access) -> str:
    """Return demands in the one form that equal ones share."""
    return packed_column(
        [
            access.grade,
            sorted(access.groups),
            sorted(access.barriers),
            sorted(access.purposes),
            access.publish_at_us,
            access.expires_at_us,
        ],
    )


@lru_cache(8_192)
def access_of(demands: str) -> Access:
    """Return demands; the other way of `demands_of`."""
    grade, groups, barriers, purposes, publish_at_us, expires_at_us = column(demands)
    return Access(
        grade=grade,
        groups=frozenset(groups),
        barriers=frozenset(barriers),
        purposes=frozenset(purposes),
        publish_at_us=publish_at_us,
        expires_at_us=expires_at_us,
    )


class Interned:
    """The access ids of one tenant, within one transaction."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection, self._tenant = connection, tenant
        self._known: dict[str, int] = {}
        self._demands: dict[int, str] = {}

    def id_of(self, access: Access) -> int:
        """Return the id of demands, a new one when nobody demanded that yet."""
        demands = demands_of(access)
        if demands not in self._known:
            ask = "SELECT access_id FROM access WHERE tenant = ? AND demands = ?"
            found = one(self._connection.query(ask, (self._tenant, demands)))
            if found is None:
                self._connection.execute("INSERT INTO access (tenant, demands) VALUES (?, ?)", (self._tenant, demands))
                found = self._connection.query(ask, (self._tenant, demands))[0]
            self._known[demands] = found[0]
        return self._known[demands]

    def narrowed(self, access_id: int, newest: Access) -> int:
        """Return the id of an id's demands together with those of the newest version."""
        if access_id not in self._demands:
            self._demands[access_id] = self._connection.query("SELECT demands FROM access WHERE access_id = ?", (access_id,))[0][0]
        return self.id_of(access_of(self._demands[access_id]).narrowed(newest))
