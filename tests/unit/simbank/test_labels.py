from __future__ import annotations

import numpy as np
from simbank.history import History
from simbank.labels import CHALLENGE_RESULT, CHARGEBACK
from simbank.schema import DAY_US, HOUR_US


def test_no_label_is_known_before_its_transaction(history: History) -> None:
    labels = history.labels
    assert (labels.known_at_us > labels.event_time_us).all()
    assert np.array_equal(labels.event_time_us, history.transactions.event_time_us[labels.row])
    assert (np.diff(labels.known_at_us) >= 0).all()


def test_some_fraud_is_never_reported_and_labels_tell_the_truth_in_the_end(history: History) -> None:
    labels, rows = history.labels, history.transactions
    reported = np.isin(rows.transaction_id[rows.fraud == 1], labels.transaction_id[labels.fraud == 1])
    assert 0.85 < reported.mean() < 0.97
    final = dict(zip(labels.transaction_id.tolist(), labels.fraud.tolist(), strict=True))  # later labels overwrite
    truth = rows.fraud[np.fromiter(final, dtype=np.int64) - 1]
    assert np.array_equal(truth, np.fromiter(final.values(), dtype=np.int64))


def test_every_retraction_follows_a_label_of_its_source(history: History) -> None:
    labels = history.labels
    withdrawn = np.flatnonzero(labels.retracted)
    assert len(withdrawn) > 3
    for index in withdrawn:
        earlier = (labels.transaction_id[:index] == labels.transaction_id[index]) & (labels.source[:index] == labels.source[index])
        assert earlier.sum() == 1


def test_chargebacks_take_days_and_challenges_minutes(history: History) -> None:
    labels = history.labels
    delay = labels.known_at_us - labels.event_time_us
    assert 3 * DAY_US < np.median(delay[(labels.source == CHARGEBACK) & (labels.retracted == 0)]) < 10 * DAY_US
    assert np.median(delay[labels.source == CHALLENGE_RESULT]) < HOUR_US
