"""A transactions table becomes columns; a missing or malformed column is an error that names it.

Surprising: ids of any kind (numbers, tokens) become 8-byte keys by hashing their text, as the services do with keyed hashes, so that
the feature scripts see the same kind of keys. Accounts and counterparties share one key space: money goes from one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from meshkit.errors import InvalidArgument
from risk_scoring.domain.rates import RateTable

from fraud.files import REQUIRED, MalformedTransactionsError, checked, read_table

I64 = npt.NDArray[np.int64]
Keys = npt.NDArray[np.bytes_]

CHANNELS = {"card_present": 1, "ecommerce": 2, "transfer": 3, "atm": 4}  # codes of finmesh.risk.v1.Channel
NO_KEY = b""
DAY_US = 86_400_000_000
_DAY_MINUTES = 1_440
_NEVER_US = np.iinfo(np.int64).max
_FLAG_WORDS = {"true": 1, "false": 0}


@dataclass(frozen=True)
class Transactions:
    """Columns of equal length, sorted by event time. Keys are 8 bytes, or empty where the entity is unknown."""

    event_time_us: I64
    customer: npt.NDArray[np.object_]
    counterparty: npt.NDArray[np.object_]
    account: npt.NDArray[np.object_]
    device: npt.NDArray[np.object_]
    customer_code: I64  # dense numbers, for metrics by card
    reference_minor: I64  # amount in minor units of the reference currency
    channel: I64
    place: I64  # 0 when unknown
    local_hour: I64
    local_weekday: I64
    fraud: npt.NDArray[np.int8]
    declined: npt.NDArray[np.bool_]  # the issuer refused it: no spend happened
    known_at_us: I64  # when a fraud became known; the largest int64 for genuine rows and frauds never reported

    def __len__(self) -> int:
        return len(self.event_time_us)

    def take(self, chosen: npt.NDArray[np.bool_] | slice) -> Transactions:
        """The chosen rows."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name)[chosen] for field in fields(self)}
        return Transactions(**columns)

    def before(self, end_us: int) -> Transactions:
        """The rows that happened before a moment."""
        return self.take(slice(0, int(np.searchsorted(self.event_time_us, end_us))))


def load_transactions(path: Path, *, delay_days: int, rates: RateTable) -> Transactions:
    """Read and check a file. Without `fraud_known_at` a fraud is known `delay_days` after it happened.

    Raises MalformedTransactionsError, FileNotFoundError.
    """
    return from_table(read_table(path), delay_days=delay_days, rates=rates)


