"""Training vectors come out of the scripts that serve, on a real Redis of this test alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from fraud.features import BATCH, compute_features
from fraud.load import Transactions, from_table
from fraud.redis_server import private_redis
from risk_scoring.domain.features import COUNT, INDEX
from risk_scoring.domain.rates import RateTable

STACK = Path(__file__).resolve().parents[4] / ".stack"


def _rows(rates: RateTable, **columns: object) -> Transactions:
    """One customer at one terminal: a payment of 10.00 every hour for 40 days."""
    count = 24 * 40
    base = {
        "transaction_id": np.arange(count),
        "event_time": pa.array(np.datetime64("2024-03-01", "us") + np.arange(count) * np.timedelta64(1, "h")),
        "customer_id": np.zeros(count, dtype=int),
        "counterparty_id": np.ones(count, dtype=int),
        "amount_minor": np.full(count, 1000),
        "currency": ["CNY"] * count,
        "fraud": np.zeros(count, dtype=int),
    }
    return from_table(pa.table(base | columns), delay_days=7, rates=rates)


async def _vectors(rows: Transactions, wanted: np.ndarray | None = None) -> np.ndarray:
    everything = np.ones(len(rows), dtype=bool)
    with private_redis(STACK) as url:
        return await compute_features(rows, everything if wanted is None else wanted, url)


async def test_windows_count_what_happened_before_and_only_wanted_rows_come_back(rates: RateTable) -> None:
    rows = _rows(rates)
    wanted = np.zeros(len(rows), dtype=bool)
    wanted[[0, 5, BATCH - 1, BATCH, len(rows) - 1]] = True
    vectors = await _vectors(rows, wanted)
    assert vectors.shape == (5, COUNT)
    assert vectors[:, INDEX["c_count_24h"]].tolist() == [0, 5, 23, 23, 23]  # tiles: this hour and the 23 before
    assert vectors[:, INDEX["c_count_7d"]].tolist() == [0, 5, 167, 167, 167]
    assert vectors[3, INDEX["c_mean_30d"]] == 10.0
    assert vectors[1, INDEX["c_since_last_s"]] == 3600.0


async def test_a_fraud_counts_from_the_moment_it_is_known_and_never_before(rates: RateTable) -> None:
    fraud = np.zeros(960, dtype=int)
    fraud[10] = 1
    vectors = await _vectors(_rows(rates, fraud=fraud))
    count = vectors[:, INDEX["p_fraud_30d"]]
    known = 10 + 7 * 24
    first = int(np.flatnonzero(count)[0])
    assert known < first <= known + BATCH
    assert (count[:known] == 0).all()
    assert (vectors[: known + 1, INDEX["p_risk_30d"]] == 0).all()
    assert vectors[:, INDEX["p_risk_30d"]].max() > 0


async def test_a_fraud_that_nobody_reports_is_never_seen(rates: RateTable) -> None:
    fraud = np.zeros(960, dtype=int)
    fraud[10] = 1
    rows = _rows(rates, fraud=fraud, fraud_known_at=pa.array([None] * 960, type=pa.timestamp("us")))
    assert not (await _vectors(rows))[:, INDEX["p_fraud_30d"]].any()


async def test_a_declined_payment_is_no_spend(rates: RateTable) -> None:
    declined = np.zeros(960, dtype=int)
    declined[:BATCH] = 1
    vectors = await _vectors(_rows(rates, declined=declined))
    assert vectors[BATCH - 1, INDEX["c_count_24h"]] == 23
    assert vectors[BATCH, INDEX["c_count_24h"]] == 0
    assert vectors[BATCH + 3, INDEX["c_count_24h"]] == 3
    assert vectors[BATCH, INDEX["c_declined_24h"]] > 0
