"""The simulated bank's history in the schema of a transactions file: what the released model is trained on when no file is given."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from simbank.history import build_history
from simbank.lifecycle import DECLINED
from simbank.population import build_population
from simbank.regions import CURRENCIES, REGIONS
from simbank.schema import CHANNELS, ECOMMERCE, TRANSFER, Transactions
from simbank.tokens import Tokens


def simulated_table(*, customers: int, start: date, days: int, seed: int) -> pa.Table:
    """Simulate and tabulate; labels carry the time at which the bank learned them, empty for frauds nobody reported."""
    population = build_population(customers, seed=seed)
    history = build_history(population, start_day=(start - date(1970, 1, 1)).days, days=days)
    rows, labels, reports = history.transactions, history.labels, history.reports
    known_us = np.full(len(rows), np.iinfo(np.int64).min)  # numpy's and Arrow's "no time"
    told = (labels.fraud == 1) & (rows.fraud[labels.row] == 1)
    known_us[labels.row[told]] = labels.known_at_us[told]
    declined = np.zeros(len(rows), dtype=np.int8)
    declined[reports.row[reports.kind == DECLINED]] = 1
    tokens = Tokens(population)
    offsets = np.array([region.utc_offset_minutes for region in REGIONS])
    return pa.table(
        {
            "transaction_id": rows.transaction_id,
            "event_time": pa.array(rows.event_time_us.astype("datetime64[us]")),
            "customer_id": _named(tokens.customer, rows.customer_id),
            "account_id": _named(tokens.account, rows.account),
            "counterparty_id": _counterparties(rows, tokens, len(population.merchants)),
            "device_id": _named([*tokens.device, ""], rows.device),
            "channel": _named(list(CHANNELS), rows.channel),
            "geo": _named([region.code for region in REGIONS], rows.geo),
            "utc_offset_minutes": offsets[rows.geo],
            "amount_minor": rows.amount_minor,
            "currency": _named(list(CURRENCIES), rows.currency),
            "fraud": rows.fraud,
            "fraud_known_at": pa.array(known_us.astype("datetime64[us]")),
            "declined": declined,
        }
    )


def _named(names: list[str], numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.object_]:
    named: npt.NDArray[np.object_] = np.array(names, dtype=object)[numbers]
    return named


def _counterparties(rows: Transactions, tokens: Tokens, merchants: int) -> npt.NDArray[np.object_]:
    """The other side whose history counts, as in risk-scoring: receiving account, internet shop, or terminal."""
    transfer, online = rows.channel == TRANSFER, rows.channel == ECOMMERCE
    accounts = _named(tokens.account, np.where(transfer, rows.counterparty_id - merchants, 0))
    shops = _named(tokens.merchant, np.maximum(rows.merchant, 0))
    terminals = _named(tokens.terminal, np.maximum(rows.terminal, 0))
    return np.where(transfer, accounts, np.where(online, shops, terminals))
