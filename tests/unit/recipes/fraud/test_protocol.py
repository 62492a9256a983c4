from __future__ import annotations

import dataclasses
from datetime import date

import numpy as np
import pytest
from fraud.load import DAY_US, Transactions, from_table
from fraud.protocol import Protocol
from risk_scoring.domain.rates import RateTable

START = date(2024, 3, 1)
PLAN = Protocol(START, train_days=2, delay_days=2, test_days=2)


@pytest.fixture
def rows(small_table, rates: RateTable) -> Transactions:
    """Four rows a day from 1 March on; customer = day of the first fraud, see tests."""
    return from_table(small_table(fraud=[0] * 200, customer_id=np.arange(200)), delay_days=2, rates=rates)


def _with(rows: Transactions, frauds: dict[int, int]) -> Transactions:
    """Mark frauds: row number to customer code."""
    fraud, code = rows.fraud.copy(), rows.customer_code.copy()
    for row, customer in frauds.items():
        fraud[row], code[row] = 1, customer
    known = np.where(fraud == 1, rows.event_time_us + 2 * DAY_US, rows.known_at_us)
    return dataclasses.replace(rows, fraud=fraud, customer_code=code, known_at_us=known)


def test_the_periods_follow_one_another(rows: Transactions) -> None:
    assert np.flatnonzero(PLAN.train_rows(rows)).tolist() == list(range(8))
    assert np.flatnonzero(PLAN.delay_rows(rows)).tolist() == list(range(8, 16))
    assert np.flatnonzero(PLAN.test_rows(rows)).tolist() == list(range(16, 24))
    assert PLAN.end_us == rows.event_time_us[24]


def test_cards_known_to_be_compromised_leave_the_test(rows: Transactions) -> None:
    in_training = _with(rows, {1: 17})  # customer 17 pays in row 17, on the first test day
    assert 17 not in np.flatnonzero(PLAN.test_rows(in_training))
    first_delay_day = _with(rows, {9: 21})  # known on the second test day, when customer 21 pays
    assert 21 not in np.flatnonzero(PLAN.test_rows(first_delay_day))
    assert 17 in np.flatnonzero(PLAN.test_rows(_with(rows, {9: 17}))), "on the first test day nobody knew of it"
    assert 21 in np.flatnonzero(PLAN.test_rows(_with(rows, {13: 21}))), "the delay is not over for the last delay day"


def test_training_believes_what_was_known_when_the_test_began(rows: Transactions) -> None:
    marked = _with(rows, {1: 1, 5: 5})
    assert np.flatnonzero(PLAN.targets(marked)).tolist() == [1, 5]
    late = dataclasses.replace(marked, known_at_us=np.where(np.arange(200) == 5, PLAN.test_start_us + 1, marked.known_at_us))
    assert np.flatnonzero(PLAN.targets(late)).tolist() == [1]


def test_days_outside_the_file_or_without_fraud_are_errors(rows: Transactions) -> None:
    with pytest.raises(ValueError, match=r"no transactions in the training days from 2023-01-01; the file spans 2024-03-01 to"):
        Protocol(date(2023, 1, 1)).check(rows)
    with pytest.raises(ValueError, match="the training days need both"):
        PLAN.check(rows)
    with pytest.raises(ValueError, match="the test days need both"):
        PLAN.check(_with(rows, {1: 1}))
    PLAN.check(_with(rows, {1: 1, 20: 20}))
    with pytest.raises(ValueError, match="at least one day"):
        Protocol(START, train_days=0)


def test_earlier_weeks_keep_their_shape() -> None:
    assert PLAN.earlier(2) == Protocol(date(2024, 2, 28), 2, 2, 2)
