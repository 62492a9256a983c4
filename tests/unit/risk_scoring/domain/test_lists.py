"""Block lists and trusted payees: expiry, tenants, who trusts whom, immutability."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given
from meshkit.errors import InvalidArgument
from risk_scoring.domain.identity import Uetr
from risk_scoring.domain.lists import ListChange, ListedEntity, ListKind, ListSnapshot
from risk_scoring.domain.transaction import Channel, Transaction

TRANSFER = Transaction(
    "bank-a", Uetr("u"), Channel.TRANSFER, 1, 1, "CNY", "cust", "acct", instrument_token="tok", counterparty_account_id="payee",
    device_id="dev",
)  # fmt: skip
CARD = replace(TRANSFER, channel=Channel.CARD_PRESENT, counterparty_account_id="", merchant_id="shop", terminal_id="term")
BLOCK = ListChange("bank-a", ListKind.BLOCK, ListedEntity.ACCOUNT, "acct", "", 100.0, "fraud-desk")
TRUST = ListChange("bank-a", ListKind.TRUSTED_PAYEE, ListedEntity.COUNTERPARTY, "payee", "cust", 100.0, "mobile-app")


@pytest.mark.parametrize(
    ("transaction", "entity", "identifier"),
    [
        (TRANSFER, ListedEntity.CUSTOMER, "cust"),
        (TRANSFER, ListedEntity.ACCOUNT, "acct"),
        (TRANSFER, ListedEntity.COUNTERPARTY, "payee"),
        (TRANSFER, ListedEntity.DEVICE, "dev"),
        (TRANSFER, ListedEntity.INSTRUMENT, "tok"),
        (CARD, ListedEntity.COUNTERPARTY, "shop"),
        (CARD, ListedEntity.COUNTERPARTY, "term"),
    ],
)
def test_every_entity_can_be_blocked_until_its_expiry(transaction, entity, identifier):
    lists = ListSnapshot().apply(replace(BLOCK, entity=entity, entity_id=identifier))
    assert lists.blocks(transaction, 99.9)
    assert not lists.blocks(transaction, 100.0)
    assert not lists.blocks(replace(transaction, tenant="bank-b"), 0.0)
    assert not lists.trusts(transaction, 0.0)


def test_the_same_id_of_another_kind_is_not_blocked():
    assert not ListSnapshot().apply(replace(BLOCK, entity=ListedEntity.DEVICE)).blocks(TRANSFER, 0.0)


def test_trust_is_of_one_customer_for_one_payee():
    lists = ListSnapshot().apply(TRUST)
    assert lists.trusts(TRANSFER, 99.9) and not lists.trusts(TRANSFER, 100.0)
    assert not lists.trusts(replace(TRANSFER, customer_id="other"), 0.0)
    assert not lists.trusts(replace(TRANSFER, counterparty_account_id="other"), 0.0)
    assert not lists.trusts(replace(TRANSFER, tenant="bank-b"), 0.0)
    assert not lists.blocks(TRANSFER, 0.0)


def test_a_change_leaves_older_snapshots_as_they_were():
    empty = ListSnapshot()
    blocked = empty.apply(BLOCK)
    extended = blocked.apply(replace(BLOCK, expires_at_s=200.0))
    removed = extended.apply(replace(BLOCK, removed=True))
    assert [s.blocks(TRANSFER, 150.0) for s in (empty, blocked, extended, removed)] == [False, False, True, False]
    assert [s.version for s in (empty, blocked, extended, removed)] == [0, 1, 2, 3]
    assert [s.size for s in (empty, blocked, extended, removed)] == [0, 1, 1, 0]
    assert removed.apply(replace(BLOCK, removed=True)).size == 0
    entry = extended.entry(ListKind.BLOCK, "bank-a", ListedEntity.ACCOUNT, "acct", now_s=0.0)
    assert entry is not None and (entry.author, entry.expires_at_s) == ("fraud-desk", 200.0)


CHANGES = st.lists(
    st.builds(
        ListChange, st.sampled_from(["a", "b"]), st.just(ListKind.BLOCK), st.sampled_from(list(ListedEntity)),
        st.sampled_from(["x", "y", "账户"]), st.just(""), st.sampled_from([1.0, 2.0]), st.just("desk"), removed=st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@given(CHANGES, st.sampled_from([0.5, 1.5, 2.5]))
def test_a_snapshot_is_what_a_dict_would_be(changes, now_s):
    lists, plain = ListSnapshot(), {}
    for change in changes:
        lists = lists.apply(change)
        plain.pop(change.key, None)
        if not change.removed:
            plain[change.key] = change.expires_at_s
    assert lists.size == len(plain)
    for tenant in ("a", "b"):
        for entity in ListedEntity:
            for identifier in ("x", "y", "账户"):
                expected = plain.get((ListKind.BLOCK, tenant, entity, identifier, ""), 0.0) > now_s
                assert (lists.entry(ListKind.BLOCK, tenant, entity, identifier, now_s=now_s) is not None) == expected


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (replace(BLOCK, tenant="A"), "tenant"),
        (replace(BLOCK, kind=0), "kind"),
        (replace(BLOCK, entity=9), "entity"),
        (replace(BLOCK, entity_id=""), "entity_id"),
        (replace(BLOCK, entity_id="张 三"), "entity_id"),
        (replace(BLOCK, customer_id="cust"), "customer_id"),
        (replace(TRUST, customer_id=""), "customer_id"),
        (replace(TRUST, entity=ListedEntity.DEVICE), "entity"),
        (replace(BLOCK, expires_at_s=0.0), "expires_at"),
        (replace(BLOCK, author=""), "author"),
        (replace(BLOCK, comment="a\x00"), "comment"),
        (replace(BLOCK, comment="长" * 501), "comment"),
    ],
)
def test_what_is_wrong_with_an_entry_is_named(change, field):
    with pytest.raises(InvalidArgument) as caught:
        change.validated()
    assert [violation.field for violation in caught.value.violations] == [field]
    assert caught.value.reason == "INVALID_LIST_ENTRY"


def test_good_entries_pass():
    assert BLOCK.validated() is BLOCK
    assert replace(TRUST, comment="客户本人确认\n第二行", author="反欺诈岗").validated()
