"""Each typology leaves its signature, and its single rows stay within what honest people do."""

from __future__ import annotations

import numpy as np
import pytest
from simbank.history import History
from simbank.population import Population
from simbank.schema import CARD_PRESENT, DAY_US, ECOMMERCE, HOUR_US, TRANSFER, TYPOLOGIES, Transactions
from simbank.typologies import INJECTORS, SHARE, Scene
from simbank.typologies.episode import spread, step_of

START_DAY = 20_600


def _inject(history: History, name: str) -> Transactions:
    scene = Scene(history.population, history.transactions, START_DAY, 21, np.random.default_rng(3))
    return INJECTORS[TYPOLOGIES.index(name)](scene, 2_000.0)


def _episodes(rows: Transactions) -> list[Transactions]:
    return [rows.take(np.flatnonzero(rows.episode == episode)) for episode in np.unique(rows.episode)]


def test_every_typology_has_an_injector_and_a_share() -> None:
    assert len(INJECTORS) == len(SHARE) == len(TYPOLOGIES)
    assert sum(SHARE) == pytest.approx(1.0)


@pytest.mark.parametrize("name", TYPOLOGIES)
def test_an_injector_keeps_its_budget_and_marks_its_rows(history: History, name: str) -> None:
    rows = _inject(history, name)
    assert len(rows) == pytest.approx(2_000, rel=0.25)
    assert (rows.fraud == 1).all()
    assert (rows.typology == TYPOLOGIES.index(name)).all()
    assert (rows.event_time_us >= START_DAY * DAY_US).all()


def test_card_testing_tries_many_cards_on_one_device_within_minutes(history: History) -> None:
    for episode in _episodes(_inject(history, "card_testing")):
        tests = episode.take(episode.amount_minor <= np.quantile(episode.amount_minor, 0.5))
        assert len(np.unique(episode.device)) == 1
        assert len(np.unique(episode.customer_id)) >= 3
        assert np.ptp(np.sort(tests.event_time_us)[: len(tests) // 2 + 1]) < 2 * HOUR_US
        assert (episode.channel == ECOMMERCE).all()


def test_account_takeover_pays_mules_from_strange_devices(history: History, population: Population) -> None:
    rows = _inject(history, "account_takeover")
    strange = rows.device >= population.first_shared_device
    assert 0.7 < strange.mean() < 0.9
    sent = rows.take(rows.channel == TRANSFER)
    payee = sent.counterparty_id - len(population.merchants)
    assert population.customers.mule[np.minimum(payee, len(population.customers) - 1)].mean() > 0.9
    assert all(len(np.unique(episode.customer_id)) == 1 for episode in _episodes(rows))


def test_mule_fan_collects_passes_on_and_sometimes_returns(history: History, population: Population) -> None:
    returned = 0
    episodes = _episodes(_inject(history, "mule_fan"))
    for episode in episodes:
        first = np.argmin(episode.event_time_us)
        collector = episode.counterparty_id[first]
        paid_in = episode.counterparty_id == collector
        assert len(np.unique(episode.customer_id[paid_in])) >= 3
        own = population.counterparty_of_account(episode.account)
        out = own == collector
        assert out.sum() >= 2
        assert episode.event_time_us[out].min() >= np.sort(episode.event_time_us[paid_in])[3]
        returned += bool(episode.event_time_us[paid_in].max() > episode.event_time_us[out].min())
    assert 0.25 < returned / len(episodes) < 0.55


def test_a_mules_fan_in_exceeds_that_of_ordinary_accounts(history: History, population: Population) -> None:
    rows = history.transactions
    transfers = rows.take(rows.channel == TRANSFER)
    payee = transfers.counterparty_id - len(population.merchants)
    fan_in = np.zeros(population.accounts)
    pairs = np.unique(np.stack([payee, transfers.customer_id]), axis=1)
    np.add.at(fan_in, pairs[0], 1)
    customers = len(population.customers)
    assert fan_in[:customers][population.customers.mule].mean() > 3 * fan_in[:customers][~population.customers.mule].mean()
    assert fan_in.argmax() not in np.flatnonzero(population.customers.mule), "honest hubs collect too"


def test_compromised_terminals_differ_by_their_record_not_by_amount(history: History) -> None:
    rows = history.transactions
    present = rows.take(rows.channel == CARD_PRESENT)
    fraud = present.fraud == 1
    bad = np.unique(present.terminal[fraud])
    at_bad = np.isin(present.terminal, bad)
    assert fraud[at_bad].mean() > 20 * fraud.mean()
    ratio = np.median(present.amount_minor[fraud]) / np.median(present.amount_minor[at_bad & ~fraud])
    assert 0.7 < ratio < 2.0


def test_amounts_escalate_at_one_shop(history: History) -> None:
    for episode in _episodes(_inject(history, "amount_escalation")):
        assert len(np.unique(episode.merchant)) == 1
        ordered = episode.amount_minor[np.argsort(episode.event_time_us, kind="stable")]
        assert (np.diff(ordered) > 0).all()
        assert ordered[-1] > 2.4 * ordered[0]


def test_fraud_returns_to_weak_merchants(history: History, population: Population) -> None:
    rows = history.transactions
    bought = rows.take(rows.merchant >= 0)
    weak = population.merchants.weak[bought.merchant]
    assert weak[bought.fraud == 1].mean() > 2 * weak[bought.fraud == 0].mean()


def test_spread_keeps_each_episode_in_order() -> None:
    sizes = np.array([3, 1, 2])
    episode, time_us = spread(np.array([100, 200, 300]), sizes, 10.0, np.random.default_rng(0))
    assert episode.tolist() == [0, 0, 0, 1, 2, 2]
    assert (time_us >= np.array([100, 200, 300])[episode]).all()
    assert time_us[0] <= time_us[1] <= time_us[2]
    assert time_us[4] < 400, "gaps do not leak from one episode into the next"
    assert step_of(sizes).tolist() == [0, 1, 2, 0, 0, 1]
