"""Port Reports: unanswered questions, who read what, what people thought of answers. Words are sealed with the tenant's key."""

from __future__ import annotations

from collections.abc import Sequence

from rag.adapters.ledger.columns import column, packed_column
from rag.adapters.ledger.database import Connection, listed, one
from rag.adapters.ledger.documents import tenant_key
from rag.adapters.ledger.sealing import Key, Keys, tenant_owner
from rag.adapters.ledger.store import Store
from rag.domain.conversation import Read, Unanswered

_QUESTION, _COMMENT = "question", "comment"


class LedgerReports:
    """Port Reports."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys

    async def unanswered(self, tenant: str, question: str, refusal: str, now_us: int) -> None:
        """Count a question."""

        def work(connection: Connection) -> None:
            key = tenant_key(connection, self._keys, tenant)
            connection.execute(
                "INSERT INTO unanswered (tenant, question_hash, refusal, count, last_us, sealed) VALUES (?, ?, ?, 1, ?, ?) "
                "ON CONFLICT (tenant, question_hash, refusal) DO UPDATE SET count = unanswered.count + 1, last_us = excluded.last_us",
                (tenant, key.named(_QUESTION, question), refusal, now_us, key.seal(question, _QUESTION)),
            )

        await self._store.write(work)

    async def list_unanswered(self, tenant: str, since_us: int, limit: int) -> list[Unanswered]:
        """Return questions, newest first."""

        def work(connection: Connection) -> list[Unanswered]:
            ask = (
                "SELECT sealed, refusal, count, last_us FROM unanswered WHERE tenant = ? AND last_us >= ? "
                "ORDER BY last_us DESC, unanswered_id DESC LIMIT ?"
            )
            key = self._known(connection, tenant)
            rows = connection.query(ask, (tenant, since_us, limit)) if key is not None else []
            return [
                Unanswered(str(key.open(bytes(sealed), _QUESTION)), refusal, count, last_us)
                for sealed, refusal, count, last_us in rows
                if key is not None
            ]

        return await self._store.read(work)

    async def reads(self, tenant: str, reads: Sequence[Read]) -> None:
        """Write down who was shown what: ids alone, which outlive a purge."""
        rows = [
            (
                tenant,
                read.principal,
                read.purpose,
                read.document_id,
                read.source_version,
                packed_column(read.ordinals),
                read.read_at_us,
                read.audit_record_id,
            )
            for read in reads
        ]
        sql = (
            "INSERT INTO reading (tenant, principal, purpose, document_id, source_version, ordinals, read_us, audit_record_id) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        await self._store.write(lambda connection: connection.executemany(sql, rows))

    async def list_reads(self, tenant: str, document_id: str, principal: str, since_us: int, limit: int) -> list[Read]:
        """Return reads, newest first."""
        ask = (
            "SELECT principal, purpose, document_id, source_version, ordinals, read_us, audit_record_id FROM reading "
            "WHERE tenant = ? AND read_us >= ? AND (? = '' OR document_id = ?) AND (? = '' OR principal = ?) "
            "ORDER BY read_us DESC, reading_id DESC LIMIT ?"
        )
        parameters = (tenant, since_us, document_id, document_id, principal, principal, limit)
        rows = await self._store.read(lambda connection: connection.query(ask, parameters))
        return [
            Read(
                principal=who,
                purpose=purpose,
                document_id=document,
                source_version=version,
                ordinals=tuple(column(ordinals)),
                read_at_us=read_us,
                audit_record_id=record,
            )
            for who, purpose, document, version, ordinals, read_us, record in rows
        ]

    async def feedback(self, tenant: str, principal: str, audit_record_id: str, verdict: str, comment: str, now_us: int) -> None:
        """Keep what a person thought of an answer; the last word counts."""

        def work(connection: Connection) -> None:
            key = tenant_key(connection, self._keys, tenant)
            connection.execute(
                "INSERT INTO feedback (tenant, principal, audit_record_id, verdict, sealed, at_us) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (tenant, principal, audit_record_id) DO UPDATE SET verdict = excluded.verdict, sealed = excluded.sealed, "
                "at_us = excluded.at_us",
                (tenant, principal, audit_record_id, verdict, key.seal(comment, _COMMENT), now_us),
            )

        await self._store.write(work)

    def _known(self, connection: Connection, tenant: str) -> Key | None:
        found = one(connection.query("SELECT sealed_key FROM tenant WHERE tenant = ?", (tenant,)))
        return None if found is None else self._keys.open(bytes(found[0]), tenant_owner(tenant))


def forget_words(connection: Connection, keys: Keys, tenant: str, document_id: str, names: set[str]) -> None:
    """Within the transaction of a purge: take out feedback to answers that showed a document, and unanswered questions that name it."""
    connection.execute(
        "DELETE FROM feedback WHERE tenant = ? AND audit_record_id IN "
        "(SELECT audit_record_id FROM reading WHERE tenant = ? AND document_id = ?)",
        (tenant, tenant, document_id),
    )
    key = tenant_key(connection, keys, tenant)
    rows = connection.query("SELECT unanswered_id, sealed FROM unanswered WHERE tenant = ?", (tenant,))
    naming = [number for number, sealed in rows if any(name and name in key.open(bytes(sealed), _QUESTION) for name in names)]
    connection.execute(f"DELETE FROM unanswered WHERE unanswered_id IN {listed(naming)}")  # noqa: S608
