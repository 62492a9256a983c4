"""One transaction is checked as a whole: the fast path and the detailed one agree, and every wrong field is named."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given
from meshkit.errors import InvalidArgument
from risk_scoring.domain import transaction as module
from risk_scoring.domain.identity import Uetr
from risk_scoring.domain.transaction import Channel, Transaction

GOOD = Transaction(
    tenant="bank-a",
    identity=Uetr("0f8fad5b-d9cb-469f-a165-70867728950e"),
    channel=Channel.TRANSFER,
    event_time_us=1_763_850_000_000_000,
    amount_minor=12_345,
    currency="CNY",
    customer_id="cust-1",
    account_id="acct-1",
    instrument_token="tok_1",
    counterparty_account_id="acct-2",
    merchant_id="m-1",
    terminal_id="t-1",
    mcc="5411",
    device_id="dev-1",
    country_code="CN",
    region_code="CN-BJ",
    utc_offset_minutes=480,
)
WRONG = {
    "tenant": (["", "Bank", "b" * 41, "银行", "a_b"], "tenant"),
    "channel": ([0, 5, -1], "channel"),
    "event_time_us": ([0, -1, 10**18], "event_time"),
    "amount_minor": ([0, -5, 10**15 + 1], "amount.amount_minor"),
    "currency": (["", "cny", "CNH", "XXX", "人民币", "ＣＮＹ"], "amount.currency_code"),
    "customer_id": (["", "a b", "x" * 65, "a\x00", "a\x1fb", "张\u3000三", "e\u0301"], "customer_id"),
    "account_id": (["", "a\tb", "a\u200b"], "account_id"),
    "counterparty_account_id": (["", " "], "counterparty_account_id"),
    "instrument_token": (["4111111111111111", "6222020200000000001"[:16] + "x y"], "instrument_token"),
    "device_id": (["a\n", "\ud800"], "device_id"),
    "mcc": (["541", "54111", "５４１１"], "merchant_category_code"),
    "country_code": (["cn", "CHN", "中国"], "geo.country_code"),
    "region_code": (["x" * 17, "北 京"], "geo.region_code"),
    "utc_offset_minutes": ([841, -841], "utc_offset_minutes"),
}


def fields_of(error):
    return [violation.field for violation in error.value.violations]


def test_a_good_transaction_passes_without_the_slow_path(monkeypatch):
    monkeypatch.setattr(module, "_violations", lambda t: pytest.fail("the fast path must suffice"))
    assert GOOD.validated() is GOOD


@pytest.mark.parametrize(("name", "value", "field"), [(n, v, f) for n, (values, f) in WRONG.items() for v in values])
def test_each_wrong_field_is_named(name, value, field):
    with pytest.raises(InvalidArgument) as caught:
        replace(GOOD, **{name: value}).validated()
    assert fields_of(caught) == [field]
    assert caught.value.reason == "INVALID_TRANSACTION"


def test_all_wrong_fields_are_named_at_once_and_no_value_leaks():
    bad = replace(GOOD, **{name: values[-1] for name, (values, _) in WRONG.items() if name != "channel"}, identity=Uetr("no"))
    with pytest.raises(InvalidArgument) as caught:
        bad.validated()
    assert set(fields_of(caught)) == {field for name, (_, field) in WRONG.items() if name != "channel"} | {"identity.uetr"}
    said = str(caught.value) + "".join(v.description for v in caught.value.violations)
    assert "张" not in said and "中国" not in said


@pytest.mark.parametrize(
    ("channel", "needed"),
    [
        (Channel.CARD_PRESENT, ["merchant_id", "terminal_id"]),
        (Channel.ECOMMERCE, ["merchant_id"]),
        (Channel.TRANSFER, ["counterparty_account_id"]),
        (Channel.ATM, ["terminal_id"]),
    ],
)
def test_each_channel_needs_its_counterparty(channel, needed):
    empty = replace(GOOD, channel=channel, counterparty_account_id="", merchant_id="", terminal_id="")
    with pytest.raises(InvalidArgument) as caught:
        empty.validated()
    assert sorted(fields_of(caught)) == sorted(needed)
    full = replace(empty, **dict.fromkeys(needed, "x"))
    assert full.validated().counterparty_id == "x"


def test_tokens_in_the_banks_own_script_pass():
    assert replace(GOOD, account_id="账户８８", region_code="北京").validated()


@pytest.mark.parametrize("token", ["4111111111111112", "411111111111111", "tok-4111111111111111", "１２３４５６７８９０１２３４５６"])
def test_what_only_resembles_a_card_number_passes(token):
    assert replace(GOOD, instrument_token=token).validated()


CELL = st.text(max_size=4) | st.sampled_from(["", "a", "CN", "5411", "a\x1fb", "4111111111111111", "x" * 64, "x" * 65])
TEXTS = ["tenant", "currency", "customer_id", "account_id", "instrument_token", "counterparty_account_id", "merchant_id", "terminal_id"]
TEXTS += ["mcc", "device_id", "country_code", "region_code"]


@given(st.dictionaries(st.sampled_from(TEXTS), CELL, max_size=3), st.sampled_from(list(Channel)))
def test_the_two_paths_agree(changes, channel):
    transaction = replace(GOOD, channel=channel, **changes)
    wrong = module._violations(transaction)
    try:
        transaction.validated()
        assert not wrong
    except InvalidArgument as error:
        assert list(error.violations) == wrong and wrong
