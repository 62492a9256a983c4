"""What must be known about a version before it decides about people's money: as JSON for machines, as Markdown for reviewers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
from risk_scoring.domain.features import NAMES, SCHEMA_VERSION

from fraud.evaluate import AtThreshold, Metrics
from fraud.export import DECIMALS
from fraud.protocol import Protocol
from fraud.train import PARAMETERS, ROUNDS, UNUSED

RATES = {"challenge": 0.015, "review": 0.008, "decline": 0.003}  # shares of transactions that reach each threshold


def build_card(
    *,
    source: str,
    protocol: Protocol,
    rate_version: str,
    metrics: Metrics,
    weeks: Sequence[Metrics],
    without_graph_and_labels: Metrics,
    thresholds: Sequence[AtThreshold],
    parity: float,
    booster: lgb.Booster,
) -> dict[str, Any]:
    """The card of one version; risk-scoring reads `feature_schema_version` and `thresholds` from it."""
    gain = dict(zip(NAMES, booster.feature_importance("gain").tolist(), strict=True))
    total = sum(gain.values()) or 1.0
    return {
        "feature_schema_version": SCHEMA_VERSION,
        "features": list(NAMES),
        "unused_features": list(UNUSED),
        "thresholds": {level.name: level.threshold for level in thresholds},
        "threshold_rates": RATES,
        "thresholds_on_test": [
            {"name": x.name, "rate": round(x.rate, 5), "precision": round(x.precision, 4), "recall": round(x.recall, 4)} for x in thresholds
        ],
        "score_decimals": DECIMALS,
        "source": source,
        "protocol": {
            "train_start": protocol.train_start.isoformat(),
            "train_days": protocol.train_days,
            "delay_days": protocol.delay_days,
            "test_days": protocol.test_days,
        },
        "rate_version": rate_version,
        "metrics": metrics.as_dict(),
        "weeks": [week.as_dict() for week in weeks],
        "without_graph_and_label_features": without_graph_and_labels.as_dict(),
        "onnx_parity": parity,
        "parameters": PARAMETERS | {"rounds": ROUNDS},
        "importance": {name: round(value / total, 4) for name, value in sorted(gain.items(), key=lambda item: -item[1]) if value > 0},
    }


def as_markdown(version: str, card: dict[str, Any]) -> str:
    """The card for people."""
    metrics, bare, plan = card["metrics"], card["without_graph_and_label_features"], card["protocol"]
    levels = "\n".join(
        f"| {x['name']} | {card['thresholds'][x['name']]:.6f} | {card['threshold_rates'][x['name']]:.1%} | {x['rate']:.2%} "
        f"| {x['precision']:.1%} | {x['recall']:.1%} |"
        for x in card["thresholds_on_test"]
    )
    top = "\n".join(f"| `{name}` | {share:.1%} |" for name, share in list(card["importance"].items())[:12])
    return _TEMPLATE.format(
        version=version, metrics=metrics, bare=bare, plan=plan, levels=levels, top=top, card=card, unused=", ".join(UNUSED)
    )


_TEMPLATE = """# Model card: fraud, version {version}

Written by the recipe (`make train-fraud`); do not edit.

**Purpose.** Probability that a card payment, cash withdrawal or transfer is fraudulent, for decisions within milliseconds
together with rules. It is not made for credit, pricing or any decision about a person beyond the transaction at hand.

**Data.** {card[source]}. Amounts are compared in one currency (rate table {card[rate_version]}). Ids are keyed hashes; no name,
age, sex or origin of a person is a feature.

**Protocol.** Trained on {plan[train_days]} days from {plan[train_start]}, {plan[delay_days]} days for labels to arrive, tested on
the {plan[test_days]} days after that; cards known to be compromised leave the test. A fraud that nobody had reported by the start
of the test counts as genuine in training and as fraud in the test.

| metric | this model | without graph and label features |
|---|---|---|
| AUC ROC | {metrics[auc]:.4f} | {bare[auc]:.4f} |
| average precision | {metrics[average_precision]:.4f} | {bare[average_precision]:.4f} |
| card precision@100 | {metrics[card_precision_at_100]:.4f} | {bare[card_precision_at_100]:.4f} |
| Brier score | {metrics[brier]:.5f} | {bare[brier]:.5f} |
| calibration error | {metrics[calibration_error]:.5f} | {bare[calibration_error]:.5f} |
| mean score | {metrics[predicted_rate]:.5f} | {bare[predicted_rate]:.5f} |

Test: {metrics[transactions]} transactions, {metrics[frauds]} frauds ({metrics[fraud_rate]:.3%}).

**Thresholds.** Chosen on the delay days for a share of transactions, which needs no labels; what they did on the test days:

| outcome from | score | wanted share | share | precision | recall |
|---|---|---|---|---|---|
{levels}

**Form.** Boosted trees (LightGBM), exported to ONNX by hand; largest difference of rounded scores {card[onnx_parity]:.1e}.
Scores are rounded to {card[score_decimals]} decimals before they are compared. `model.txt` holds the native trees for
contributions and Shapley values.

**Features.** Schema version {card[feature_schema_version]}, computed by the scripts that serve. Not used: {unused}. By gain:

| feature | share |
|---|---|
{top}

**Limits.** Trained on a simulation unless the data above say otherwise: retrain on the bank's own transactions before it decides
anything. Labels of the last weeks are incomplete. New tactics show first in rules and in drift of the score, so watch the mean
score against the fraud rate.
"""
