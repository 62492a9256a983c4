from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from risk_scoring.domain.rates import RateTable

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="session")
def rates() -> RateTable:
    return RateTable.from_document(yaml.safe_load((ROOT / "services/risk-scoring/rules/rates.yaml").read_text()))


def _small_table(count: int = 200, **columns: object) -> pa.Table:
    rng = np.random.default_rng(0)
    base = {
        "transaction_id": np.arange(count),
        "event_time": pa.array(np.datetime64("2024-03-01", "us") + np.arange(count) * np.timedelta64(6, "h")),
        "customer_id": rng.integers(0, 20, count),
        "counterparty_id": rng.integers(0, 30, count),
        "amount_minor": rng.integers(1, 10_000, count),
        "currency": ["CNY"] * count,
        "fraud": (np.arange(count) % 10 == 0).astype(np.int64),
    }
    return pa.table(base | columns)


@pytest.fixture(scope="session")
def small_table() -> Callable[..., pa.Table]:
    """`small_table(count, **columns)`: the required columns, replaced or joined by `columns`."""
    return _small_table


@pytest.fixture
def table() -> pa.Table:
    return _small_table()
