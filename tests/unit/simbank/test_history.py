from __future__ import annotations

import numpy as np
import pytest
from simbank.day import genuine_day, whereabouts
from simbank.history import History, build_history
from simbank.population import BUSINESS, Population, build_population
from simbank.schema import ATM, CARD_PRESENT, DAY_US, ECOMMERCE, HOUR_US, TRANSFER, TYPOLOGIES, Transactions

START_DAY = 20_600


def test_same_seed_same_history_byte_for_byte() -> None:
    first, again, other = (build_history(build_population(200, seed=seed), start_day=START_DAY, days=3) for seed in (1, 1, 2))
    for name, column in first.transactions.columns().items():
        assert column.tobytes() == again.transactions.columns()[name].tobytes(), name
    assert first.labels.known_at_us.tobytes() == again.labels.known_at_us.tobytes()
    assert first.reports.amount_minor.tobytes() == again.reports.amount_minor.tobytes()
    assert len(first.transactions) != len(other.transactions)


def test_rows_are_sorted_numbered_and_within_the_days(history: History) -> None:
    rows = history.transactions
    assert (np.diff(rows.event_time_us) >= 0).all()
    assert np.array_equal(rows.transaction_id, np.arange(1, len(rows) + 1))
    assert rows.event_time_us[0] >= START_DAY * DAY_US
    assert rows.event_time_us[-1] < (START_DAY + 21) * DAY_US


def test_fraud_is_rare_and_every_typology_is_there(history: History) -> None:
    rows = history.transactions
    assert 0.005 < rows.fraud.mean() < 0.01
    shares = np.bincount(rows.typology[rows.fraud == 1], minlength=len(TYPOLOGIES)) / rows.fraud.sum()
    assert (shares > 0.05).all()
    assert (rows.typology[rows.fraud == 0] == -1).all()
    for typology in range(len(TYPOLOGIES)):
        others = rows.episode[(rows.fraud == 1) & (rows.typology != typology)]
        assert not np.isin(rows.episode[rows.typology == typology], others).any()


def test_columns_say_what_applies_to_each_channel(history: History) -> None:
    rows, population = history.transactions, history.population
    transfer, present = rows.channel == TRANSFER, (rows.channel == CARD_PRESENT) | (rows.channel == ATM)
    assert ((rows.merchant == -1) == transfer).all()
    assert ((rows.terminal == -1) == transfer).all()
    assert (rows.device[present] == -1).all()
    assert (rows.device[~present] >= 0).all()
    assert (rows.device < population.devices).all()
    assert (rows.mcc[rows.channel == ATM] == 6011).all()
    assert (rows.counterparty_id[transfer] >= len(population.merchants)).all()
    assert (rows.counterparty_id[~transfer] == rows.merchant[~transfer]).all()
    assert (rows.amount_minor > 0).all()
    own = population.counterparty_of_account(rows.account)
    assert not (own[transfer] == rows.counterparty_id[transfer]).any()


def test_the_day_has_a_curve(history: History) -> None:
    hour = ((history.transactions.event_time_us + 8 * HOUR_US) // HOUR_US) % 24
    count = np.bincount(hour, minlength=24)
    assert count[18] > 3 * count[3]


def test_honest_people_travel_and_use_strange_devices(history: History) -> None:
    rows, population = history.transactions, history.population
    genuine = rows.take(rows.fraud == 0)
    at_shop = genuine.channel == CARD_PRESENT
    away = genuine.geo[at_shop] != population.customers.region[genuine.customer_id[at_shop]]
    assert 0.005 < away.mean() < 0.1
    shopping = genuine.channel == ECOMMERCE
    assert 0.005 < (genuine.device[shopping] >= population.first_shared_device).mean() < 0.05


def test_trips_last_within_their_week(population: Population) -> None:
    monday = 20_600 - (20_600 + 3) % 7
    home = population.customers.region
    away = np.stack([whereabouts(population, monday + day) != home for day in range(7)])
    assert 0.01 < away.any(axis=0).mean() < 0.1
    assert np.array_equal(whereabouts(population, monday + 2), whereabouts(population, monday + 2))


def test_salaries_make_a_genuine_fan_out(population: Population) -> None:
    payday = next(day for day in range(START_DAY, START_DAY + 40) if np.datetime64(day, "D").astype(object).day == 25)
    rows = genuine_day(population, payday)
    transfers = rows.take(rows.channel == TRANSFER)
    payer, count = np.unique(transfers.customer_id, return_counts=True)
    busiest = payer[count.argmax()]
    assert count.max() > 10
    assert population.customers.segment[busiest] == BUSINESS


def test_a_missing_or_malformed_column_is_an_error() -> None:
    rows = build_history(build_population(60), start_day=START_DAY, days=1).transactions
    columns = rows.columns()
    with pytest.raises(ValueError, match="amount_minor"):
        Transactions(**{**columns, "amount_minor": columns["amount_minor"].astype(np.float64)})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="fraud"):
        Transactions.of(**{name: column for name, column in columns.items() if name != "fraud"})


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one day"):
        build_history(build_population(60), start_day=START_DAY, days=0)