def from_table(table: pa.Table, *, delay_days: int, rates: RateTable) -> Transactions:
    """Check a table and turn it into columns; errors as in `load_transactions`."""
    table = checked(table)
    if table.num_rows == 0:
        raise MalformedTransactionsError("the file holds no transactions")
    for name in REQUIRED:
        if table[name].null_count:
            raise MalformedTransactionsError(f"column {name}: {table[name].null_count} values are missing")
    ids = _texts(table, "transaction_id").to_pandas()
    if ids.duplicated().any():
        again = table["transaction_id"][int(ids.duplicated().to_numpy().argmax())].as_py()
        raise MalformedTransactionsError(f"column transaction_id: {again!r} occurs more than once")
    time_us = _times(table, "event_time")
    fraud = _flags(table, "fraud")
    amount = _integers(table, "amount_minor")
    if (amount < 0).any():
        raise MalformedTransactionsError("column amount_minor: amounts must not be negative")
    offset = _integers(table, "utc_offset_minutes") if _has(table, "utc_offset_minutes") else np.zeros(len(time_us), dtype=np.int64)
    if (np.abs(offset) > _DAY_MINUTES).any():
        raise MalformedTransactionsError("column utc_offset_minutes: no place is more than a day from UTC")
    local_s = time_us // 1_000_000 + offset * 60
    customers, codes = _hashed(table, "customer_id")
    order = np.argsort(time_us, kind="stable")
    columns: dict[str, Any] = {
        "event_time_us": time_us,
        "customer": customers,
        "counterparty": _hashed(table, "counterparty_id")[0],
        "account": _hashed(table, "account_id")[0] if _has(table, "account_id") else customers,
        "device": _hashed(table, "device_id")[0] if _has(table, "device_id") else np.full(len(time_us), NO_KEY, dtype=object),
        "customer_code": codes,
        "reference_minor": _reference_minor(table, amount, rates),
        "channel": _channels(table),
        "place": _places(table),
        "local_hour": local_s // 3600 % 24,
        "local_weekday": (local_s // 86_400 + 3) % 7,
        "fraud": fraud.astype(np.int8),
        "declined": _flags(table, "declined") == 1 if _has(table, "declined") else np.zeros(len(time_us), dtype=np.bool_),
        "known_at_us": _known_at(table, time_us, fraud, delay_days),
    }
    return Transactions(**{name: column[order] for name, column in columns.items()})


def _has(table: pa.Table, name: str) -> bool:
    return name in table.column_names


def _integers(table: pa.Table, name: str) -> I64:
    """Whole numbers, whatever type they are stored in."""
    values = pd.to_numeric(table[name].to_pandas(), errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(values) | (values != np.rint(values)) | (np.abs(values) >= 2**53)
    if wrong.any():
        raise MalformedTransactionsError(f"column {name}: {table[name][int(wrong.argmax())].as_py()!r} is no whole number")
    return np.asarray(values, dtype=np.int64)


def _flags(table: pa.Table, name: str) -> I64:
    words = pc.unique(table[name]).to_pylist()
    if words and all(isinstance(word, bool) or str(word).lower() in _FLAG_WORDS for word in words):
        flags = np.asarray(table[name].to_pandas().astype(str).str.lower().map(_FLAG_WORDS), dtype=np.int64)
    else:
        flags = _integers(table, name)
    if not np.isin(flags, (0, 1)).all():
        raise MalformedTransactionsError(f"column {name}: values must be 0 or 1")
    return flags


def _times(table: pa.Table, name: str) -> I64:
    """Microseconds since 1970 from timestamps or ISO 8601 text (UTC where no zone is given); empty values become "never"."""
    kind = table[name].type
    known = (pa.types.is_timestamp, pa.types.is_date, pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if not any(fits(kind) for fits in known):
        if pa.types.is_null(kind):
            return np.full(table.num_rows, _NEVER_US)
        raise MalformedTransactionsError(f"column {name}: expected timestamps or ISO 8601 text, found {kind}")
    try:
        values = pd.to_datetime(table[name].to_pandas(), utc=True, format="ISO8601")
    except ValueError as error:
        raise MalformedTransactionsError(f"column {name}: {error}") from error
    stamps = values.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(stamps), _NEVER_US, stamps.astype(np.int64))


def _hashed(table: pa.Table, name: str) -> tuple[npt.NDArray[np.object_], I64]:
    """An 8-byte key and a dense number for each id; empty ids have no key and number -1."""
    codes, texts = pd.factorize(_texts(table, name).to_pandas())
    keys = np.array([blake2b(text.encode(), digest_size=8).digest() if text else NO_KEY for text in texts] + [NO_KEY], dtype=object)
    chosen = keys[codes]
    if name in REQUIRED and (missing := int((chosen == NO_KEY).sum())):
        raise MalformedTransactionsError(f"column {name}: {missing} values are missing")
    return chosen, codes.astype(np.int64)


def _texts(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Ids as text, exactly: the same id is the same text, whether it is stored as text, number or whole float. Pandas would make floats
    of whole numbers among which one is missing, and one id of all between 2^53 and its neighbour."""
    values, kind = table[name], table[name].type
    if pa.types.is_decimal(kind):
        return pc.replace_substring_regex(values.cast(pa.string()), r"\.0*$|(\.\d*[1-9])0+$", r"\1")
    if pa.types.is_floating(kind):
        values = values.cast(pa.float64())
        values = pc.if_else(pc.is_nan(values), None, values)
        if pc.any(pc.greater_equal(pc.abs(values), 2.0**53)).as_py():
            raise MalformedTransactionsError(f"column {name}: ids beyond 2^53 are stored as floats, which cannot tell them apart")
        whole = pc.equal(values, pc.floor(values))
        return pc.if_else(whole, pc.if_else(whole, values, 0.0).cast(pa.int64()).cast(pa.string()), values.cast(pa.string()))
    return values.cast(pa.string())


def _channels(table: pa.Table) -> I64:
    if not _has(table, "channel"):
        return np.full(table.num_rows, CHANNELS["card_present"])
    names = table["channel"].to_pandas()
    channels = names.map(CHANNELS)
    if channels.isna().any():
        raise MalformedTransactionsError(f"column channel: {names[channels.isna()].iloc[0]!r} is not one of {', '.join(CHANNELS)}")
    return np.asarray(channels, dtype=np.int64)


def _places(table: pa.Table) -> I64:
    """First four bytes of each place's key as a number, 0 when unknown."""
    if not _has(table, "geo"):
        return np.zeros(table.num_rows, dtype=np.int64)
    keys, _ = _hashed(table, "geo")
    return np.array([int.from_bytes(key[:4], "little") for key in keys], dtype=np.int64)


def _known_at(table: pa.Table, time_us: I64, fraud: I64, delay_days: int) -> I64:
    if not _has(table, "fraud_known_at"):
        return np.where(fraud == 1, time_us + delay_days * DAY_US, _NEVER_US)
    known = _times(table, "fraud_known_at")
    if (known < time_us).any():
        raise MalformedTransactionsError("column fraud_known_at: a label must not be known before its transaction")
    return np.where(fraud == 1, known, _NEVER_US)


def _reference_minor(table: pa.Table, amount: I64, rates: RateTable) -> I64:
    """Amounts in minor units of the reference currency, at the rates the service decides with."""
    names = table["currency"].to_pandas()
    unknown = ~names.isin(list(rates.per_unit))
    if unknown.any():
        raise MalformedTransactionsError(f"column currency: {names[unknown].iloc[0]!r} has no rate in table {rates.version}")
    try:
        return np.fromiter(map(rates.to_reference_minor, amount.tolist(), names.tolist()), dtype=np.int64, count=len(amount))
    except InvalidArgument as error:
        raise MalformedTransactionsError(f"column amount_minor: {error}") from error
