from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from fraud.load import DAY_US, REQUIRED, MalformedTransactionsError, from_table, load_transactions
from risk_scoring.domain.rates import RateTable


def _load(table: pa.Table, rates: RateTable):
    return from_table(table, delay_days=7, rates=rates)


def test_required_columns_are_enough_and_the_rest_has_defaults(table: pa.Table, rates: RateTable) -> None:
    rows = _load(table, rates)
    assert len(rows) == 200
    assert (rows.channel == 1).all()
    assert (rows.place == 0).all()
    assert set(rows.device.tolist()) == {b""}
    assert (rows.account == rows.customer).all()
    assert rows.local_hour[:4].tolist() == [0, 6, 12, 18]
    assert rows.local_weekday[0] == 4  # 1 March 2024 was a Friday
    assert rows.known_at_us[0] == rows.event_time_us[0] + 7 * DAY_US
    assert rows.known_at_us[1] == np.iinfo(np.int64).max


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_parquet_and_csv_give_the_same_rows(tmp_path: Path, table: pa.Table, rates: RateTable, suffix: str) -> None:
    path = tmp_path / f"transactions.{suffix}"
    writer = pa.parquet.write_table if suffix == "parquet" else pa.csv.write_csv
    writer(table.append_column("colour", [["red"] * 200]), path)
    rows, expected = load_transactions(path, delay_days=7, rates=rates), _load(table, rates)
    assert rows.event_time_us.tolist() == expected.event_time_us.tolist()
    assert rows.customer.tolist() == expected.customer.tolist()
    assert rows.reference_minor.tolist() == expected.reference_minor.tolist()


def test_rows_in_any_order_are_sorted_by_time(table: pa.Table, rates: RateTable) -> None:
    shuffled = _load(table.take(np.random.default_rng(1).permutation(200)), rates)
    assert shuffled.reference_minor.tolist() == _load(table, rates).reference_minor.tolist()


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_column_is_named(table: pa.Table, rates: RateTable, name: str) -> None:
    with pytest.raises(MalformedTransactionsError, match=f"missing column: {name} "):
        _load(table.drop_columns([name]), rates)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_value_is_named(small_table, rates: RateTable, name: str) -> None:
    values = small_table()[name].to_pylist()
    values[3] = None
    with pytest.raises(MalformedTransactionsError, match=f"column {name}: 1 values are missing"):
        _load(small_table(**{name: values}), rates)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"amount_minor": ["12.50"] * 200}, r"column amount_minor: '12\.50' is no whole number"),
        ({"amount_minor": np.full(200, 0.5)}, "column amount_minor: 0.5 is no whole number"),
        ({"amount_minor": np.full(200, -1)}, "column amount_minor: amounts must not be negative"),
        ({"fraud": np.full(200, 2)}, "column fraud: values must be 0 or 1"),
        ({"fraud": ["yes"] * 200}, "column fraud: 'yes' is no whole number"),
        ({"event_time": ["yesterday"] * 200}, "column event_time: "),
        ({"event_time": np.arange(200)}, "column event_time: expected timestamps or ISO 8601 text, found int64"),
        ({"currency": ["XYZ"] * 200}, "column currency: 'XYZ' has no rate"),
        ({"transaction_id": np.zeros(200)}, "column transaction_id: 0.0 occurs more than once"),
        ({"channel": ["pigeon"] * 200}, "column channel: 'pigeon' is not one of"),
        ({"fraud_known_at": ["2001-01-01"] * 200}, "column fraud_known_at: a label must not be known before"),
    ],
)
def test_a_malformed_column_is_named_with_its_reason(small_table, rates: RateTable, columns: dict[str, object], message: str) -> None:
    with pytest.raises(MalformedTransactionsError, match=message):
        _load(small_table(**columns), rates)


def test_an_empty_file_an_unknown_suffix_and_no_file_are_clear_errors(tmp_path: Path, table: pa.Table, rates: RateTable) -> None:
    with pytest.raises(MalformedTransactionsError, match="no transactions"):
        _load(table.slice(0, 0), rates)
    (tmp_path / "x.xlsx").write_bytes(b"")
    with pytest.raises(MalformedTransactionsError, match=r"expected a \.parquet or \.csv file"):
        load_transactions(tmp_path / "x.xlsx", delay_days=7, rates=rates)
    (tmp_path / "x.parquet").write_bytes(b"nonsense")
    with pytest.raises(MalformedTransactionsError, match="cannot be read"):
        load_transactions(tmp_path / "x.parquet", delay_days=7, rates=rates)
    with pytest.raises(FileNotFoundError, match="no transactions file"):
        load_transactions(tmp_path / "absent.csv", delay_days=7, rates=rates)


def test_times_with_and_without_zone_mean_utc(small_table, rates: RateTable) -> None:
    times = ["2024-03-01T08:00:00+08:00"] + [f"2024-03-02 00:00:{second:02d}.5" for second in range(1, 60)]
    rows = _load(small_table(60, event_time=times), rates)
    assert rows.event_time_us[0] == 19_783 * DAY_US
    assert rows.event_time_us[1] == 19_784 * DAY_US + 1_500_000


def test_amounts_are_compared_in_one_currency(small_table, rates: RateTable) -> None:
    rows = _load(small_table(2, currency=["JPY", "CNY"], amount_minor=[1000, 4800], fraud=[0, 1]), rates)
    assert rows.reference_minor.tolist() == [4800, 4800]


