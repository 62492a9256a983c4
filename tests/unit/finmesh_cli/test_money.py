from __future__ import annotations

import pytest
from finmesh_cli.failures import UsageError
from finmesh_cli.money import exponent, parse
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("128.5", "CNY", 12_850),
        ("1,000", "JPY", 1_000),
        ("0.001", "KWD", 1),
        ("7", "EUR", 700),
        ("1,234.56", "EUR", 123_456),
        ("1,234", "EUR", 123_400),  # no amount of EUR has three decimals
        ("1,234,567.00", "EUR", 123_456_700),
        ("１，２３４．５６", "CNY", 123_456),
        (" 5.10 ", "CNY", 510),
        ("1,234.500", "KWD", 1_234_500),
        ("1,234,567", "KWD", 1_234_567_000),
        ("0.0001", "CLF", 1),
        ("92233720368547758.07", "CNY", 2**63 - 1),
    ],
)
def test_minor_units(text: str, currency: str, minor: int) -> None:
    amount = parse(text, currency)
    assert (amount.amount_minor, amount.currency_code) == (minor, currency)


NO_AMOUNTS = (
    "", "x", "0", "-1", "0.001", "NaN", "Infinity", "1e30", "1e999999", "1e-999999", "１２。５", "1,50", "1.50,00", "1.234,56", "1 234",
    "1_000", "0,234", "01,234", "1,23,456.00", "1,2345", ",5", ".5", "5.", "+5", "١٢", "5元", "٫5", "1" + "0" * 30, "9" * 100_000,
    "92233720368547758.08", "1,234.56.7", "1,,000", "0x10", "\udce4",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(text, "CNY")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("text", "currency"), [("1.5", "JPY"), ("1.234", "EUR"), ("1,234", "KWD"), ("5", "eur"), ("5", "元"), ("5", "EURO"), ("5", "")]
)
def test_what_is_none_of_that_currency_or_may_be_two(text: str, currency: str) -> None:
    with pytest.raises(UsageError):
        parse(text, currency)


@given(st.integers(1, 2**63 - 1), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_every_minor_amount_can_be_written(minor: int, currency: str) -> None:
    digits = exponent(currency)
    whole, rest = divmod(minor, 10**digits)
    text = f"{whole}.{rest:0{digits}d}" if digits else str(whole)
    assert parse(text, currency).amount_minor == minor
