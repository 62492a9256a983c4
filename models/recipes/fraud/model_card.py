"""What must be known about a version before it decides about people's money: as JSON for machines, as Markdown for reviewers."""

from __future__ import annotations

from typing import Any

from risk_scoring.domain.features import NAMES, SCHEMA_VERSION

from fraud.evaluate import Metrics
from fraud.export import DECIMALS
from fraud.folds import Fold, summary
from fraud.tables import alerts_table, reasons_table, reliability_table, table, weeks_table
from fraud.train import PARAMETERS, ROUNDS, UNUSED

RATES = {"challenge": 0.015, "review": 0.008, "decline": 0.003}  # shares of transactions that reach each threshold


def build_card(
    *, source: str, rate_version: str, folds: list[Fold], without_graph_and_labels: Metrics, parity: float, evidence: dict[str, Any]
) -> dict[str, Any]:
    """The card of `folds[0]`, the other folds being earlier weeks; risk-scoring reads `feature_schema_version` and `thresholds`."""
    fold, protocol = folds[0], folds[0].protocol
    gain = dict(zip(NAMES, fold.booster.feature_importance("gain").tolist(), strict=True))
    total = sum(gain.values()) or 1.0
    return evidence | {
        "feature_schema_version": SCHEMA_VERSION,
        "features": list(NAMES),
        "unused_features": list(UNUSED),
        "thresholds": {level.name: level.threshold for level in fold.thresholds},
        "threshold_rates": RATES,
        "thresholds_on_test": [
            {"name": x.name, "rate": round(x.rate, 5), "precision": round(x.precision, 4), "recall": round(x.recall, 4)}
            for x in fold.thresholds
        ],
        "score_decimals": DECIMALS,
        "log_odds_constant": round(fold.constant, 6),
        "source": source,
        "protocol": {
            "train_start": protocol.train_start.isoformat(),
            "train_days": protocol.train_days,
            "delay_days": protocol.delay_days,
            "test_days": protocol.test_days,
        },
        "rate_version": rate_version,
        "metrics": fold.metrics.as_dict(),
        "weeks": [each.as_week() for each in folds],
        "weeks_summary": summary(folds),
        "without_graph_and_label_features": without_graph_and_labels.as_dict(),
        "onnx_parity": parity,
        "parameters": PARAMETERS | {"rounds": ROUNDS},
        "importance": {name: round(value / total, 4) for name, value in sorted(gain.items(), key=lambda item: -item[1]) if value > 0},
    }


def as_markdown(version: str, card: dict[str, Any]) -> str:
    """The card for people."""
    levels = [
        [
            x["name"], f"{card['thresholds'][x['name']]:.6f}", f"{card['threshold_rates'][x['name']]:.1%}", f"{x['rate']:.2%}",
            f"{x['precision']:.1%}", f"{x['recall']:.1%}",
        ]
        for x in card["thresholds_on_test"]
    ]  # fmt: skip
    drift = {name: value for name, value in card["drift"]["features"].items() if name not in card["unused_features"]}
    return _TEMPLATE.format(
        version=version,
        card=card,
        metrics=card["metrics"],
        bare=card["without_graph_and_label_features"],
        plan=card["protocol"],
        unused=", ".join(card["unused_features"]),
        levels=table(["outcome from", "score", "wanted share", "share", "precision", "recall"], levels),
        top=table(["feature", "share"], [[f"`{name}`", f"{share:.1%}"] for name, share in _first(card["importance"])]),
        weeks=weeks_table(card["weeks"], card["weeks_summary"]),
        calibration=_CALIBRATED.format(card["log_odds_constant"]) if card["log_odds_constant"] else _AS_TRAINED,
        reliability=reliability_table(card["reliability"]),
        drift=table(["feature", "index"], [[f"`{name}`", f"{value:.3f}"] for name, value in _first(drift, 8)]),
        alerts=alerts_table(card["alerts_a_day"]),
        reasons=reasons_table(card["reasons_beside_exact_shapley"]),
    )


def _first(values: dict[str, float], count: int = 12) -> list[tuple[str, float]]:
    """The largest; JSON keeps names in the order of the alphabet."""
    return sorted(values.items(), key=lambda item: (-item[1], item[0]))[:count]


_CALIBRATED = """A constant of {:+.3f} on the log-odds, part of the first tree, gives out-of-fold scores of the training days the
training rate."""
_AS_TRAINED = """Scores are served as trained (`--no-calibrated`). Trees are surer of customers they were trained on than of others, so
scores in the middle understate: read them by this table, or retrain with the constant that the recipe now adds."""

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

**Test weeks.** Every week with its own training week and delay days before it. An earlier week has less history behind it,
which weakens windows of 30 days.

{weeks}

**Thresholds.** Chosen on the delay days for a share of transactions, which needs no labels; what they did on the test days:

{levels}

Alerts by day of the test. Cards known to be compromised are absent from these days but not from those that set the thresholds, so
the shares fall a little short.

{alerts}

**Calibration.** {calibration}
Frauds that nobody reports in time are missing from every training label, and no map learned on those labels can know of them. What else
was tried stands in [EVALUATION.md](EVALUATION.md).

{reliability}

**Drift.** Population stability index, training days against test days (below 0.1 stable, above 0.25 look closer); the score, from
the delay days to the test days: {card[drift][score]:.3f}. Largest among the features that the model uses (the ages it does not use
grow with every day; card.json has all):

{drift}

**Reasons.** Serving explains alerts by path contributions, exact Shapley values (TreeSHAP) are too slow for it. Both add up to the
raw score (checked on every sampled row). How far their reason codes agree, over rows with an exact reason (overlap: codes in both
sets of three by codes in either), and Spearman's correlation of the features' contributions:

{reasons}

**Form.** Boosted trees (LightGBM), exported to ONNX by hand; largest difference of rounded scores {card[onnx_parity]:.1e}.
Scores are rounded to {card[score_decimals]} decimals before they are compared. `model.txt` holds the native trees for
contributions and Shapley values.

**Features.** Schema version {card[feature_schema_version]}, computed by the scripts that serve. Not used: {unused}. By gain:

{top}

**Limits.** Trained on a simulation unless the data above say otherwise: retrain on the bank's own transactions before it decides
anything. Labels of the last weeks are incomplete. New tactics show first in rules and in drift of the score, so watch the mean
score against the fraud rate.
"""
