from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from fraud import prior
from fraud.export import check_parity, rounded, to_onnx
from fraud.prior import fit_calibrated, shifted
from fraud.shapley import path_contributions
from fraud.train import fit
from risk_scoring.domain.features import COUNT, INDEX

SHIFT = 0.37


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return np.random.default_rng(0).random((600, COUNT)).astype(np.float32)


@pytest.fixture(scope="module")
def target(vectors: np.ndarray) -> np.ndarray:
    return (vectors[:, 0] * vectors[:, 1] > 0.5).astype(np.int8)


@pytest.mark.parametrize("rounds", [1, 12])
def test_every_raw_score_grows_by_the_constant_in_trees_and_graph(vectors: np.ndarray, target: np.ndarray, rounds: int) -> None:
    plain = fit(vectors, target, rounds=rounds)
    moved = shifted(plain, SHIFT)
    assert np.allclose(moved.predict(vectors, raw_score=True), plain.predict(vectors, raw_score=True) + SHIFT, atol=1e-12)
    assert moved.num_trees() == rounds
    check_parity(moved, to_onnx(moved), vectors)
    assert not np.array_equal(rounded(moved.predict(vectors)), rounded(plain.predict(vectors)))
    again = lgb.Booster(model_str=moved.model_to_string())
    assert np.array_equal(again.predict(vectors), moved.predict(vectors)), "the written model has it"


def test_the_constant_belongs_to_the_bias_and_to_no_feature(vectors: np.ndarray, target: np.ndarray) -> None:
    plain = fit(vectors, target, rounds=12)
    moved = shifted(plain, SHIFT)
    for explain in (path_contributions, lambda booster, rows: booster.predict(rows, pred_contrib=True)):
        difference = explain(moved, vectors[:50]) - explain(plain, vectors[:50])
        assert np.abs(difference[:, :COUNT]).max() < 1e-12
        assert np.allclose(difference[:, COUNT], SHIFT)


def test_scores_of_strangers_get_the_rate_of_fraud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each customer has a habit of his own that tells his rows apart: trees learn it, strangers do not share it."""
    rng = np.random.default_rng(1)
    customer = np.repeat(np.arange(300), 8)
    vectors = np.zeros((2_400, COUNT), dtype=np.float32)
    vectors[:, INDEX["c_mean_30d"]] = rng.permutation(300)[customer]
    vectors[:, INDEX["amount_log"]] = rng.random(2_400)
    target = np.isin(customer, np.arange(20)).astype(np.int8)
    monkeypatch.setattr(prior, "fit", lambda seen, labels, unused=(): fit(seen, labels, parameters={"path_smooth": 0.0}, rounds=60))
    plain, (moved, constant) = prior.fit(vectors, target), fit_calibrated(vectors, target, customer)
    assert np.allclose(moved.predict(vectors, raw_score=True), plain.predict(vectors, raw_score=True) + constant)
    held_out = prior.out_of_fold(vectors, target, customer, lambda x, y: prior.fit(x, y).predict)
    assert held_out.mean() < target.mean(), "without the constant strangers score too low"
    log_odds = np.log(held_out / (1 - held_out)) + constant
    assert (1 / (1 + np.exp(-log_odds))).mean() == pytest.approx(target.mean(), abs=1e-4)
