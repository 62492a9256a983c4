"""What rules can ask about the request itself, as named columns over a batch; there even when the feature store is down.

Amounts are in major units of the reference currency, because business people write them so. ``channel`` here is a word and replaces the
numeric feature of that name.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from risk_scoring.domain.features import NAMES
from risk_scoring.domain.outcome import Bool
from risk_scoring.domain.transaction import CHANNEL_NAMES, Transaction

Column = npt.NDArray[np.generic]

REQUEST_COLUMNS: dict[str, str] = {
    "amount": "amount in major units of the reference currency",
    "channel": "card_present, ecommerce, transfer or atm",
    "currency": "ISO 4217 code",
    "country": "ISO 3166-1 alpha-2 code, empty when unknown",
    "mcc": "ISO 18245 code, empty when none",
    "tenant": "bank or branch group",
    "hour": "local hour of day, 0 to 23",
    "has_device": "a device is known",
    "block_listed": "an entity of the transaction is on the block list",
    "trusted_payee": "the customer trusts the counterparty",
}

KNOWN_COLUMNS: frozenset[str] = frozenset(NAMES) | frozenset(REQUEST_COLUMNS)
"""Everything a rule may read."""

_TEXTS = {"channel", "currency", "country", "mcc", "tenant"}
_FLAGS = {"has_device", "block_listed", "trusted_payee"}
COLUMN_KINDS: dict[str, str] = {
    name: "text" if name in _TEXTS else "flag" if name in _FLAGS else "number" for name in sorted(KNOWN_COLUMNS)
}
"""What each of them holds. Numbers can be missing; texts and flags are always there."""

CHANNELS = np.array(CHANNEL_NAMES)  # by number
NARROW = frozenset(NAMES) - frozenset(REQUEST_COLUMNS)
"""Columns that are float32: the features. Every other number is a float64."""


def request_columns(
    transactions: Sequence[Transaction], reference_amount: npt.NDArray[np.float64], blocked: Bool, trusted: Bool
) -> dict[str, Column]:
    """Columns of shape (n,) by the names of ``REQUEST_COLUMNS``. ``reference_amount``: major units of the reference currency."""
    return {
        "amount": reference_amount,
        "channel": CHANNELS[[t.channel for t in transactions]],
        "currency": np.array([t.currency for t in transactions], dtype=np.str_),
        "country": np.array([t.country_code for t in transactions], dtype=np.str_),
        "mcc": np.array([t.mcc for t in transactions], dtype=np.str_),
        "tenant": np.array([t.tenant for t in transactions], dtype=np.str_),
        "hour": np.array([local_hour(t.event_time_us, t.utc_offset_minutes) for t in transactions], dtype=np.int8),
        "has_device": np.array([t.device_id != "" for t in transactions], dtype=np.bool_),
        "block_listed": blocked,
        "trusted_payee": trusted,
    }


def request_row(t: Transaction, reference_amount: float, blocked: bool, trusted: bool) -> dict[str, float | str | bool]:
    """The same for one transaction, in Python's own numbers."""
    return {
        "amount": reference_amount,
        "channel": CHANNEL_NAMES[t.channel],
        "currency": t.currency,
        "country": t.country_code,
        "mcc": t.mcc,
        "tenant": t.tenant,
        "hour": float(local_hour(t.event_time_us, t.utc_offset_minutes)),
        "has_device": t.device_id != "",
        "block_listed": blocked,
        "trusted_payee": trusted,
    }


def local_hour(event_time_us: int, utc_offset_minutes: int) -> int:
    """Hour of day, 0 to 23, on the customer's clock."""
    return (event_time_us // 60_000_000 + utc_offset_minutes) // 60 % 24
