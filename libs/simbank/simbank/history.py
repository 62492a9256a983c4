"""Days of the bank with fraud in them: genuine days, injected episodes, sorted and numbered, with labels and lifecycle reports.

Surprising: fraud is budgeted over the whole range, because episodes last longer than a day; so the same day differs between two ranges,
while the same call always gives the same bytes.
"""

from dataclasses import dataclass

import numpy as np

from simbank.day import genuine_day
from simbank.labels import Labels, report_labels
from simbank.lifecycle import Reports, report_lifecycle
from simbank.population import Population
from simbank.schema import DAY_US, Transactions
from simbank.typologies import INJECTORS, SHARE, Scene

FRAUD_RATE = 0.008


@dataclass(frozen=True)
class History:
    """What happened in a range of days, and what the bank heard about it later."""

    population: Population
    start_day: int
    days: int
    transactions: Transactions
    labels: Labels
    reports: Reports


def build_history(population: Population, *, start_day: int, days: int, fraud_rate: float = FRAUD_RATE) -> History:
    """Simulate `days` UTC days from `start_day` (days since 1970); `fraud_rate` is the share of rows budgeted for fraud
    (a sixth less arrives: episodes that run past the end are cut)."""
    if days < 1 or not 0 <= fraud_rate < 0.5:
        raise ValueError("a history has at least one day and a fraud rate below one half")
    local_days = [genuine_day(population, day) for day in range(start_day - 1, start_day + days + 1)]
    genuine = _within(Transactions.concatenate(local_days), start_day, days)
    budget = len(genuine) * fraud_rate / (1 - fraud_rate)
    parts, episodes = [genuine], 0
    for code, (inject, share) in enumerate(zip(INJECTORS, SHARE, strict=True)):
        scene = Scene(population, genuine, start_day, days, np.random.default_rng([population.seed, 4, code, start_day, days]))
        fraud = inject(scene, budget * share)
        fraud = fraud.replace(episode=fraud.episode + episodes)
        episodes = int(fraud.episode.max(initial=episodes - 1)) + 1
        parts.append(_within(fraud, start_day, days))
    rows = Transactions.concatenate(parts)
    rows = rows.take(np.argsort(rows.event_time_us, kind="stable"))
    rows = rows.replace(transaction_id=np.arange(len(rows)) + 1)
    rng = np.random.default_rng([population.seed, 5, start_day, days])
    return History(
        population=population,
        start_day=start_day,
        days=days,
        transactions=rows,
        labels=report_labels(rows, rng),
        reports=report_lifecycle(rows, rng),
    )


def _within(rows: Transactions, start_day: int, days: int) -> Transactions:
    return rows.take((rows.event_time_us >= start_day * DAY_US) & (rows.event_time_us < (start_day + days) * DAY_US))
