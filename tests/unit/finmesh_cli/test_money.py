from __future__ import annotations

import pytest
from finmesh_cli.failures import UsageError
from finmesh_cli.money import exponent, parse
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "currency", "minor"), [("128.5", "CNY", 12_850), ("1,000", "JPY", 1_000), ("0.001", "KWD", 1), ("7", "EUR", 700)]
)
def test_minor_units(text: str, currency: str, minor: int) -> None:
    amount = parse(text, currency)
    assert (amount.amount_minor, amount.currency_code) == (minor, currency)


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "0.001", "NaN", "Infinity", "1e30", "１２。５"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text, "CNY")


@given(st.integers(1, 2**63 - 1), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_every_minor_amount_can_be_written(minor: int, currency: str) -> None:
    digits = exponent(currency)
    whole, rest = divmod(minor, 10**digits)
    text = f"{whole}.{rest:0{digits}d}" if digits else str(whole)
    assert parse(text, currency).amount_minor == minor
