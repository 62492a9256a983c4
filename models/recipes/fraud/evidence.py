"""What a released fold shows beyond its metrics: calibration, drift, alerts a day, and whether its reasons can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fraud.calibration import reliability
from fraud.drift import feature_drift, stability_index
from fraud.folds import Fold
from fraud.load import Transactions
from fraud.shapley import choose_sample, compare

F32 = npt.NDArray[np.float32]
SAMPLE = 500  # rows of each kind that are explained exactly; a row takes milliseconds


def gather(fold: Fold, rows: Transactions, vectors: F32, sample: int = SAMPLE) -> dict[str, Any]:
    """Evidence of one fold, ready for the card. Raises ContributionError when an explanation misses its score."""
    tested = vectors[fold.test]
    chosen = choose_sample(fold.test_scores, fold.thresholds[0].threshold, sample)
    return {
        "reliability": [x.as_dict() for x in reliability(rows.fraud[fold.test], fold.test_scores)],
        "drift": {
            "score": round(stability_index(fold.delay_scores, fold.test_scores), 4),
            "features": feature_drift(vectors[fold.protocol.train_rows(rows)], tested),
        },
        "alerts_a_day": [x.as_dict() for x in fold.alerts],
        "reasons_beside_exact_shapley": {name: compare(fold.booster, tested[at]).as_dict() for name, at in chosen.items()},
    }
