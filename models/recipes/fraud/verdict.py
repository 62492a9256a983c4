"""What the measurements of `fraud.prove` say: the two conditions that must hold, and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fraud.tables import table

CHANCE_AUC = 0.05  # the mean AUC of shuffled targets may be this far from one half
CHANCE_LIFT = 2.0  # and their mean average precision this many times the rate of fraud
_SETS = {
    "all": "all features",
    "without_graph": "without graph features",
    "without_label": "without label features",
    "bare": "without both, tuned by itself",
    "shuffled": "all features, shuffled targets",
}


def judge(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures over all weeks of all seeds; `holds` says whether both conditions do. Deviations are of the sample (n - 1)."""
    weeks = [week for seed in results for week in seed["weeks"]]
    gains = _column(weeks, "all", "average_precision") - _column(weeks, "bare", "average_precision")
    auc, precision = _column(weeks, "shuffled", "auc"), _column(weeks, "shuffled", "average_precision")
    rate = np.array([week["fraud_rate"] for week in weeks])
    mean, deviation = float(gains.mean()), float(gains.std(ddof=1))
    lift = float(precision.mean() / rate.mean())
    pays = mean - 2 * deviation > 0
    honest = abs(float(auc.mean()) - 0.5) <= CHANCE_AUC and lift <= CHANCE_LIFT
    best = {name: float(_column(weeks, "calibration", name, "brier").mean()) for name in weeks[0]["calibration"]}
    return {
        "holds": bool(pays and honest),
        "weeks": len(weeks),
        "gain_mean": round(mean, 4),
        "gain_deviation": round(deviation, 4),
        "gain_less_two_deviations": round(mean - 2 * deviation, 4),
        "gain_least": round(float(gains.min()), 4),
        "shuffled_auc": round(float(auc.mean()), 4),
        "shuffled_average_precision": round(float(precision.mean()), 5),
        "shuffled_lift": round(lift, 3),
        "fraud_rate": round(float(rate.mean()), 5),
        "best_calibration": min(best, key=lambda name: best[name]),
    }


def as_markdown(settings: dict[str, int], results: Sequence[dict[str, Any]], verdict: dict[str, Any]) -> str:
    """The report for people."""
    weeks = [week for seed in results for week in seed["weeks"]]
    chosen = [
        [str(seed["seed"]), *(f"{c['num_leaves']} leaves, {c['rounds']} rounds" for c in (seed["chosen"]["all"], seed["chosen"]["bare"]))]
        for seed in results
    ]
    sets = [
        [text, *(f"{_column(weeks, name, key).mean():.4f} ± {_deviation(weeks, name, key):.4f}" for key in ("auc", "average_precision"))]
        for name, text in _SETS.items()
    ]
    maps = [
        [name, *(f"{_column(weeks, 'calibration', name, key).mean():.5f}" for key in ("brier", "calibration_error", "mean")),
         f"{_wins(weeks, name)} of {len(weeks)}"]
        for name in weeks[0]["calibration"]
    ]  # fmt: skip
    return _TEMPLATE.format(
        settings=settings,
        verdict=verdict,
        seeds=len(results),
        pays="holds" if verdict["gain_less_two_deviations"] > 0 else "does NOT hold",
        pairs=table(["seed", "test week", "fraud", "all features", "without both", "difference", "shuffled"], _pairs(results)),
        chosen=table(["seed", "all features", "without both"], chosen),
        sets=table(["features", "AUC", "average precision"], sets),
        maps=table(["map", "Brier", "calibration error", "mean score", "better than none"], maps),
        chance_auc=CHANCE_AUC,
        chance_lift=CHANCE_LIFT,
    )


def _pairs(results: Sequence[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for seed in results:
        for number, week in enumerate(seed["weeks"], 1):
            ours, bare, chance = (week[name]["average_precision"] for name in ("all", "bare", "shuffled"))
            figures = [f"{week['fraud_rate']:.2%}", f"{ours:.4f}", f"{bare:.4f}", f"{ours - bare:+.4f}", f"{chance:.4f}"]
            rows.append([str(seed["seed"]), str(number), *figures])
    return rows


def _column(weeks: Sequence[dict[str, Any]], *path: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = []
    for week in weeks:
        value: Any = week
        for name in path:
            value = value[name]
        values.append(float(value))
    return np.array(values)


def _deviation(weeks: Sequence[dict[str, Any]], *path: str) -> float:
    return float(_column(weeks, *path).std(ddof=1))


def _wins(weeks: Sequence[dict[str, Any]], name: str) -> int:
    return int((_column(weeks, "calibration", name, "brier") < _column(weeks, "calibration", "none", "brier")).sum())


_TEMPLATE = """# Evaluation: what the features are worth

Written by `make prove-fraud`; do not edit. Simulated banks (libs/simbank) of {seeds} seeds, {settings[customers]} customers each,
{settings[history_days]} days of history, {settings[weeks]} test weeks each; training, delay and test of {settings[week_days]} days as in
the model card. Both sides are the same learner and choose leaves and rounds from the same grid by average precision on a week before
the test weeks.

## Graph and label features pay

Difference of average precision over {verdict[weeks]} pairs: mean {verdict[gain_mean]:.4f}, deviation {verdict[gain_deviation]:.4f}, mean
less two deviations {verdict[gain_less_two_deviations]:.4f}, smallest {verdict[gain_least]:.4f}. The condition, mean less two deviations
above zero, {pays}.

{pairs}

Means and deviations over the weeks; the two sets in the middle use the choice of all features:

{sets}

Chosen on the tuning week:

{chosen}

## Shuffled targets teach nothing

Trained on permuted targets: AUC {verdict[shuffled_auc]:.4f} (allowed: {chance_auc} from one half), average precision
{verdict[shuffled_average_precision]:.5f} at a fraud rate of {verdict[fraud_rate]:.5f}, {verdict[shuffled_lift]:.2f} times it (allowed:
{chance_lift:g}). A single week strays further, because frauds come in episodes that a random ranking takes or leaves as a whole.

## A calibration step

Maps learned on out-of-fold scores of the training week (folds by customer), applied to the scores of the test weeks; nothing of a
test week is used. `none` serves the scores as trained.

{maps}
"""
