"""Request columns: names, types and the customer's clock."""

import numpy as np
import pytest
from risk_scoring.domain.identity import Uetr
from risk_scoring.domain.request_columns import REQUEST_COLUMNS, local_hour, request_columns
from risk_scoring.domain.transaction import Channel, Transaction

HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("hour_utc", "offset", "expected"), [(0, 480, 8), (20, 480, 4), (1, -300, 20), (12, 345, 17), (0, -1, 23), (23, 60, 0)]
)
def test_local_hour(hour_utc, offset, expected):
    assert local_hour(hour_utc * HOUR_US + 30_000_000, offset) == expected


def test_columns_hold_what_rules_ask_for():
    one = Transaction(
        "bank-a", Uetr("u"), Channel.ATM, 16 * HOUR_US, 5_000, "JPY", "c", "a", terminal_id="t", mcc="6011", device_id="d",
        country_code="JP", utc_offset_minutes=540,
    )  # fmt: skip
    two = Transaction("bank-b", Uetr("u"), Channel.TRANSFER, 0, 100, "CNY", "c", "a", counterparty_account_id="b")
    columns = request_columns([one, two], np.array([240.0, 1.0]), np.array([False, True]), np.array([True, False]))
    assert list(columns) == list(REQUEST_COLUMNS)
    assert {name: column.tolist() for name, column in columns.items()} == {
        "amount": [240.0, 1.0],
        "channel": ["atm", "transfer"],
        "currency": ["JPY", "CNY"],
        "country": ["JP", ""],
        "mcc": ["6011", ""],
        "tenant": ["bank-a", "bank-b"],
        "hour": [1, 0],
        "has_device": [True, False],
        "block_listed": [False, True],
        "trusted_payee": [True, False],
    }


def test_an_empty_batch_has_typed_columns():
    nothing = np.zeros(0, dtype=bool)
    columns = request_columns([], np.zeros(0), nothing, nothing)
    assert all(column.shape == (0,) for column in columns.values()) and columns["mcc"].dtype.kind == "U"
