"""The columns of the simulated bank: one row is one transaction, one array is one column.

Codes are small integers; the tuples below give their names. Surprising: `counterparty_id` is one dense number space, merchants first
and then accounts, because a payment's other side is a merchant for cards and an account for transfers. -1 means "does not apply".

    transaction_id    int64   increasing with event time within one history
    event_time_us     int64   microseconds since 1970 UTC
    customer_id       int32   who pays
    account           int32   the account (and card) debited; a customer's own account has the customer's number
    counterparty_id   int32   merchant number, or merchants + account number for transfers
    merchant          int32   -1 for transfers
    terminal          int32   -1 for transfers
    device            int32   -1 where the customer shows only a card
    tenant            int16   see population.TENANTS
    channel           int16   see CHANNELS
    amount_minor      int64   in minor units of `currency`
    currency          int16   see regions.CURRENCIES
    geo               int16   see regions.REGIONS: where the payment happens
    mcc               int16   ISO 18245 code, 0 for transfers
    fraud             int8    ground truth
    typology          int16   see TYPOLOGIES, -1 when genuine
    episode           int32   fraud episode, -1 when genuine
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

CHANNELS: tuple[str, ...] = ("card_present", "ecommerce", "transfer", "atm")
CARD_PRESENT, ECOMMERCE, TRANSFER, ATM = range(4)
TYPOLOGIES: tuple[str, ...] = ("card_testing", "account_takeover", "mule_fan", "compromised_terminal", "amount_escalation")

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

_TYPES: dict[str, npt.DTypeLike] = {
    "transaction_id": np.int64,
    "event_time_us": np.int64,
    "customer_id": np.int32,
    "account": np.int32,
    "counterparty_id": np.int32,
    "merchant": np.int32,
    "terminal": np.int32,
    "device": np.int32,
    "tenant": np.int16,
    "channel": np.int16,
    "amount_minor": np.int64,
    "currency": np.int16,
    "geo": np.int16,
    "mcc": np.int16,
    "fraud": np.int8,
    "typology": np.int16,
    "episode": np.int32,
}


@dataclass(frozen=True)
class Transactions:
    """Columns of equal length; see the module's table for types and units."""

    transaction_id: I64
    event_time_us: I64
    customer_id: I32
    account: I32
    counterparty_id: I32
    merchant: I32
    terminal: I32
    device: I32
    tenant: I16
    channel: I16
    amount_minor: I64
    currency: I16
    geo: I16
    mcc: I16
    fraud: I8
    typology: I16
    episode: I32

    def __post_init__(self) -> None:
        for field in fields(self):
            column = getattr(self, field.name)
            if column.dtype != _TYPES[field.name] or column.shape != (len(self.transaction_id),):
                raise ValueError(f"column {field.name} has type {column.dtype} and shape {column.shape}")

    def __len__(self) -> int:
        return len(self.transaction_id)

    @classmethod
    def of(cls, **columns: Any) -> Self:
        """Cast each column to its declared type; raises TypeError when one is missing."""
        return cls(**{name: np.ascontiguousarray(column, dtype=_TYPES[name]) for name, column in columns.items()})

    @classmethod
    def concatenate(cls, parts: Sequence["Transactions"]) -> Self:
        """Join `parts` (at least one) end to end, without sorting."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _TYPES})

    def take(self, rows: npt.NDArray[Any]) -> Self:
        """The rows chosen by an index or boolean array."""
        return type(self)(**{name: getattr(self, name)[rows] for name in _TYPES})

    def replace(self, **columns: npt.NDArray[Any]) -> Self:
        """The same rows with some columns exchanged."""
        return self.of(**({name: getattr(self, name) for name in _TYPES} | columns))

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Column name to array, in the order of the schema."""
        return {name: getattr(self, name) for name in _TYPES}
