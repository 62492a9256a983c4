"""Rules D1 and D2: what identifies a transaction, and what may not change under that identity."""

import unicodedata
from dataclasses import fields, replace

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given
from meshkit.errors import InvalidArgument
from risk_scoring.domain.identity import (
    CardIdentity,
    CreditTransferIdentity,
    Uetr,
    checked_identity,
    decision_key,
    fingerprint_bytes,
    identity_violations,
    text_problem,
)
from risk_scoring.domain.transaction import Channel, Transaction

UETR = Uetr("0f8fad5b-d9cb-469f-a165-70867728950e")
CARD = CardIdentity("48150001", "000123", "432112345678", "20261122", "0100")
TRANSFER = CreditTransferIdentity("ICBKCNBJ", "MSG-1", "E2E-1", 0)
TEXT = st.text(max_size=6)
IDENTITIES = (
    st.builds(Uetr, TEXT)
    | st.builds(CardIdentity, TEXT, TEXT, TEXT, TEXT, TEXT)
    | st.builds(CreditTransferIdentity, TEXT, TEXT, TEXT, st.integers(0, 30))
)
BUSINESS = [f.name for f in fields(Transaction) if f.name not in ("tenant", "identity", "utc_offset_minutes")]
TRANSACTIONS = st.builds(
    Transaction,
    tenant=st.just("bank-a"),
    identity=st.just(UETR),
    channel=st.integers(0, 4),
    event_time_us=st.integers(-3, 3),
    amount_minor=st.integers(-3, 3),
    **{f.name: st.text(alphabet="ab1\x00", max_size=2) for f in fields(Transaction) if f.type == "str" and f.name != "tenant"},
)


@given(st.tuples(TEXT, IDENTITIES), st.tuples(TEXT, IDENTITIES))
def test_decision_keys_are_equal_only_for_equal_identities(one, other):
    assert (decision_key(*one) == decision_key(*other)) == (one == other)


@given(IDENTITIES, TEXT, st.data())
def test_moving_a_character_between_fields_changes_the_key(identity, tenant, data):
    """The trap of joined keys: 12+3 and 1+23."""
    names = [f.name for f in fields(identity) if f.name not in ("index", "value")]
    assume(len(names) >= 2)
    first = data.draw(st.integers(0, len(names) - 2))
    a, b = getattr(identity, names[first]), getattr(identity, names[first + 1])
    assume(b)
    moved = replace(identity, **{names[first]: a + b[0], names[first + 1]: b[1:]})
    assert decision_key(tenant, moved) != decision_key(tenant, identity)


@given(TRANSACTIONS, TRANSACTIONS)
def test_fingerprints_are_equal_only_for_equal_business_fields(one, other):
    same = all(getattr(one, name) == getattr(other, name) for name in BUSINESS)
    assert (fingerprint_bytes(one) == fingerprint_bytes(other)) == same


@given(TRANSACTIONS, st.sampled_from(BUSINESS))
def test_every_business_field_is_in_the_fingerprint(transaction, name):
    value = getattr(transaction, name)
    changed = replace(transaction, **{name: value + "x" if isinstance(value, str) else value + 1})
    assert fingerprint_bytes(changed) != fingerprint_bytes(transaction)


def test_identity_and_time_zone_are_not_in_the_fingerprint():
    transaction = Transaction("bank-a", UETR, Channel.TRANSFER, 1, 2, "CNY", "c", "a", counterparty_account_id="b")
    assert fingerprint_bytes(replace(transaction, identity=CARD, utc_offset_minutes=480)) == fingerprint_bytes(transaction)


def test_the_bytes_of_a_key_are_fixed():
    """Stored keys outlive releases: a change of these bytes orphans every stored decision."""
    assert decision_key("b", Uetr("u")) == b"\x01U\x00\x01\x00\x01bu"
    assert decision_key("b", TRANSFER) == b"\x01T\x00\x01\x00\x08\x00\x05\x00\x05\x00\x01bICBKCNBJMSG-1E2E-10"


@pytest.mark.parametrize("identity", [UETR, CARD, TRANSFER, replace(TRANSFER, end_to_end_id="工资-十一月", message_id="报文 1")])
def test_valid_identities_pass(identity):
    assert checked_identity("bank-a", identity) is identity


@pytest.mark.parametrize(
    ("identity", "field"),
    [
        (Uetr("0F8FAD5B-D9CB-469F-A165-70867728950E"), "identity.uetr"),
        (Uetr("0f8fad5b-d9cb-169f-a165-70867728950e"), "identity.uetr"),  # version 1
        (Uetr("0f8fad5b-d9cb-469f-c165-70867728950e"), "identity.uetr"),  # other variant
        (Uetr(UETR.value + "\n"), "identity.uetr"),
        (replace(CARD, stan="12345"), "identity.card.stan"),
        (replace(CARD, stan="１２３４５６"), "identity.card.stan"),  # full-width digits
        (replace(CARD, rrn="43211234567\x00"), "identity.card.rrn"),
        (replace(CARD, acquirer_id=""), "identity.card.acquirer_id"),
        (replace(CARD, acquirer_id="123456789012"), "identity.card.acquirer_id"),
        (replace(CARD, transmission_date="20260230"), "identity.card.transmission_date"),
        (replace(CARD, transmission_date="2026112"), "identity.card.transmission_date"),
        (replace(CARD, message_type="100"), "identity.card.message_type"),
        (replace(TRANSFER, message_id=""), "identity.credit_transfer.message_id"),
        (replace(TRANSFER, message_id="x" * 36), "identity.credit_transfer.message_id"),
        (replace(TRANSFER, end_to_end_id="a\x00b"), "identity.credit_transfer.end_to_end_id"),
        (replace(TRANSFER, end_to_end_id="a\u200bb"), "identity.credit_transfer.end_to_end_id"),  # zero-width space
        (replace(TRANSFER, end_to_end_id="e\u0301"), "identity.credit_transfer.end_to_end_id"),  # not NFC
        (replace(TRANSFER, sender_id=" A"), "identity.credit_transfer.sender_id"),
        (replace(TRANSFER, index=-1), "identity.credit_transfer.index"),
    ],
)
def test_what_is_wrong_is_named(identity, field):
    assert [violation.field for violation in identity_violations(identity)] == [field]
    with pytest.raises(InvalidArgument) as caught:
        checked_identity("Bank A", identity)
    assert [violation.field for violation in caught.value.violations] == ["tenant", field]
    assert caught.value.reason == "INVALID_TRANSACTION"


@given(st.text(max_size=40))
def test_accepted_text_is_canonical(text):
    """Two texts that look the same to Unicode are never both accepted."""
    if text_problem(text, 35) is None:
        assert unicodedata.normalize("NFC", text) == text == text.strip()
        assert not any(unicodedata.category(c).startswith("C") for c in text)
