"""What the bank learns about a transaction, from whom, and when: never before it happened, sometimes never.

Sources: chargebacks (days to weeks later), the contact centre (hours), failed or passed challenges (minutes), review dispositions (a
day or two). About a twelfth of the fraud is never reported. A few genuine payments are charged back, and the chargeback is
retracted later.
"""

from dataclasses import dataclass

import numpy as np

from simbank.schema import DAY_US, F64, HOUR_US, I8, I64, Transactions

SOURCES: tuple[str, ...] = ("chargeback", "contact_centre", "challenge_result", "review_disposition")
CHARGEBACK, CONTACT_CENTRE, CHALLENGE_RESULT, REVIEW_DISPOSITION = range(4)
_FRAUD_SOURCE = (0.46, 0.36, 0.10, 0.08)
_UNREPORTED = 0.08
_PASSED_CHALLENGES = 0.003
_CLEARED_REVIEWS = 0.001
_FALSE_CHARGEBACKS = 0.0003


@dataclass(frozen=True)
class Labels:
    """One row a label, in the order in which the bank learns them."""

    label_id: I64
    row: I64  # index into the transactions
    transaction_id: I64
    event_time_us: I64  # of the transaction
    known_at_us: I64
    source: I8
    fraud: I8  # what the bank then believes
    retracted: I8  # 1: withdraws the earlier label of the same source

    def __len__(self) -> int:
        return len(self.label_id)


def report_labels(transactions: Transactions, rng: np.random.Generator) -> Labels:
    """Draw the labels of `transactions`, retractions included."""
    fraud = transactions.fraud == 1
    luck = rng.random(len(transactions))
    reported = np.flatnonzero(fraud & (luck >= _UNREPORTED))
    source = rng.choice(len(SOURCES), size=len(reported), p=_FRAUD_SOURCE)
    passed = np.flatnonzero(~fraud & (luck < _PASSED_CHALLENGES))
    cleared = np.flatnonzero(~fraud & (luck > 1 - _CLEARED_REVIEWS))
    wrong = np.flatnonzero(~fraud & (luck > 0.5) & (luck < 0.5 + _FALSE_CHARGEBACKS))
    row = np.concatenate([reported, passed, cleared, wrong])
    kinds = np.concatenate(
        [
            source,
            np.full(len(passed), CHALLENGE_RESULT),
            np.full(len(cleared), REVIEW_DISPOSITION),
            np.full(len(wrong), CHARGEBACK),
        ]
    )
    verdict = np.concatenate([np.ones(len(reported)), np.zeros(len(passed) + len(cleared)), np.ones(len(wrong))])
    known = transactions.event_time_us[row] + _delay_us(kinds, rng)
    corrected = known[len(row) - len(wrong) :] + (rng.uniform(2, 10, len(wrong)) * DAY_US).astype(np.int64)
    row, known = np.concatenate([row, wrong]), np.concatenate([known, corrected])
    kinds = np.concatenate([kinds, np.full(len(wrong), CHARGEBACK)])
    retracted = np.concatenate([np.zeros(len(verdict)), np.ones(len(wrong))])
    verdict = np.concatenate([verdict, np.zeros(len(wrong))])
    order = np.argsort(known, kind="stable")
    row = row[order]
    return Labels(
        label_id=np.arange(len(row)) + 1,
        row=row,
        transaction_id=transactions.transaction_id[row],
        event_time_us=transactions.event_time_us[row],
        known_at_us=known[order],
        source=kinds[order].astype(np.int8),
        fraud=verdict[order].astype(np.int8),
        retracted=retracted[order].astype(np.int8),
    )


def _delay_us(source: I64, rng: np.random.Generator) -> I64:
    """Time from transaction to knowledge, at least a second."""
    count = len(source)
    draws: list[F64] = [
        rng.gamma(2.0, 3.5, count) * DAY_US,
        rng.lognormal(2.3, 1.0, count) * HOUR_US,
        rng.lognormal(3.0, 0.8, count) * 1e6,
        rng.uniform(2.0, 48.0, count) * HOUR_US,
    ]
    return np.maximum(np.choose(source, draws), 1e6).astype(np.int64)
