from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from fraud.__main__ import main
from fraud.files import REQUIRED, MalformedTransactionsError
from fraud.load import DAY_US, from_table, load_transactions
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


BIG = 2**60


@pytest.mark.parametrize("name", ["account_id", "device_id", "geo"])
@pytest.mark.parametrize("stored", [pa.int64(), pa.uint64(), pa.string(), pa.large_string(), pa.decimal128(24, 0), pa.decimal128(24, 2)])
def test_an_id_is_the_same_however_it_is_stored_and_no_other(small_table, rates: RateTable, name: str, stored: pa.DataType) -> None:
    """Among whole numbers of which one is missing pandas would make floats: 2^60+1, 2^60+2 and their neighbours would be one id."""
    ids = [None if row % 10 == 7 else BIG + row for row in range(200)]
    given = _load(small_table(**{name: pa.array(ids, pa.int64()).cast(stored)}), rates)
    text = _load(small_table(**{name: pa.array([None if each is None else str(each) for each in ids])}), rates)
    column = {"account_id": "account", "device_id": "device", "geo": "place"}[name]
    found = getattr(given, column).tolist()
    assert found == getattr(text, column).tolist()
    assert len(set(found)) == 181


def test_required_ids_beyond_what_floats_hold_are_told_apart_and_refused_as_floats(small_table, rates: RateTable, tmp_path: Path) -> None:
    ids = [BIG + row for row in range(200)]
    path = tmp_path / "rows.parquet"
    pa.parquet.write_table(small_table(transaction_id=ids, customer_id=ids), path)
    assert len(set(load_transactions(path, delay_days=7, rates=rates).customer.tolist())) == 200
    for name in ("transaction_id", "customer_id", "counterparty_id"):
        with pytest.raises(MalformedTransactionsError, match=f"column {name}: ids beyond 2\\^53 are stored as floats"):
            _load(small_table(**{name: np.array(ids, np.float64)}), rates)


def test_an_amount_that_floats_cannot_hold_is_refused(small_table, rates: RateTable) -> None:
    with pytest.raises(MalformedTransactionsError, match="9007199254740993 is no whole number"):
        _load(small_table(amount_minor=[2**53 + 1] * 200), rates)


HEAD = "transaction_id,event_time,customer_id,counterparty_id,amount_minor,currency,fraud,note\n"


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_quoted_fields_may_hold_line_breaks_and_be_long(tmp_path: Path, rates: RateTable, suffix: str) -> None:
    note = ('一行\n又一行, 逗号 ""引号""\n' * 60_000).strip()
    assert len(note.encode()) > 1 << 20
    last = "x,2024-03-01,c,7,1,CNY,0,1\n"
    text = HEAD + "".join(f'{row},2024-03-01,"客户\n{row}",7,1200,CNY,{row % 2},"{note}"\n' for row in range(3)) + last
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    rows = load_transactions(path, delay_days=7, rates=rates)
    assert len(rows) == len(set(rows.customer.tolist())) == 4


def written(folder: Path, table: pa.Table, kind: str) -> Path:
    """A file that cannot serve."""
    path = folder / f"rows.{'csv.gz' if kind == 'cut gzip' else 'csv' if 'csv' in kind else 'parquet'}"
    wide = {field.name: table[field.name] for field in table.schema}
    if kind == "cut gzip":
        text = HEAD + "".join(f"{row},2024-03-01,{row},7,1200,CNY,0,{row * 7919 % 9973}\n" for row in range(5_000))
        path.write_bytes(gzip.compress(text.encode())[:9_000])
    elif kind in {"duplicate csv", "gbk csv", "ragged csv", "open quote csv"}:
        rows = {"gbk csv": "1,2024-03-01,客户,7,1,CNY,0,x", "ragged csv": "1,2", "open quote csv": '"1,2024-03-01,c,7,1,CNY,0,x'}
        path.write_bytes((HEAD.replace("note", "fraud") if kind == "duplicate csv" else HEAD).encode() + rows.get(kind, "").encode("gbk"))
    else:
        lists = {"list": pa.array([[1]] * 200), "struct": pa.array([{"a": 1}] * 200), "binary": pa.array([b"1"] * 200)}
        arrays, names = list(wide.values()), list(wide)
        if kind == "duplicate":
            arrays, names = [*arrays, arrays[2]], [*names, "customer_id"]
        elif kind.split(maxsplit=1)[0] in lists:
            arrays[names.index(kind.split()[1])] = lists[kind.split(maxsplit=1)[0]]
        pa.parquet.write_table(pa.table(arrays, names=names), path)
        if kind == "cut":
            path.write_bytes(path.read_bytes()[:-200])
        elif kind == "damaged":
            content = bytearray(path.read_bytes())
            content[4:600] = bytes(596)
            path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "cut gzip", "duplicate csv", "gbk csv", "ragged csv", "open quote csv", "duplicate", "cut", "damaged", "list customer_id",
        "list transaction_id", "list fraud", "list currency", "list amount_minor", "list event_time", "struct counterparty_id",
        "binary customer_id",
    ],
)  # fmt: skip
def test_a_file_that_cannot_serve_is_one_line_and_status_2(
    tmp_path: Path, table: pa.Table, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, table, kind)
    assert main(["--transactions", str(path), "--repository", str(tmp_path), "--train-start", "2024-03-20"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("train-fraud: ")
    assert len(said.splitlines()) == 1
    if "_" in kind or kind == "duplicate":
        assert "column " in said
