"""Port Conversations: turns and scope of a principal, sealed with a key of the conversation. Forgetting destroys the key."""

from __future__ import annotations

from typing import Any

from meshkit.errors import NotFound

from rag.adapters.ledger.database import Connection, listed, one
from rag.adapters.ledger.documents import document_row
from rag.adapters.ledger.sealing import Key, Keys
from rag.adapters.ledger.store import Store
from rag.domain.answer import Citation, Derivation, Sentence
from rag.domain.citing import PassageId
from rag.domain.conversation import Conversation, Turn
from rag.domain.retrieval import Scope

_KEPT_TURNS = 100
_SCOPE, _TURN = "scope", "turn"
_Found = tuple[int, Key, bytes]


class LedgerConversations:
    """Port Conversations."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys

    async def conversation(self, tenant: str, principal: str, conversation_id: str) -> Conversation:
        """Return a conversation. Raises NotFound (CONVERSATION_NOT_FOUND)."""

        def work(connection: Connection) -> Conversation:
            found = self._found(connection, tenant, principal, conversation_id)
            if found is None:
                raise NotFound("no such conversation", reason="CONVERSATION_NOT_FOUND")
            row, key, scope = found
            turns = connection.query("SELECT sealed FROM turn WHERE conversation_row = ? ORDER BY turn_id", (row,))
            return Conversation(_scope(key.open(scope, _SCOPE)), tuple(_turn(key.open(bytes(sealed), _TURN)) for (sealed,) in turns))

        return await self._store.read(work)

    async def add_turn(self, tenant: str, principal: str, conversation_id: str, turn: Turn, scope: Scope) -> None:
        """Keep a turn and the scope of the next."""

        def work(connection: Connection) -> None:
            row, key = self._begun(connection, tenant, principal, conversation_id)
            sealed_scope = key.seal([list(scope.documents), list(scope.products)], _SCOPE)
            connection.execute("UPDATE conversation SET scope = ? WHERE conversation_row = ?", (sealed_scope, row))
            insert = "INSERT INTO turn (conversation_row, asked_us, sealed) VALUES (?, ?, ?)"
            connection.execute(insert, (row, turn.asked_at_us, key.seal(_plain(turn), _TURN)))
            ids = [each[0] for each in connection.query("SELECT turn_id FROM turn WHERE conversation_row = ? ORDER BY turn_id", (row,))]
            for document_id in {citation.passage.document_id for sentence in turn.sentences for citation in sentence.citations}:
                document = document_row(connection, tenant, document_id)
                if document is not None:
                    connection.execute("INSERT INTO turn_document (turn_id, document_row) VALUES (?, ?)", (ids[-1], document[0]))
            delete_turns(connection, ids[:-_KEPT_TURNS])

        await self._store.write(work)

    async def reset(self, tenant: str, principal: str, conversation_id: str, forget: bool) -> None:
        """Empty the scope, or forget everything."""

        def work(connection: Connection) -> None:
            found = self._found(connection, tenant, principal, conversation_id)
            if found is None:
                return
            row, key, _ = found
            if forget:
                ids = connection.query("SELECT turn_id FROM turn WHERE conversation_row = ?", (row,))
                delete_turns(connection, [each[0] for each in ids])
                connection.execute("DELETE FROM conversation WHERE conversation_row = ?", (row,))
            else:
                connection.execute("UPDATE conversation SET scope = ? WHERE conversation_row = ?", (key.seal([[], []], _SCOPE), row))

        await self._store.write(work)

    def _found(self, connection: Connection, tenant: str, principal: str, conversation_id: str) -> _Found | None:
        ask = "SELECT conversation_row, sealed_key, scope FROM conversation WHERE tenant = ? AND principal = ? AND conversation_id = ?"
        row = one(connection.query(ask, (tenant, principal, conversation_id)))
        if row is None:
            return None
        return row[0], self._keys.open(bytes(row[1]), conversation_owner(tenant, principal, conversation_id)), bytes(row[2])

    def _begun(self, connection: Connection, tenant: str, principal: str, conversation_id: str) -> tuple[int, Key]:
        found = self._found(connection, tenant, principal, conversation_id)
        if found is None:
            owner = conversation_owner(tenant, principal, conversation_id)
            sealed_key = self._keys.new(owner)
            empty = self._keys.open(sealed_key, owner).seal([[], []], _SCOPE)
            insert = "INSERT INTO conversation (tenant, principal, conversation_id, sealed_key, scope) VALUES (?, ?, ?, ?, ?)"
            connection.execute(insert, (tenant, principal, conversation_id, sealed_key, empty))
            found = self._found(connection, tenant, principal, conversation_id)
            assert found is not None
        return found[0], found[1]


def conversation_owner(tenant: str, principal: str, conversation_id: str) -> str:
    """Return what a conversation's key belongs to."""
    return f"rag-conversation|{tenant}|{principal}|{conversation_id}"


def delete_turns(connection: Connection, turn_ids: list[int]) -> None:
    """Delete turns."""
    for table in ("turn_document", "turn"):
        connection.execute(f"DELETE FROM {table} WHERE turn_id IN {listed(turn_ids)}")  # noqa: S608


def forget_document(connection: Connection, keys: Keys, tenant: str, row: int, names: set[str]) -> None:
    """Within the transaction of a purge: take out turns that cite a document, and scopes that name it."""
    cited = connection.query("SELECT turn_id FROM turn_document WHERE document_row = ?", (row,))
    delete_turns(connection, [each[0] for each in cited])
    ask = "SELECT conversation_row, principal, conversation_id, sealed_key, scope FROM conversation WHERE tenant = ?"
    for conversation_row, principal, conversation_id, sealed_key, scope in connection.query(ask, (tenant,)):
        key = keys.open(bytes(sealed_key), conversation_owner(tenant, principal, conversation_id))
        documents, products = key.open(bytes(scope), _SCOPE)
        if not names.isdisjoint(documents):
            left = key.seal([[name for name in documents if name not in names], products], _SCOPE)
            connection.execute("UPDATE conversation SET scope = ? WHERE conversation_row = ?", (left, conversation_row))


def _scope(value: list[list[str]]) -> Scope:
    return Scope(tuple(value[0]), tuple(value[1]))


def _plain(turn: Turn) -> list[Any]:
    """Return a turn as JSON."""
    return [turn.question, turn.asked_at_us, [_plain_sentence(sentence) for sentence in turn.sentences]]


def _plain_sentence(sentence: Sentence) -> list[Any]:
    citations = [
        [
            cited.passage.document_id,
            cited.passage.source_version,
            cited.passage.ordinal,
            cited.start,
            cited.end,
            cited.text_sha256.hex(),
            cited.page,
            cited.cell,
            cited.superseded,
        ]
        for cited in sentence.citations
    ]
    derived = sentence.derivation
    return [sentence.text, citations, None if derived is None else [derived.formula, list(derived.operands), derived.result]]


def _turn(value: list[Any]) -> Turn:
    question, asked_at_us, sentences = value
    return Turn(question, tuple(_sentence(sentence) for sentence in sentences), asked_at_us)


def _sentence(value: list[Any]) -> Sentence:
    text, citations, derived = value
    cited = tuple(
        Citation(
            passage=PassageId(document, version, ordinal),
            start=start,
            end=end,
            text_sha256=bytes.fromhex(digest),
            page=page,
            cell=cell,
            superseded=superseded,
        )
        for document, version, ordinal, start, end, digest, page, cell, superseded in citations
    )
    return Sentence(text, cited, None if derived is None else Derivation(derived[0], tuple(derived[1]), derived[2]))
