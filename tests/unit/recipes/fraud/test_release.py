from __future__ import annotations

import json
from datetime import date
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from fraud.drift import AlertRate
from fraud.evaluate import AtThreshold, measure
from fraud.export import to_onnx
from fraud.folds import Fold
from fraud.model_card import as_markdown, build_card
from fraud.protocol import Protocol
from fraud.release import LIMIT_BYTES, check_free, next_version, write_version
from fraud.train import fit
from meshkit.errors import FailedPrecondition
from risk_scoring.adapters.model_files import load_model_files
from risk_scoring.domain.features import COUNT, NAMES, SCHEMA_VERSION

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def booster():
    rng = np.random.default_rng(0)
    vectors = rng.random((500, COUNT)).astype(np.float32)
    return fit(vectors, (vectors[:, 0] > 0.8).astype(np.int8))


def _card(booster) -> dict[str, object]:
    truth, score = np.array([0, 1], dtype=np.int8), np.array([0.1, 0.9])
    metrics = measure(truth, score, np.zeros(2, dtype=np.int64), np.arange(2))
    levels = [
        AtThreshold(name, value, 0.01 - value / 100, 0.5, 0.5) for name, value in (("challenge", 0.2), ("review", 0.4), ("decline", 0.8))
    ]
    alerts = [AlertRate("challenge", 0.015, 0.014, 0.01, 0.02, 140.0)]
    fold = Fold(Protocol(date(2024, 3, 1)), booster, 0.25, metrics, levels, alerts, np.ones(2, dtype=bool), score, score)
    agreement = {"rows": 10, "with_reason": 9, "same_top_code": 0.9, "top_3_overlap": 0.8, "rank_correlation": 0.7, "sum_error": 1e-9}
    evidence = {
        "reliability": [{"low": 0.1, "high": 0.3, "count": 4, "mean_score": 0.2, "frequency": 0.25}],
        "drift": {"score": 0.012, "features": {"c_age_d": 16.0} | {f"feature_{number}": 0.5 - number / 100 for number in range(20)}},
        "alerts_a_day": [x.as_dict() for x in alerts],
        "reasons_beside_exact_shapley": {"alerts": agreement, "random": agreement},
    }
    return build_card(
        source="a test", rate_version="r1", folds=[fold, fold], without_graph_and_labels=metrics, parity=1e-6, evidence=evidence
    )


def test_the_service_reads_what_the_recipe_writes(tmp_path: Path, booster) -> None:
    folder = write_version(tmp_path, "3", booster, to_onnx(booster), _card(booster))
    files = load_model_files(tmp_path)
    assert (files.version, files.graph, files.feature_schema_version) == ("3", (folder / "model.onnx").read_bytes(), SCHEMA_VERSION)
    assert (files.thresholds.challenge, files.thresholds.review, files.thresholds.decline) == (0.2, 0.4, 0.8)
    assert (tmp_path / "fraud" / "config.pbtxt").is_file()
    assert "TritonPythonModel" in (folder / "model.py").read_text()


def test_a_version_is_written_once_and_numbers_grow(tmp_path: Path, booster) -> None:
    assert next_version(tmp_path) == "1"
    write_version(tmp_path, "9", booster, b"graph", {})
    write_version(tmp_path, "10", booster, b"graph", {})
    assert next_version(tmp_path) == "11"
    with pytest.raises(ValueError, match="version 9 exists"):
        write_version(tmp_path, "9", booster, b"other", {})
    assert (tmp_path / "fraud" / "9" / "model.onnx").read_bytes() == b"graph"
    with pytest.raises(ValueError, match="whole number"):
        check_free(tmp_path, "../x")


def test_a_graph_too_large_to_serve_is_refused(tmp_path: Path, booster) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        write_version(tmp_path, "1", booster, bytes(LIMIT_BYTES + 1), {})
    assert not (tmp_path / "fraud").exists()


def test_the_card_names_every_feature_and_reads_as_text(booster) -> None:
    card = _card(booster)
    assert card["features"] == list(NAMES)
    assert json.loads(json.dumps(card)) == card
    text = as_markdown("7", card)
    assert as_markdown("7", json.loads(json.dumps(card, sort_keys=True))) == text, "the written card makes the same text"
    assert text.startswith("# Model card: fraud, version 7\n")
    assert "| AUC ROC | 1.0000 | 1.0000 |" in text
    assert "| 2024-03-15 | 1.0000 | 1.0000 | 0.0100 | 0.01000 |" in text
    assert "| 0.1 to 0.3 | 4 | 0.2000 | 0.2500 |" in text
    assert "| challenge | 1.50% | 1.40% | 1.00% | 2.00% | 140 |" in text
    assert "| random | 10 | 9 | 90.0% | 80.0% | 0.700 |" in text
    assert "A constant of +0.250 on the log-odds" in text
    assert "Scores are served as trained" in as_markdown("7", card | {"log_odds_constant": 0.0})
    assert "`feature_7`" in text and "`feature_8`" not in text, "top rows only"
    assert len(card["drift"]["features"]) == 21
    assert "`c_age_d` |" not in text, "the model does not use it"
    assert "{" not in text


def test_the_released_shim_and_configuration_are_the_recipes() -> None:
    recipe, released = ROOT / "models/recipes/fraud/triton", ROOT / "models/repository/fraud"
    assert (released / "config.pbtxt").read_bytes() == (recipe / "config.pbtxt").read_bytes()
    assert f"dims: [ -1, {COUNT} ]" in (recipe / "config.pbtxt").read_text()
    for version in (path for path in released.iterdir() if path.name.isdigit()):
        assert (version / "model.py").read_bytes() == (recipe / "model.py").read_bytes(), (
            "the configuration names the outputs of all versions"
        )


def test_a_released_version_is_what_was_released() -> None:
    """Its number and its digests stand in decisions and audit records: a change is a new version."""
    folder = ROOT / "models/repository/fraud/1"
    digests = {name: sha256((folder / name).read_bytes()).hexdigest() for name in ("model.onnx", "model.txt", "card.json")}
    assert digests == {
        "model.onnx": "34b4589f0a7cebb776613c30400b297789f06f6d391f0db29f8cc7daa6480585",
        "model.txt": "bd3b166eb83331b2dc57ffc203a3a01421fe77be24f54488f59d960ccf1cd9bd",
        "card.json": "0e483453874b3c5da499d104a27b08d5484e0a4b89a131fc928ae1dc4c7fb8c1",
    }


@pytest.mark.parametrize("name", ["model.onnx", "model.txt"])
def test_a_version_that_was_changed_after_its_release_is_refused(tmp_path: Path, booster, name: str) -> None:
    folder = write_version(tmp_path, "3", booster, to_onnx(booster), _card(booster))
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    with pytest.raises(FailedPrecondition) as refused:
        load_model_files(tmp_path)
    assert refused.value.reason == "MODEL_CHANGED" and name in refused.value.message


def test_the_released_model_is_small_and_of_the_current_schema() -> None:
    files = load_model_files(ROOT / "models/repository")
    assert files.feature_schema_version == SCHEMA_VERSION
    assert len(files.graph) < LIMIT_BYTES
    assert 0 < files.thresholds.challenge < files.thresholds.review < files.thresholds.decline < 1


def test_the_card_for_people_says_what_the_card_of_the_released_version_says() -> None:
    card = json.loads((ROOT / "models/repository/fraud/1/card.json").read_text())
    assert (ROOT / "models/recipes/fraud/MODEL_CARD.md").read_text() == as_markdown("1", card)
    assert all(group["sum_error"] < 1e-6 for group in card["reasons_beside_exact_shapley"].values())
