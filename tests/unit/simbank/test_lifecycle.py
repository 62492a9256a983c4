from __future__ import annotations

import numpy as np
from simbank.history import History
from simbank.lifecycle import ADVICE, DECLINED, REFUND, REVERSAL
from simbank.schema import CARD_PRESENT, ECOMMERCE, TRANSFER


def test_reports_follow_their_transaction_and_never_exceed_it(history: History) -> None:
    reports, rows = history.reports, history.transactions
    assert (reports.event_time_us > rows.event_time_us[reports.row]).all()
    assert (reports.amount_minor <= rows.amount_minor[reports.row]).all()
    assert (reports.amount_minor >= 1).all()
    assert len(np.unique(reports.transaction_id)) == len(reports)


def test_each_kind_befalls_its_channels(history: History) -> None:
    reports, channel = history.reports, history.transactions.channel[history.reports.row]
    assert 0.01 < (reports.kind == DECLINED).sum() / len(history.transactions) < 0.02
    assert (channel[reports.kind == REFUND] == ECOMMERCE).all()
    assert (channel[reports.kind == ADVICE] == CARD_PRESENT).all()
    assert (channel[reports.kind == REVERSAL] != TRANSFER).all()
    partial = reports.amount_minor < history.transactions.amount_minor[reports.row]
    assert 0.2 < partial[reports.kind == REFUND].mean() < 0.4
    assert not partial[reports.kind != REFUND].any()
