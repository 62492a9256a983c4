"""A .parquet or .csv file becomes a table of the known columns, each of a kind that `load` can read. One line says what is wrong.

Surprising: a CSV's fields may hold line breaks and be larger than the reader's usual block, and columns that nobody asked for are not
even converted, so that nothing in them can fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

REQUIRED = ("transaction_id", "event_time", "customer_id", "counterparty_id", "amount_minor", "currency", "fraud")
OPTIONAL = ("account_id", "device_id", "channel", "geo", "utc_offset_minutes", "fraud_known_at", "declined")
_TIMES = {"event_time", "fraud_known_at"}
_BLOCK_BYTES = 64 * 1024 * 1024  # a row must fit into one
_TEXT: tuple[Callable[[pa.DataType], bool], ...] = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_NUMBER: tuple[Callable[[pa.DataType], bool], ...] = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)


class MalformedTransactionsError(ValueError):
    """The file is not in the documented schema; the message says which column and why."""


def read_table(path: Path) -> pa.Table:
    """Read the known columns of a .parquet or .csv file. Raises MalformedTransactionsError, FileNotFoundError."""
    if not path.is_file():
        raise FileNotFoundError(f"no transactions file at {path}")
    readers = {".parquet": _parquet, ".csv": _csv, ".gz": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise MalformedTransactionsError(f"{path.name}: expected a .parquet or .csv file")
    try:
        return reader(path)
    except (pa.ArrowException, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise MalformedTransactionsError(f"{path.name} cannot be read: {reason}") from error


def checked(table: pa.Table) -> pa.Table:
    """Return the table with categories as what they stand for. Raises MalformedTransactionsError for names and kinds that cannot serve."""
    for name in chosen(table.column_names):
        at, stored = table.column_names.index(name), table.schema.field(name).type
        kind = stored.value_type if pa.types.is_dictionary(stored) else stored
        if name not in _TIMES and not pa.types.is_null(kind) and not any(fits(kind) for fits in _TEXT + _NUMBER):
            raise MalformedTransactionsError(f"column {name}: expected numbers or text, found {kind}")
        if kind != stored:
            table = table.set_column(at, name, table[name].cast(kind))
    return table


def chosen(names: Sequence[str]) -> list[str]:
    """Return the known ones of a file's columns. Raises MalformedTransactionsError when one is missing or stands twice."""
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise MalformedTransactionsError(f"missing column{plural}: {', '.join(missing)} (required: {', '.join(REQUIRED)})")
    counts = Counter(names)
    for name in REQUIRED + OPTIONAL:
        if counts[name] > 1:
            raise MalformedTransactionsError(f"column {name}: stands {counts[name]} times in the file")
    return [name for name in REQUIRED + OPTIONAL if name in counts]


def _parquet(path: Path) -> pa.Table:
    with pa.parquet.ParquetFile(path) as file:
        return file.read(columns=chosen(file.schema_arrow.names))


def _csv(path: Path) -> pa.Table:
    read, lines = pa.csv.ReadOptions(block_size=_BLOCK_BYTES), pa.csv.ParseOptions(newlines_in_values=True)
    with pa.csv.open_csv(path, read_options=read, parse_options=lines, convert_options=_as_text(None)) as reader:
        names = chosen(reader.schema.names)
    return pa.csv.read_csv(path, read_options=read, parse_options=lines, convert_options=_as_text(names))


def _as_text(names: list[str] | None) -> pa.csv.ConvertOptions:
    """Types that are guessed from the first block would break on a later one."""
    return pa.csv.ConvertOptions(
        column_types=dict.fromkeys(REQUIRED + OPTIONAL, pa.string()), strings_can_be_null=True, null_values=[""], include_columns=names
    )
