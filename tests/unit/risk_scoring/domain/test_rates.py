"""Amounts in one currency: exact, whatever the exponents."""

from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given
from meshkit.errors import InvalidArgument, InvalidDocument
from risk_scoring.domain.currencies import ALPHABETIC, EXPONENT
from risk_scoring.domain.rates import RateTable

SHIPPED = yaml.safe_load((Path(__file__).parents[4] / "services/risk-scoring/rules/rates.yaml").read_text())
TABLE = RateTable.from_document(SHIPPED)


def small(**rates):
    return RateTable.from_document({"version": "1", "reference": "CNY", "rates": rates})


def test_exponents_count():
    assert TABLE.to_reference_minor(12_345, "CNY") == 12_345
    assert TABLE.to_reference_minor(1_000, "JPY") == 4_800  # 1000 yen (no minor unit) are 48.00 yuan
    assert TABLE.to_reference_minor(1_000, "KWD") == 2_340  # 1.000 dinar is 23.40 yuan
    assert TABLE.to_reference_minor(100, "USD") == 720
    assert TABLE.to_reference_major(2_340) == 23.4
    assert (EXPONENT["JPY"], EXPONENT["KWD"], EXPONENT["CNY"]) == (0, 3, 2)


@pytest.mark.parametrize(("amount", "expected"), [(1, 0), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2)])
def test_halves_round_to_even(amount, expected):
    assert small(EUR="0.5").to_reference_minor(amount, "EUR") == expected


@given(st.integers(1, 10**13), st.sampled_from(sorted(SHIPPED["rates"])))
def test_conversion_is_decimal_arithmetic(amount, currency):
    exact = Decimal(amount).scaleb(-EXPONENT[currency]) * Decimal(SHIPPED["rates"][currency])
    assert TABLE.to_reference_minor(amount, currency) == int(exact.scaleb(2).quantize(Decimal(1), ROUND_HALF_EVEN))


def test_what_cannot_be_converted_says_why():
    with pytest.raises(InvalidArgument) as caught:
        TABLE.to_reference_minor(1, "XAF")
    assert caught.value.reason == "RATE_UNKNOWN"
    with pytest.raises(InvalidArgument) as caught:
        TABLE.to_reference_minor(10**15, "GBP")
    assert caught.value.reason == "AMOUNT_OUT_OF_RANGE"
    assert TABLE.to_reference_minor(10**15, "CNY") == 10**15


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"version": "1", "reference": "CNY"},
        {"version": 1, "reference": "CNY", "rates": {}},
        {"version": "1", "reference": "RMB", "rates": {}},
        {"version": "1", "reference": "CNY", "rates": {"CNY": "1"}},
        {"version": "1", "reference": "CNY", "rates": {"USD": 7.2}},
        {"version": "1", "reference": "CNY", "rates": {"USD": "0"}},
        {"version": "1", "reference": "CNY", "rates": {"USD": "-1"}},
        {"version": "1", "reference": "CNY", "rates": {"USD": "1/3"}},
        {"version": "1", "reference": "CNY", "rates": {"USD": "７"}},
        {"version": "1", "reference": "CNY", "rates": {"usd": "7"}},
    ],
)
def test_a_wrong_table_is_refused(document):
    with pytest.raises(InvalidDocument, match=r"rate|currency"):
        RateTable.from_document(document)


def test_the_currency_table_has_no_twins():
    assert len(ALPHABETIC) == len(EXPONENT) > 150
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in EXPONENT)
    assert set(EXPONENT.values()) == {0, 2, 3}
    assert ALPHABETIC["156"] == "CNY" and ALPHABETIC["008"] == "ALL"


TEXTS = st.sampled_from(["version", "reference", "rates", "CNY", "USD", "1", "0.5", ".5", "5.", "9" * 5000, "1e5", "１"]) | st.text(
    max_size=3
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner),
)


@given(PLAIN | st.fixed_dictionaries({"version": PLAIN, "reference": PLAIN | st.just("CNY"), "rates": PLAIN}))
def test_anything_at_all_is_taken_or_refused_and_what_is_taken_works(document):
    try:
        table = RateTable.from_document(document)
    except InvalidDocument:
        return
    assert table.to_reference_minor(100, table.reference) == 100
