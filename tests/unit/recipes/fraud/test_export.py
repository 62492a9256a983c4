from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from fraud import export
from fraud.export import ParityError, check_parity, float32_below, rounded, to_onnx
from fraud.train import UNUSED, fit
from risk_scoring.domain.features import COUNT, NAMES
from risk_scoring.domain.tree_paths import TreePaths


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    vectors = rng.lognormal(size=(1_500, COUNT)).astype(np.float32)
    vectors[:, 1] = rng.integers(1, 5, 1_500)
    odds = vectors[:, 0] + 2 * (vectors[:, 5] > 1.5) - 4
    return vectors, (rng.random(1_500) < 1 / (1 + np.exp(-odds))).astype(np.int8)


@pytest.fixture(scope="module")
def booster(data: tuple[np.ndarray, np.ndarray]) -> lgb.Booster:
    return fit(*data)


def test_training_twice_gives_the_same_trees(data: tuple[np.ndarray, np.ndarray], booster: lgb.Booster) -> None:
    assert fit(*data).model_to_string() == booster.model_to_string()


def test_two_threads_grow_the_same_trees(data: tuple[np.ndarray, np.ndarray]) -> None:
    trees = [
        fit(*data, parameters={"num_threads": count, "max_bin": 255}, rounds=20).model_to_string().split("parameters:")[0]
        for count in (1, 2)
    ]
    assert trees[0] == trees[1]


def test_unused_features_never_enter_a_tree(data: tuple[np.ndarray, np.ndarray], booster: lgb.Booster) -> None:
    gain = dict(zip(NAMES, booster.feature_importance("split"), strict=True))
    assert not any(gain[name] for name in UNUSED)
    other = fit(*data, unused=("amount_log",))
    assert other.feature_importance("split")[0] == 0
    assert gain["amount_log"] > 0


def test_graph_and_trees_agree_also_exactly_on_thresholds(data: tuple[np.ndarray, np.ndarray], booster: lgb.Booster) -> None:
    vectors = data[0]
    assert check_parity(booster, to_onnx(booster), vectors) <= export.PARITY
    thresholds = TreePaths.parse(booster.model_to_string()).threshold
    edges = np.repeat(vectors[:1], 200, axis=0)
    edges[:, 0] = np.resize(np.float32(thresholds[thresholds > 0]), 200)
    edges[100:, 0] = np.nextafter(edges[100:, 0], np.float32(np.inf))
    check_parity(booster, to_onnx(booster), edges)


def test_a_graph_that_says_something_else_is_refused(data: tuple[np.ndarray, np.ndarray], booster: lgb.Booster) -> None:
    other = fit(data[0], 1 - data[1])
    with pytest.raises(ParityError, match="scores differ by"):
        check_parity(booster, to_onnx(other), data[0][:100])


def test_rounding_thresholds_to_nearest_would_misroute(
    data: tuple[np.ndarray, np.ndarray], booster: lgb.Booster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant that proves `float32_below` matters: rows that sit on a float32 threshold change sides."""
    graph = booster.dump_model()["tree_info"][0]["tree_structure"]
    threshold = float(graph["threshold"])
    feature = int(graph["split_feature"])
    above = np.nextafter(np.float32(float32_below(threshold)), np.float32(np.inf))
    row = data[0][:1].copy()
    row[0, feature] = above
    assert float(above) > threshold, "the row goes right"
    monkeypatch.setattr(export, "float32_below", lambda value: float(above) if value == threshold else float32_below(value))
    with pytest.raises(ParityError):
        check_parity(booster, to_onnx(booster), row)


def test_native_trees_explain_the_score_of_the_graph(data: tuple[np.ndarray, np.ndarray], booster: lgb.Booster) -> None:
    contributions = TreePaths.parse(booster.model_to_string()).contributions(data[0][:50], COUNT)
    probability = 1 / (1 + np.exp(-contributions.sum(axis=1)))
    assert np.allclose(probability, booster.predict(data[0][:50]), atol=1e-9)


def test_float32_below_never_rises() -> None:
    for value in (0.1, 0.2, 1e-45, 16_777_217.0, -0.1, 3.0):
        assert float32_below(value) <= value
        assert float(np.nextafter(np.float32(float32_below(value)), np.float32(np.inf))) > value


def test_scores_are_rounded_to_the_stated_precision() -> None:
    assert rounded(np.array([0.12345649, 0.1234565], dtype=np.float64)).tolist() == [0.123456, 0.123456]
