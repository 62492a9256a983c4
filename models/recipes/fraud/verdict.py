"""What the measurements of `fraud.prove` say: the two conditions that must hold, and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fraud.tables import table

CHANCE_AUC = 0.05  # the mean AUC of evenly shuffled targets may be this far from one half, that of the whole week this far above it
CHANCE_LIFT = 2.0  # and the mean average precision of both this many times the rate of fraud
_SETS = {
    "all": "all features",
    "without_graph": "without graph features",
    "without_label": "without label features",
    "bare": "without both, tuned by itself",
    "served": "all features, leaves and rounds of the recipe",
    "shuffled": "shuffled targets, whole week",
    "shuffled_even": "shuffled targets, as many frauds as genuine",
}


def judge(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures over all weeks of all seeds; `holds` says whether both conditions do. Deviations are of the sample (n - 1)."""
    weeks = [week for seed in results for week in seed["weeks"]]
    gains = _column(weeks, "all", "average_precision") - _column(weeks, "bare", "average_precision")
    rate = np.array([week["fraud_rate"] for week in weeks])
    mean, deviation = float(gains.mean()), float(gains.std(ddof=1))
    auc = {name: float(_column(weeks, name, "auc").mean()) for name in ("shuffled", "shuffled_even")}
    lift = {name: float(_column(weeks, name, "average_precision").mean() / rate.mean()) for name in auc}
    pays = mean - 2 * deviation > 0
    honest = abs(auc["shuffled_even"] - 0.5) <= CHANCE_AUC and auc["shuffled"] <= 0.5 + CHANCE_AUC and max(lift.values()) <= CHANCE_LIFT
    best = {name: float(_column(weeks, "calibration", name, "brier").mean()) for name in weeks[0]["calibration"]}
    return {
        "holds": bool(pays and honest),
        "weeks": len(weeks),
        "gain_mean": round(mean, 4),
        "gain_deviation": round(deviation, 4),
        "gain_less_two_deviations": round(mean - 2 * deviation, 4),
        "gain_min": round(float(gains.min()), 4),
        **{f"{name}_auc": round(value, 4) for name, value in auc.items()},
        **{f"{name}_lift": round(value, 3) for name, value in lift.items()},
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
less two deviations {verdict[gain_less_two_deviations]:.4f}, smallest {verdict[gain_min]:.4f}. The condition, mean less two deviations
above zero, {pays}.

{pairs}

Means and deviations over the weeks; sets without graph or label features alone use the choice of all features:

{sets}

Chosen on the tuning week:

{chosen}

## Shuffled targets teach nothing

Trained on shuffled targets of as many frauds as genuine rows (mean of five shuffles a week): AUC {verdict[shuffled_even_auc]:.4f}
(allowed: {chance_auc} from one half), average precision {verdict[shuffled_even_lift]:.2f} times the rate of fraud (allowed:
{chance_lift:g}).

On the whole week: AUC {verdict[shuffled_auc]:.4f} (allowed: {chance_auc} above one half), average precision
{verdict[shuffled_lift]:.2f} times the rate of fraud (allowed: {chance_lift:g}). An AUC below one half is a skew of chance, not
knowledge: few targets are frauds, so most small leaves hold none and lie below the rest, and real frauds fall into small leaves. A single
week strays either way, because frauds come in episodes that a random ranking takes or leaves as a whole.

## A calibration step

Maps learned on out-of-fold scores of the training week (folds by customer), applied to the scores of the test weeks; nothing of a
test week is used. Leaves and rounds are the recipe's. `none` serves the scores as trained.

{maps}
"""
