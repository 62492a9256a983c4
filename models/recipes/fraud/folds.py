"""One step of the evaluation with delayed labels: train on a week, set thresholds on the delay days, judge on the test days."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from fraud.drift import AlertRate, alert_rates
from fraud.evaluate import AtThreshold, Metrics, at_thresholds, choose_thresholds, measure
from fraud.export import rounded
from fraud.load import Transactions
from fraud.prior import fit_calibrated
from fraud.protocol import Mask, Protocol
from fraud.train import UNUSED, fit

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
MEANS = ("auc", "average_precision", "card_precision_at_100", "brier", "calibration_error")


@dataclass(frozen=True)
class Fold:
    """A trained model and how it did. Scores are rounded as served; `test` marks the rows they belong to."""

    protocol: Protocol
    booster: lgb.Booster
    constant: float  # added to the log-odds, see prior.py; 0 without
    metrics: Metrics
    thresholds: list[AtThreshold]
    alerts: list[AlertRate]
    test: Mask
    test_scores: F64
    delay_scores: F64

    def as_week(self) -> dict[str, object]:
        """One row of the prequential table."""
        begin = self.protocol.train_start + timedelta(days=self.protocol.train_days + self.protocol.delay_days)
        return self.metrics.as_dict() | {
            "test_start": begin.isoformat(),
            "alert_rates": {x.name: round(x.rate, 6) for x in self.thresholds},
        }


def run_fold(
    protocol: Protocol,
    rows: Transactions,
    vectors: F32,
    rates: dict[str, float],
    *,
    unused: Collection[str] = UNUSED,
    calibrated: bool = True,
) -> Fold:
    """Train and judge one fold; `rates` are the wanted shares of alerts."""
    train, delay, test = protocol.train_rows(rows), protocol.delay_rows(rows), protocol.test_rows(rows)
    target = protocol.targets(rows)[train]
    if calibrated:
        booster, constant = fit_calibrated(vectors[train], target, rows.customer_code[train], unused)
    else:
        booster, constant = fit(vectors[train], target, unused=unused), 0.0
    delay_scores, scores = (rounded(np.asarray(booster.predict(vectors[chosen]))) for chosen in (delay, test))
    levels = choose_thresholds(delay_scores, rates)
    return Fold(
        protocol=protocol,
        booster=booster,
        constant=constant,
        metrics=measure(rows.fraud[test], scores, rows.event_time_us[test], rows.customer_code[test]),
        thresholds=at_thresholds(rows.fraud[test], scores, levels),
        alerts=alert_rates(scores, rows.event_time_us[test], levels, rates),
        test=test,
        test_scores=scores,
        delay_scores=delay_scores,
    )


def summary(folds: list[Fold]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over test weeks (0 for a single one) of each metric and of each threshold's share of alerts."""
    values = {name: [float(getattr(fold.metrics, name)) for fold in folds] for name in MEANS}
    for at, level in enumerate(folds[0].thresholds):
        values[f"{level.name}_rate"] = [fold.thresholds[at].rate for fold in folds]
    return {name: {"mean": round(float(np.mean(v)), 6), "deviation": round(float(np.std(v)), 6)} for name, v in values.items()}
