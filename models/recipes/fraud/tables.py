"""Markdown tables of the model card and of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; cells are text already."""
    lines = [header, *rows]
    first, *rest = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([first, "|---" * len(header) + "|", *rest])


def weeks_table(weeks: Sequence[dict[str, Any]], means: dict[str, dict[str, float]]) -> str:
    """The prequential table: one row a test week, newest first, then mean and deviation."""
    levels = sorted(weeks[0]["alert_rates"], key=lambda name: -means[f"{name}_rate"]["mean"])
    header = ["test week from", "AUC", "AP", "CP@100", "Brier", "calibration error", "fraud", *(f"{name} or more" for name in levels)]
    rows = [
        [week["test_start"], *_metrics(week), f"{week['fraud_rate']:.3%}", *(f"{week['alert_rates'][name]:.2%}" for name in levels)]
        for week in weeks
    ]
    for kind in ("mean", "deviation"):
        rates = [f"{means[f'{name}_rate'][kind]:.2%}" for name in levels]
        rows.append([kind, *_metrics({name: value[kind] for name, value in means.items()}), "", *rates])
    return table(header, rows)


def reliability_table(bins: Sequence[dict[str, float]]) -> str:
    """Mean score beside what happened, bin by bin."""
    return table(
        ["score", "transactions", "mean score", "fraud"],
        [[f"{x['low']:g} to {x['high']:g}", f"{x['count']}", f"{x['mean_score']:.4f}", f"{x['frequency']:.4f}"] for x in bins],
    )


def alerts_table(alerts: Sequence[dict[str, Any]]) -> str:
    """Alerts a day at each threshold."""
    return table(
        ["outcome from", "wanted", "mean day", "least", "most", "alerts a day"],
        [
            [x["name"], f"{x['wanted']:.2%}", f"{x['mean']:.2%}", f"{x['least']:.2%}", f"{x['most']:.2%}", f"{x['alerts_a_day']:.0f}"]
            for x in alerts
        ],
    )


def reasons_table(groups: dict[str, dict[str, float]]) -> str:
    """Agreement of path contributions with exact Shapley values."""
    return table(
        ["sample", "rows", "with a reason", "same first code", "overlap of first three", "rank correlation"],
        [
            [
                name, f"{x['rows']}", f"{x['with_reason']}", f"{x['same_top_code']:.1%}", f"{x['top_3_overlap']:.1%}",
                f"{x['rank_correlation']:.3f}",
            ]
            for name, x in groups.items()
        ],
    )  # fmt: skip


def _metrics(values: dict[str, float]) -> list[str]:
    return [
        *(f"{values[name]:.4f}" for name in ("auc", "average_precision", "card_precision_at_100")),
        *(f"{values[name]:.5f}" for name in ("brier", "calibration_error")),
    ]
