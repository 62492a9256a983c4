"""The simulated file means to the recipe what the same bank's events mean to the service."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from fraud.features import _observations
from fraud.load import Transactions, from_table
from fraud.simulate import simulated_table
from meshkit.testing.keys import keyed_ids
from risk_scoring import translate
from risk_scoring.domain.rates import RateTable
from risk_scoring.steps.identify import Identifier
from simbank.history import History, build_history
from simbank.population import build_population
from simbank.translate import Translator

START = date(2026, 3, 2)


@pytest.fixture(scope="module")
def history() -> History:
    return build_history(build_population(120, seed=4), start_day=(START - date(1970, 1, 1)).days, days=3)


@pytest.fixture(scope="module")
def rows(rates: RateTable) -> Transactions:
    return from_table(simulated_table(customers=120, start=START, days=3, seed=4), delay_days=7, rates=rates)


def test_recipe_and_service_see_the_same_transaction(history: History, rows: Transactions, rates: RateTable) -> None:
    translator = Translator(history.population, run=0)
    identify = Identifier(keyed_ids(), rates.to_reference_minor).observation
    offline = _observations(rows, slice(0, len(rows)), 0)
    online = [identify(translate.transaction(translator.request(history.transactions, row))) for row in range(len(rows))]
    tenant = history.transactions.tenant
    for field in ("time_s", "amount_minor", "channel", "local_hour", "local_weekday"):
        assert [getattr(o, field) for o in offline] == [getattr(o, field) for o in online], field
    for field in ("customer_key", "counterparty_key", "device_key", "account_key", "place"):
        pairs = {(int(t), getattr(a, field), getattr(b, field)) for t, a, b in zip(tenant, offline, online, strict=True)}
        assert len(pairs) == len({(t, a) for t, a, _ in pairs}) == len({(t, b) for t, _, b in pairs}), field
        assert all(bool(a) == bool(b) for _, a, b in pairs), field
    payer = {o.account_key for o in offline}
    assert payer & {o.counterparty_key for o in offline}, "money flows between accounts of one key space"


def test_labels_keep_their_delay_and_unreported_frauds_stay_unknown(history: History, rows: Transactions) -> None:
    fraud = rows.fraud == 1
    never = np.iinfo(np.int64).max
    assert (rows.known_at_us[fraud] > rows.event_time_us[fraud]).all()
    assert (rows.known_at_us[~fraud] == never).all()
    told = set(history.labels.row[history.labels.fraud == 1].tolist())
    for row in np.flatnonzero(fraud):
        assert (rows.known_at_us[row] == never) == (int(row) not in told)
    assert rows.declined.sum() == (history.reports.kind == 0).sum() > 0
