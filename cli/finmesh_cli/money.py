"""Amounts as people write them to minor units. ISO 4217 exponents: two digits, except for the currencies below.

Surprising: much is refused that could be guessed. 1,50 is one and a half in Berlin, and who takes the comma for a separator of
thousands pays a hundred times as much. The point is the decimal sign; commas stand between groups of three digits or nowhere.
"""

from __future__ import annotations

import re
from decimal import Decimal

from finmesh.common.v1.money_pb2 import Money

from finmesh_cli.failures import UsageError

_ZERO = frozenset({"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"})
_THREE = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_FOUR = frozenset({"CLF", "UYW"})
_FULL_WIDTH = str.maketrans("０１２３４５６７８９，．", "0123456789,.")
_AMOUNT = re.compile(r"(?P<whole>[0-9]{1,19}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,6})(?:\.(?P<decimals>[0-9]{1,19}))?")
_CODE = re.compile(r"[A-Z]{3}")


def exponent(currency_code: str) -> int:
    """Return how many digits the minor unit takes."""
    if currency_code in _ZERO:
        return 0
    if currency_code in _FOUR:
        return 4
    return 3 if currency_code in _THREE else 2


def parse(amount: str, currency_code: str) -> Money:
    """Return ``1,280.50`` CNY as 128050 minor units. Raises UsageError for what is no positive amount of that currency, or may be two."""
    if not _CODE.fullmatch(currency_code):
        raise UsageError(f"{currency_code[:20]} is no currency: three capital letters, as in EUR")
    digits, shown = exponent(currency_code), amount[:40]
    found = _AMOUNT.fullmatch(amount.strip().translate(_FULL_WIDTH))
    if found is None:
        raise UsageError(f"{shown} is no amount: 1280.50 and 1,280.50 are, and the decimal sign is a point")
    whole, decimals = found["whole"], (found["decimals"] or "").rstrip("0")
    if digits == 3 and whole.count(",") == 1 and not found["decimals"]:
        raise UsageError(f"{shown} can be two amounts of {currency_code}, with three decimals or in thousands: write it without the comma")
    minor = Decimal(f"{whole.replace(',', '')}.{decimals or 0}").scaleb(digits)
    if len(decimals) > digits or not 0 < minor < 2**63:
        raise UsageError(f"{shown} is no positive amount of {currency_code} with at most {digits} decimals")
    return Money(currency_code=currency_code, amount_minor=int(minor))
