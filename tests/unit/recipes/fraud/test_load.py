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
