"""Port References: what exists, whatever the rights are; for audit alone."""

from __future__ import annotations

from collections.abc import Collection

from rag.adapters.ledger.database import Connection, one
from rag.adapters.ledger.sealing import Keys, tenant_owner
from rag.adapters.ledger.store import Store

_ASK = (
    "SELECT DISTINCT d.document_id, c.access_id FROM document d JOIN version v ON v.document_row = d.document_row "
    "JOIN chunk c ON c.version_id = v.version_id WHERE d.tenant = ? AND "
)


class LedgerReferences:
    """Port References."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys

    async def referred(self, tenant: str, names: Collection[str]) -> dict[str, frozenset[int]]:
        """Return the documents of these ids or exact titles that have passages, withdrawn ones too, with the passages' access ids."""

        def work(connection: Connection) -> dict[str, frozenset[int]]:
            found: dict[str, set[int]] = {}
            sealed = one(connection.query("SELECT sealed_key FROM tenant WHERE tenant = ?", (tenant,)))
            if sealed is None:
                return {}
            key = self._keys.open(bytes(sealed[0]), tenant_owner(tenant))
            for name in names:
                rows = connection.query(f"{_ASK}d.document_id = ?", (tenant, name))
                rows += connection.query(f"{_ASK}v.title_hash = ?", (tenant, key.named("title", name)))
                for document_id, access_id in rows:
                    found.setdefault(document_id, set()).add(access_id)
            return {document_id: frozenset(access_ids) for document_id, access_ids in found.items()}

        return await self._store.read(work)
