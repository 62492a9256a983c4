"""The whole recipe on a small bank: a smoke run of everything between a file and a released version."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from fraud import train
from fraud.__main__ import main
from fraud.simulate import simulated_table
from risk_scoring.adapters.model_files import load_model_files

START = date(2026, 3, 2)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bank") / "transactions.parquet"
    pa.parquet.write_table(simulated_table(customers=450, start=START, days=22, seed=2), path)
    return path


@pytest.fixture(autouse=True)
def coarse_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fine bins cost most of the time and change nothing that is tested here."""
    monkeypatch.setattr(train, "PARAMETERS", train.PARAMETERS | {"max_bin": 63})


def _arguments(file: Path, repository: Path) -> list[str]:
    days = ["--train-start", "2026-03-08", "--train-days", "6", "--delay-days", "5", "--test-days", "5"]
    return ["--transactions", str(file), "--repository", str(repository), *days]


def test_a_file_becomes_a_version_and_a_last_line_of_metrics(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(file, tmp_path)) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0.7 < result["auc"] <= 1
    assert 0 < result["average_precision"] <= 1
    assert 0 <= result["card_precision_at_100"] <= 1
    assert result["version"] == load_model_files(tmp_path).version == "1"
    assert 0 <= result["score_stability_index"] < 5
    assert 0 <= result["same_first_reason"] <= 1
    assert set(result["alert_rates"]) == {"challenge", "review", "decline"}
    card = json.loads((tmp_path / "fraud/1/card.json").read_text())
    assert [week["test_start"] for week in card["weeks"]] == ["2026-03-19"]
    assert card["reasons_beside_exact_shapley"]["random"]["rows"] == 500
    assert card["metrics"]["auc"] == result["auc"]
    assert "transactions.parquet" in (tmp_path / "fraud/1/MODEL_CARD.md").read_text()


def test_a_file_or_dates_that_cannot_serve_exit_with_one_clear_line(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.parquet"
    pa.parquet.write_table(pa.parquet.read_table(file).drop_columns(["fraud"]), broken)
    assert main(_arguments(broken, tmp_path)) == 2
    assert "missing column: fraud" in capsys.readouterr().err
    late = [*_arguments(file, tmp_path), "--train-start", "2027-01-01"]
    assert main(late) == 2
    assert "no transactions in the training days from 2027-01-01" in capsys.readouterr().err
    assert not (tmp_path / "fraud").exists()
