"""Block lists and trusted payees: an immutable snapshot, so that a batch never sees half of a change (D5).

The entries live in a fixed number of dicts; changes that are applied together copy each dict that they touch once, so that a list of a
million entries is replayed from its topic in seconds while lookups stay one hash away. Expiry is judged at lookup by a time argument,
never by a clock here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from meshkit.errors import FieldViolation, InvalidArgument, Unavailable
from meshkit.tenants import RULE, is_tenant

from risk_scoring.domain.identity import text_problem
from risk_scoring.domain.transaction import Transaction, token_problem

INVALID_LIST_ENTRY = "INVALID_LIST_ENTRY"
MAX_AUTHOR_CHARACTERS = 255  # of a token's subject (OpenID Connect Core 1.0, section 2)
_SHARDS = 256
_Key = tuple[int, str, int, str, str]


class ListsNotRead(Unavailable):
    """Nothing may be decided before the lists were read: what is blocked would pass."""

    default_reason = "LISTS_NOT_READ"


class ListKind(IntEnum):
    """Numbers of finmesh.risk.v1.ListKind."""

    BLOCK = 1
    TRUSTED_PAYEE = 2


class ListedEntity(IntEnum):
    """Numbers of finmesh.risk.v1.ListedEntity."""

    CUSTOMER = 1
    ACCOUNT = 2
    COUNTERPARTY = 3
    DEVICE = 4
    INSTRUMENT = 5


_BLOCK = int(ListKind.BLOCK)  # plain numbers: seven lookups a transaction, and an enum member hashes slowly
_CUSTOMER, _ACCOUNT, _COUNTERPARTY, _DEVICE, _INSTRUMENT = (int(entity) for entity in ListedEntity)


@dataclass(frozen=True, slots=True)
class ListChange:
    """An entry is set or removed; the fields of ListEntryChanged."""

    tenant: str
    kind: int
    entity: int
    entity_id: str
    customer_id: str
    expires_at_s: float
    author: str
    comment: str = ""
    removed: bool = False

    def validated(self) -> Self:
        """Return itself; raise InvalidArgument (INVALID_LIST_ENTRY) listing every wrong field."""
        violations = tuple(_violations(self))
        if violations:
            raise InvalidArgument("the list entry is invalid", reason=INVALID_LIST_ENTRY, violations=violations)
        return self

    @property
    def key(self) -> _Key:
        """What the entry is about: a later change with the same key replaces it."""
        return self.kind, self.tenant, self.entity, self.entity_id, self.customer_id


@dataclass(frozen=True, slots=True)
class ListEntry:
    """An entry in force until ``expires_at_s`` (exclusive)."""

    expires_at_s: float
    author: str
    comment: str


@dataclass(frozen=True, slots=True)
class ListSnapshot:
    """All entries at one moment. ``version``: changes applied since the empty list. ``size``: entries held, expired ones included.

    ``read``: whether what stood in the topic was read to its end.
    """

    version: int = 0
    size: int = 0
    _shards: tuple[dict[_Key, ListEntry], ...] = ({},) * _SHARDS
    read: bool = True

    def apply(self, *changes: ListChange) -> ListSnapshot:
        """The snapshot after changes, in their order; this one stays as it is."""
        shards, copied, size = list(self._shards), set[int](), self.size
        for change in changes:
            key, position = change.key, hash(change.entity_id) % _SHARDS
            shard = shards[position]
            if position not in copied:
                copied.add(position)
                shard = shards[position] = shard.copy()
            size -= len(shard)
            if change.removed:
                shard.pop(key, None)
            else:
                shard[key] = ListEntry(change.expires_at_s, change.author, change.comment)
            size += len(shard)
        return ListSnapshot(self.version + len(changes), size, tuple(shards), self.read)

    def entry(self, kind: int, tenant: str, entity: int, entity_id: str, customer_id: str = "", *, now_s: float) -> ListEntry | None:
        """The entry in force at ``now_s``, or None."""
        key = (kind, tenant, entity, entity_id, customer_id)
        found = self._shards[hash(entity_id) % _SHARDS].get(key)
        return found if found is not None and now_s < found.expires_at_s else None

    def blocks(self, t: Transaction, now_s: float) -> bool:
        """Whether any entity of the transaction is on the block list of its tenant."""
        if self.size == 0:
            return False
        tenant, shards = t.tenant, self._shards
        for entity, identifier in (
            (_COUNTERPARTY, t.counterparty_account_id),
            (_COUNTERPARTY, t.merchant_id),
            (_COUNTERPARTY, t.terminal_id),
            (_ACCOUNT, t.account_id),
            (_CUSTOMER, t.customer_id),
            (_DEVICE, t.device_id),
            (_INSTRUMENT, t.instrument_token),
        ):
            if identifier:
                found = shards[hash(identifier) % _SHARDS].get((_BLOCK, tenant, entity, identifier, ""))
                if found is not None and now_s < found.expires_at_s:
                    return True
        return False

    def trusts(self, t: Transaction, now_s: float) -> bool:
        """Whether the paying customer trusts the counterparty of the transaction."""
        if self.size == 0 or not t.counterparty_id:
            return False
        return (
            self.entry(ListKind.TRUSTED_PAYEE, t.tenant, ListedEntity.COUNTERPARTY, t.counterparty_id, t.customer_id, now_s=now_s)
            is not None
        )


NOT_READ = ListSnapshot(read=False)


def _violations(change: ListChange) -> Iterator[FieldViolation]:
    if not is_tenant(change.tenant):
        yield FieldViolation("tenant", RULE)
    if change.kind not in (ListKind.BLOCK, ListKind.TRUSTED_PAYEE):
        yield FieldViolation("kind", "must be a known list")
    if change.entity not in tuple(ListedEntity):
        yield FieldViolation("entity", "must be a known kind of entity")
    elif change.kind == ListKind.TRUSTED_PAYEE and change.entity != ListedEntity.COUNTERPARTY:
        yield FieldViolation("entity", "must be the counterparty for a trusted payee")
    if problem := token_problem(change.entity_id, required=True):
        yield FieldViolation("entity_id", problem)
    if problem := token_problem(change.customer_id, required=change.kind == ListKind.TRUSTED_PAYEE):
        yield FieldViolation("customer_id", problem)
    if change.kind == ListKind.BLOCK and change.customer_id:
        yield FieldViolation("customer_id", "must be empty for a block list")
    if not change.expires_at_s > 0:
        yield FieldViolation("expires_at", "is required")
    if problem := text_problem(change.author, MAX_AUTHOR_CHARACTERS):
        yield FieldViolation("author", problem)
    if len(change.comment) > 500 or any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in change.comment):
        yield FieldViolation("comment", "must have at most 500 characters and no control characters")
