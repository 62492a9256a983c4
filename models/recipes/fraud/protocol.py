"""Who trains and who tests, with labels that come late: train a week, wait for labels, test a week.

Cards that are known to be compromised leave the test: those with a fraud in the training days, and, for each test day, those whose
fraud happened up to one delay before that day began. Source: Le Borgne, Siblini, Lebichot, Bontempi, Reproducible Machine Learning for
Credit Card Fraud Detection, section "Validation strategies".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from fraud.load import DAY_US, Transactions

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Protocol:
    """Consecutive days from `train_start`, UTC: training, delay, test."""

    train_start: date
    train_days: int = 7
    delay_days: int = 7
    test_days: int = 7

    def __post_init__(self) -> None:
        if min(self.train_days, self.delay_days, self.test_days) < 1:
            raise ValueError("training, delay and test last at least one day each")

    @property
    def start_us(self) -> int:
        """First microsecond of the training days."""
        return (self.train_start - date(1970, 1, 1)).days * DAY_US

    @property
    def test_start_us(self) -> int:
        """First microsecond of the test days: labels known by now train the model."""
        return self.start_us + (self.train_days + self.delay_days) * DAY_US

    @property
    def end_us(self) -> int:
        """First microsecond after the test."""
        return self.test_start_us + self.test_days * DAY_US

    def train_rows(self, rows: Transactions) -> Mask:
        """Rows of the training days."""
        return self._between(rows, 0, self.train_days)

    def delay_rows(self, rows: Transactions) -> Mask:
        """Rows of the days in between: they set thresholds, which needs no labels."""
        return self._between(rows, self.train_days, self.train_days + self.delay_days)

    def test_rows(self, rows: Transactions) -> Mask:
        """Rows of the test days without cards known to be compromised."""
        fraud = rows.fraud == 1
        known = np.unique(rows.customer_code[self.train_rows(rows) & fraud])
        chosen = np.zeros(len(rows), dtype=np.bool_)
        for day in range(self.test_days):
            told = self._between(rows, self.train_days + day - 1, self.train_days + day) & fraud
            known = np.union1d(known, rows.customer_code[told])
            today = self._between(rows, self.train_days + self.delay_days + day, self.train_days + self.delay_days + day + 1)
            chosen |= today & ~np.isin(rows.customer_code, known)
        return chosen

    def targets(self, rows: Transactions) -> npt.NDArray[np.int8]:
        """What the bank believes when it trains: a fraud that nobody has reported by the start of the test counts as genuine."""
        return np.asarray((rows.fraud == 1) & (rows.known_at_us <= self.test_start_us), dtype=np.int8)

    def check(self, rows: Transactions) -> None:
        """Raises ValueError, saying what is missing, when the file cannot serve this protocol."""
        first, last = (datetime.fromtimestamp(int(t) / 1e6, UTC).date() for t in (rows.event_time_us[0], rows.event_time_us[-1]))
        for name, mask, truth in (
            ("training", self.train_rows(rows), self.targets(rows)),
            ("delay", self.delay_rows(rows), None),
            ("test", self.test_rows(rows), rows.fraud),
        ):
            if not mask.any():
                raise ValueError(f"no transactions in the {name} days from {self.train_start}; the file spans {first} to {last}")
            if truth is not None and not 0 < truth[mask].sum() < mask.sum():
                raise ValueError(f"the {name} days need both frauds and genuine transactions")

    def _between(self, rows: Transactions, first_day: int, end_day: int) -> Mask:
        begin, end = self.start_us + first_day * DAY_US, self.start_us + end_day * DAY_US
        return np.asarray((rows.event_time_us >= begin) & (rows.event_time_us < end))

    def earlier(self, days: int) -> Protocol:
        """The same protocol, `days` earlier, for prequential evaluation."""
        return Protocol(self.train_start - timedelta(days=days), self.train_days, self.delay_days, self.test_days)
