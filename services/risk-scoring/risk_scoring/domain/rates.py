"""Amounts in one currency: exact conversion of minor units to the reference currency, under a rate version.

Rates are decimal texts (never floats), results are rounded half to even, so that every replica and every replay gets the same integer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Self

from meshkit.errors import FieldViolation, InvalidArgument, InvalidDocument

from risk_scoring.domain.currencies import EXPONENT
from risk_scoring.domain.transaction import MAX_AMOUNT_MINOR

RATE_UNKNOWN = "RATE_UNKNOWN"
AMOUNT_OUT_OF_RANGE = "AMOUNT_OUT_OF_RANGE"
RATES_INVALID = "RATES_INVALID"
_RATE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


@dataclass(frozen=True, slots=True)
class RateTable:
    """``per_unit``: how much of the reference currency one major unit of a currency buys."""

    version: str
    reference: str
    per_unit: Mapping[str, Fraction]
    _factors: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        scale = EXPONENT[self.reference]
        for currency, rate in self.per_unit.items():
            factor = rate * Fraction(10) ** (scale - EXPONENT[currency])
            self._factors[currency] = factor.numerator, factor.denominator

    @classmethod
    def from_document(cls, document: Any) -> Self:
        """Build from the parsed file (version, reference, rates as quoted decimals); raises InvalidDocument that names what is wrong."""
        if not isinstance(document, Mapping) or set(document) != {"version", "reference", "rates"}:
            raise _invalid("the rate table needs version, reference and rates, and nothing else")
        version, reference, rates = document["version"], document["reference"], document["rates"]
        if not isinstance(version, str) or not 0 < len(version) <= 100 or not version.isprintable():
            raise _invalid("the rate table: version must be a text of 1 to 100 characters")
        if not isinstance(reference, str) or reference not in EXPONENT:
            raise _invalid("the rate table: reference must be a known currency")
        if not isinstance(rates, Mapping):
            raise _invalid("the rate table: rates must be a table of currencies")
        per_unit = {reference: Fraction(1)}
        for currency, rate in rates.items():
            if currency not in EXPONENT or currency == reference:
                raise _invalid(f"rates: {currency!r} is not a currency other than the reference")
            if not isinstance(rate, str) or not _RATE.fullmatch(rate):
                raise _invalid(f"rates.{currency}: must be a quoted decimal with at most 12 digits on either side of the point")
            if (value := Fraction(rate)) <= 0:
                raise _invalid(f"rates.{currency}: must be positive")
            per_unit[currency] = value
        return cls(version, reference, per_unit)

    def to_reference_minor(self, amount_minor: int, currency: str) -> int:
        """Minor units of the reference currency, rounded half to even; 0 for less than half a minor unit.

        Raises InvalidArgument: RATE_UNKNOWN for a currency without rate, AMOUNT_OUT_OF_RANGE beyond 10^15.
        """
        factor = self._factors.get(currency)
        if factor is None:
            raise InvalidArgument(
                "there is no rate for the currency",
                reason=RATE_UNKNOWN,
                violations=(FieldViolation("amount.currency_code", "has no rate"),),
            )
        numerator, denominator = factor
        quotient, rest = divmod(amount_minor * numerator, denominator)
        result = quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))
        if not -MAX_AMOUNT_MINOR <= result <= MAX_AMOUNT_MINOR:
            raise InvalidArgument(
                "the amount is too large in the reference currency",
                reason=AMOUNT_OUT_OF_RANGE,
                violations=(FieldViolation("amount.amount_minor", "is too large in the reference currency"),),
            )
        return result

    def to_reference_major(self, amount_minor: int) -> float:
        """Major units of the reference currency for an amount in its minor units."""
        return float(amount_minor / 10 ** EXPONENT[self.reference])


def _invalid(said: str) -> InvalidDocument:
    return InvalidDocument(said, reason=RATES_INVALID)