def test_numbers_stored_as_floats_keep_their_keys(small_table, rates: RateTable) -> None:
    whole, floats = small_table(), small_table()
    floats = floats.set_column(2, "customer_id", floats["customer_id"].cast(pa.float64()))
    assert _load(whole, rates).customer.tolist() == _load(floats, rates).customer.tolist()


def test_local_time_follows_the_offset(small_table, rates: RateTable) -> None:
    rows = _load(small_table(utc_offset_minutes=[480] * 200), rates)
    assert rows.local_hour[:4].tolist() == [8, 14, 20, 2]
    assert rows.local_weekday[3] == 5


FRAUD = [int(row % 10 == 0) for row in range(200)]
STAMPS = np.datetime64("2024-03-01", "us") + np.arange(200) * np.timedelta64(6, "h")


@pytest.mark.parametrize(
    "columns",
    [
        {"fraud": [flag == 1 for flag in FRAUD]},
        {"fraud": [str(flag == 1) for flag in FRAUD]},
        {"fraud": [float(flag) for flag in FRAUD]},
        {"fraud": pa.array(FRAUD, pa.uint8())},
        {"transaction_id": [f"t-{row}" for row in range(200)]},
        {"currency": pa.array(["CNY"] * 200).dictionary_encode()},
        {"currency": pa.array(["CNY"] * 200, pa.large_string())},
        {"event_time": pa.array(STAMPS.astype(np.int64), pa.timestamp("us", "UTC"))},
        {"event_time": pa.array(STAMPS.astype(np.int64), pa.timestamp("us", "Asia/Shanghai"))},
        {"event_time": pa.array(STAMPS.astype("datetime64[ns]"))},
        {"event_time": pa.array(STAMPS.astype(str).tolist(), pa.string_view())},
    ],
    ids=lambda columns: f"{next(iter(columns))}-{pa.array(next(iter(columns.values()))).type}",
)
@pytest.mark.parametrize("suffix", ["table", "parquet", "csv"])
def test_any_storage_of_the_same_rows_is_the_same(small_table, rates: RateTable, tmp_path: Path, columns, suffix: str) -> None:
    expected, given = _load(small_table(), rates), small_table(**columns)
    if suffix == "table":
        rows = _load(given, rates)
    else:
        if suffix == "csv":
            odd = {name for name in given.column_names if given[name].type in (pa.string_view(), pa.dictionary(pa.int32(), pa.string()))}
            given = given.cast(pa.schema([(f.name, pa.string() if f.name in odd else f.type) for f in given.schema]))
        path = tmp_path / f"rows.{suffix}"
        (pa.parquet.write_table if suffix == "parquet" else pa.csv.write_csv)(given, path)
        rows = load_transactions(path, delay_days=7, rates=rates)
    for name in ("fraud", "event_time_us", "customer", "counterparty", "reference_minor", "known_at_us"):
        assert getattr(rows, name).tolist() == getattr(expected, name).tolist(), name


@pytest.mark.parametrize("kind", [pa.float64(), pa.int32(), pa.uint64(), pa.string(), pa.decimal128(24, 2)])
def test_whole_amounts_are_read_from_any_type(table: pa.Table, rates: RateTable, kind: pa.DataType) -> None:
    other = table.set_column(4, "amount_minor", table["amount_minor"].cast(kind))
    assert _load(other, rates).reference_minor.tolist() == _load(table, rates).reference_minor.tolist()


@pytest.mark.parametrize("name", ["customer_id", "counterparty_id"])
@pytest.mark.parametrize("empty", ["", np.nan])
def test_an_empty_id_is_a_missing_value(small_table, rates: RateTable, name: str, empty: object) -> None:
    ids: list[object] = list(map(str if empty == "" else float, range(200)))
    ids[7] = empty
    with pytest.raises(MalformedTransactionsError, match=f"column {name}: 1 values are missing"):
        _load(small_table(**{name: pa.array(ids, from_pandas=False)}), rates)


def test_a_csv_is_read_to_its_end_as_it_began(tmp_path: Path, rates: RateTable) -> None:
    """A guess from the first rows would call ids numbers and times whole seconds, and fail a million bytes later."""
    path = tmp_path / "rows.csv"
    head = "transaction_id,event_time,customer_id,counterparty_id,amount_minor,currency,fraud\n"
    early = "".join(f"{row},2024-03-01 00:00:00,{row},007,1200,CNY,0\n" for row in range(40_000))
    path.write_text(head + early + "last,2024-03-01T00:00:00.25Z,c-1,7,1200,CNY,1\n")
    rows = load_transactions(path, delay_days=7, rates=rates)
    assert len(rows) == 40_001
    assert rows.event_time_us[-1] % 1_000_000 == 250_000
    assert rows.counterparty[0] != rows.counterparty[-1], "007 is another id than 7"
    path.write_text(head + early + "last,2024-03-01,c-1,7,12.5,CNY,1\n")
    with pytest.raises(MalformedTransactionsError, match=r"column amount_minor: '12\.5' is no whole number"):
        load_transactions(path, delay_days=7, rates=rates)
    path.write_text(head + early + "last,2024-03-01,,7,12,CNY,1\n")
    with pytest.raises(MalformedTransactionsError, match="column customer_id: 1 values are missing"):
        load_transactions(path, delay_days=7, rates=rates)
