"""What else a bank reports about a transaction: that it was declined, reversed, refunded, or authorised in its stead.

They decide nothing and update features (a declined payment is no spend). Approvals are not reported one by one: silence means approved.
"""

from dataclasses import dataclass

import numpy as np

from simbank.schema import CARD_PRESENT, DAY_US, ECOMMERCE, I8, I64, TRANSFER, Transactions

KINDS: tuple[str, ...] = ("declined", "reversal", "refund", "advice")
DECLINED, REVERSAL, REFUND, ADVICE = range(4)


@dataclass(frozen=True)
class Reports:
    """One row a report, in the order of `event_time_us`."""

    row: I64  # index into the transactions
    transaction_id: I64
    event_time_us: I64
    kind: I8
    amount_minor: I64  # reversed or refunded, in the transaction's currency; a refund may be partial

    def __len__(self) -> int:
        return len(self.row)


def report_lifecycle(transactions: Transactions, rng: np.random.Generator) -> Reports:
    """Draw the reports on `transactions`; each transaction has one at most."""
    luck = rng.random(len(transactions))
    card = transactions.channel != TRANSFER
    online = transactions.channel == ECOMMERCE
    rows, kinds, times, amounts = [], [], [], []
    for kind, chosen, low_s, high_s in (
        (DECLINED, luck < 0.015, 0.05, 2.0),
        (REVERSAL, card & (luck > 0.02) & (luck < 0.025), 5.0, 900.0),
        (REFUND, online & (luck > 0.1) & (luck < 0.125), DAY_US / 1e6, 10 * DAY_US / 1e6),
        (ADVICE, (transactions.channel == CARD_PRESENT) & (luck > 0.9) & (luck < 0.902), 60.0, 7200.0),
    ):
        row = np.flatnonzero(chosen)
        part = np.where(rng.random(len(row)) < 0.3, rng.uniform(0.1, 0.9, len(row)), 1.0) if kind == REFUND else np.ones(len(row))
        rows.append(row)
        kinds.append(np.full(len(row), kind, dtype=np.int8))
        times.append(transactions.event_time_us[row] + (rng.uniform(low_s, high_s, len(row)) * 1e6).astype(np.int64))
        amounts.append(np.maximum(np.rint(transactions.amount_minor[row] * part), 1).astype(np.int64))
    row, time_us = np.concatenate(rows), np.concatenate(times)
    order = np.argsort(time_us, kind="stable")
    row = row[order]
    return Reports(row, transactions.transaction_id[row], time_us[order], np.concatenate(kinds)[order], np.concatenate(amounts)[order])
