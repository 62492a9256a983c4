from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from simbank.categories import CASH_MACHINE
from simbank.population import CHANNEL_CDF, HOUR_CDF, SEGMENTS, Population, build_population
from simbank.regions import to_minor


def test_same_seed_same_people_other_seed_other_people() -> None:
    first, again, other = (build_population(300, seed=seed) for seed in (1, 1, 2))
    for field in dataclasses.fields(first.customers):
        assert np.array_equal(getattr(first.customers, field.name), getattr(again.customers, field.name)), field.name
    assert not np.array_equal(first.customers.amount_scale, other.customers.amount_scale)


def test_habits_are_probability_distributions() -> None:
    assert np.allclose(HOUR_CDF[:, -1], 1.0)
    assert np.allclose(CHANNEL_CDF[:, -1], 1.0)
    assert CHANNEL_CDF.shape[0] == len(SEGMENTS)


def test_shops_are_near_home_and_cash_machines_are_cash_machines(population: Population) -> None:
    people, merchants = population.customers, population.merchants
    assert (merchants.region[people.shops] == people.region[:, None]).all()
    assert not merchants.online[people.shops].any()
    assert merchants.online[people.online_shops].all()
    assert (merchants.category[people.cash_machines] == CASH_MACHINE).all()
    near = np.linalg.norm(merchants.position[people.shops[:, 0]] - people.position, axis=1)
    elsewhere = np.linalg.norm(merchants.position[np.roll(people.shops[:, 0], 1)] - people.position, axis=1)
    assert np.median(near) < 0.25 < np.median(elsewhere)


def test_terminals_belong_to_one_merchant(population: Population) -> None:
    merchants = population.merchants
    last = merchants.first_terminal[:-1] + merchants.terminals[:-1]
    assert np.array_equal(last, merchants.first_terminal[1:])
    every = np.arange(len(merchants), dtype=np.int32)
    highest = merchants.pick_terminal(every, np.full(len(merchants), 0.999999))
    assert np.array_equal(highest, merchants.first_terminal + merchants.terminals - 1)


def test_nobody_is_their_own_payee(population: Population) -> None:
    assert not (population.customers.payees == np.arange(len(population.customers))[:, None]).any()
    assert population.customers.payees.max() < population.accounts


def test_currency_minor_units_follow_iso_4217() -> None:
    cny, yen = np.array([0, 3], dtype=np.int16), np.array([48.0, 48.0])
    assert to_minor(yen, cny).tolist() == [4800, 1000]


def test_a_population_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 50"):
        build_population(49)
