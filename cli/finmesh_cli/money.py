"""Amounts as people write them to minor units. ISO 4217 exponents: two digits, except for the currencies below."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from finmesh.common.v1.money_pb2 import Money

from finmesh_cli.failures import UsageError

_ZERO = frozenset({"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"})
_THREE = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def exponent(currency_code: str) -> int:
    """Return how many digits the minor unit takes."""
    if currency_code in _ZERO:
        return 0
    return 3 if currency_code in _THREE else 2


def parse(amount: str, currency_code: str) -> Money:
    """Return ``128.50`` CNY as 12850 minor units. Raises UsageError for what is no positive amount of that currency."""
    try:
        minor = Decimal(amount.replace(",", "")).scaleb(exponent(currency_code))
    except InvalidOperation:
        raise UsageError(f"{amount} is no amount") from None
    if not minor.is_finite() or minor != minor.to_integral_value() or not 0 < minor < 2**63:
        raise UsageError(f"{amount} is no positive amount of {currency_code} with at most {exponent(currency_code)} decimals")
    return Money(currency_code=currency_code, amount_minor=int(minor))
