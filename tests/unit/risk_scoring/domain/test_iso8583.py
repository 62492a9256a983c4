"""ISO 8583 messages: the documented table, the missing year, and card numbers that never come in."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from meshkit.errors import InvalidArgument
from risk_scoring.domain.countries import ALPHA2
from risk_scoring.domain.identity import CardIdentity
from risk_scoring.domain.iso8583 import SENSITIVE_ELEMENTS, CardTokens, transaction
from risk_scoring.domain.transaction import Channel

TOKENS = CardTokens("cust-1", "acct-1", "tok-1", device_id="dev-1")
PURCHASE = {
    3: "000000", 4: "000000012345", 7: "1122020005", 11: "000123", 12: "100000", 13: "1122", 18: "5411", 19: "156", 22: "051", 25: "00",
    32: "48150001", 37: "432112345678", 41: "T0000001", 42: "M00000000000001", 49: "156",
}  # fmt: skip
RECEIVED_S = datetime(2026, 11, 22, 2, 0, 6, tzinfo=UTC).timestamp()


def read(changes=None, received_s=RECEIVED_S, offset=480, tokens=TOKENS):
    return transaction(PURCHASE | (changes or {}), "0100", tokens, "bank-a", received_s, offset)


def micros(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


def test_a_purchase():
    t = read()
    assert t.identity == CardIdentity("48150001", "000123", "432112345678", "20261122", "0100")
    assert t.event_time_us == micros(2026, 11, 22, 2, 0, 0)
    assert (t.channel, t.amount_minor, t.currency, t.country_code) == (Channel.CARD_PRESENT, 12_345, "CNY", "CN")
    assert (t.merchant_id, t.terminal_id, t.mcc) == ("M00000000000001", "T0000001", "5411")
    assert (t.customer_id, t.account_id, t.instrument_token, t.device_id) == ("cust-1", "acct-1", "tok-1", "dev-1")


@pytest.mark.parametrize(
    ("changes", "channel"),
    [
        ({3: "010000", 18: "6011"}, Channel.ATM),
        ({3: "010000"}, Channel.CARD_PRESENT),  # cash at the counter of a shop
        ({25: "59"}, Channel.ECOMMERCE),
        ({25: "08"}, Channel.ECOMMERCE),
        ({22: "810"}, Channel.ECOMMERCE),
        ({22: "102"}, Channel.ECOMMERCE),
        ({22: "071"}, Channel.CARD_PRESENT),
    ],
)
def test_channels(changes, channel):
    assert read(changes).channel == channel


def test_a_transfer_needs_the_token_of_the_receiving_account():
    tokens = CardTokens("cust-1", "acct-1", "tok-1", counterparty_account_id="acct-2")
    t = read({3: "401010"}, tokens=tokens)
    assert (t.channel, t.counterparty_id) == (Channel.TRANSFER, "acct-2")
    with pytest.raises(InvalidArgument):
        read({3: "401010"})


@pytest.mark.parametrize("number", sorted(SENSITIVE_ELEMENTS))
def test_card_data_is_refused_and_not_repeated(number):
    with pytest.raises(InvalidArgument) as caught:
        read({number: "4111111111111111"})
    assert [v.field for v in caught.value.violations] == [f"iso8583.{number}"]
    assert "4111" not in str(caught.value) + str(caught.value.violations)


def test_a_card_number_as_token_is_refused():
    with pytest.raises(InvalidArgument) as caught:
        read(tokens=CardTokens("cust-1", "acct-1", "4111111111111111"))
    assert [v.field for v in caught.value.violations] == ["instrument_token"]


@pytest.mark.parametrize(
    ("sent", "received", "date"),
    [
        ("1231235959", datetime(2027, 1, 1, 0, 0, 3, tzinfo=UTC), "20261231"),
        ("0101000001", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "20270101"),
        ("0229120000", datetime(2028, 3, 1, tzinfo=UTC), "20280229"),
    ],
)
def test_the_year_is_the_one_closest_to_the_reception(sent, received, date):
    t = read({7: sent, 12: "", 13: ""}, received_s=received.timestamp())
    assert t.identity.transmission_date == date


def test_local_time_may_lie_in_another_year_than_transmission():
    t = read({7: "1231180000", 12: "020000", 13: "0101"}, received_s=datetime(2026, 12, 31, 18, tzinfo=UTC).timestamp())
    assert t.event_time_us == micros(2026, 12, 31, 18, 0, 0)


def test_a_repeat_has_the_same_business_fields_and_another_transmission():
    """Field 7 changes from attempt to attempt; the customer's time does not."""
    assert read({7: "1122020905"}).event_time_us == read().event_time_us


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({3: "00"}, "iso8583.3"),
        ({4: "12345"}, "iso8583.4"),
        ({4: "０００００００１２３４５"}, "iso8583.4"),
        ({7: "1322020005"}, "iso8583.7"),
        ({7: ""}, "iso8583.7"),
        ({12: "250000"}, "iso8583.13"),
        ({13: ""}, "iso8583.13"),
        ({19: "999"}, "iso8583.19"),
        ({49: "000"}, "iso8583.49"),
        ({11: "12"}, "identity.card.stan"),
        ({32: ""}, "identity.card.acquirer_id"),
        ({41: ""}, "terminal_id"),
        ({42: "商 户"}, "merchant_id"),
    ],
)
def test_what_is_wrong_is_named(changes, field):
    with pytest.raises(InvalidArgument) as caught:
        read(changes)
    assert [v.field for v in caught.value.violations] == [field]


def test_padding_is_no_part_of_an_id():
    assert read({41: "T1      "}).terminal_id == "T1"


def test_the_offset_is_bounded():
    with pytest.raises(InvalidArgument) as caught:
        read(offset=1441)
    assert [v.field for v in caught.value.violations] == ["utc_offset_minutes"]


def test_the_document_names_every_element_that_is_read():
    text = (Path(__file__).parents[4] / "docs/iso8583.md").read_text()
    rows = {int(number) for number in re.findall(r"^\| *(\d+) *\|", text, re.MULTILINE)}
    assert rows == set(PURCHASE) | set(SENSITIVE_ELEMENTS)


def test_countries():
    assert len(ALPHA2) == 249 and ALPHA2["156"] == "CN" and ALPHA2["840"] == "US"
    assert all(re.fullmatch("[0-9]{3}", number) and re.fullmatch("[A-Z]{2}", code) for number, code in ALPHA2.items())
