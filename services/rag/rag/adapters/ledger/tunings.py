"""Port Tunings: every version of a tenant's weights stays, with who recorded it and what the probes showed."""

from __future__ import annotations

from rag.adapters.ledger.columns import column, packed_column
from rag.adapters.ledger.database import Connection
from rag.adapters.ledger.store import Store
from rag.domain.tuning import Language, Tuning

_NEWEST = "SELECT version, weights, encoder FROM tuning WHERE tenant = ? ORDER BY version DESC LIMIT 1"
_INSERT = "INSERT INTO tuning (tenant, version, weights, encoder, report, recorded_by, at_us) VALUES (?, ?, ?, ?, ?, ?, ?)"


class LedgerTunings:
    """Port Tunings."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def current(self, tenant: str) -> Tuning:
        """Return the newest, or the default."""
        return await self._store.read(lambda connection: _newest(connection, tenant))

    async def record(self, tenant: str, tuning: Tuning, report: str, recorded_by: str, now_us: int) -> Tuning:
        """Keep it as the next version and return it so."""
        weights = packed_column({str(each): weight for each, weight in tuning.dense_weight.items()})

        def work(connection: Connection) -> Tuning:
            version = _newest(connection, tenant).version + 1
            connection.execute(_INSERT, (tenant, version, weights, tuning.encoder, report, recorded_by, now_us))
            return Tuning(version, tuning.dense_weight, tuning.encoder)

        return await self._store.write(work)


def _newest(connection: Connection, tenant: str) -> Tuning:
    rows = connection.query(_NEWEST, (tenant,))
    if not rows:
        return Tuning()
    version, weights, encoder = rows[0]
    return Tuning(version, {Language(each): float(weight) for each, weight in column(weights).items()}, encoder)
