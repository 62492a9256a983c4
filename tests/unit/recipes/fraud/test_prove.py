"""The mechanism of the proof on a bank too small to prove anything, and the judgement on figures made up for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fraud import compare, prove
from fraud.compare import ABLATIONS, SIDES, Bank, compare_week, tune
from fraud.protocol import Protocol
from fraud.verdict import as_markdown, judge
from risk_scoring.domain.features import GRAPH_AND_LABEL

SETTINGS = {"customers": 250, "history_days": 4, "week_days": 5, "weeks": 2}
STACK = Path(__file__).resolve().parents[4] / ".stack"
WEEK = Protocol(prove.START, 5, 5, 5)


@pytest.fixture(autouse=True)
def small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "LEAVES", (7, 15))
    monkeypatch.setattr(compare, "ROUNDS", (10, 20))
    monkeypatch.setattr(compare, "THREADS", 1)
    monkeypatch.setattr(compare, "SERVED", {"num_leaves": 15, "rounds": 20})


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proof") / "3.npy"


@pytest.fixture(scope="module")
def bank(vectors: Path) -> Bank:
    return prove.simulated_bank(3, SETTINGS, STACK, vectors)


def _tuning() -> Protocol:
    return WEEK.earlier(-SETTINGS["history_days"])


def test_kept_vectors_are_not_computed_again(bank: Bank, vectors: Path, tmp_path: Path) -> None:
    again = prove.simulated_bank(3, SETTINGS, tmp_path / "no stack", vectors)
    assert np.array_equal(again.vectors, bank.vectors)
    assert np.array_equal(again.rows.event_time_us, bank.rows.event_time_us)
    assert len(bank.vectors) == len(bank.rows)


def test_both_sides_tune_on_the_same_grid_and_differ_in_graph_and_label_features_alone(bank: Bank) -> None:
    assert set(SIDES["bare"]) - set(SIDES["all"]) == set(GRAPH_AND_LABEL) - set(SIDES["all"])
    assert set().union(*ABLATIONS.values()) == set(SIDES["bare"])
    for unused in SIDES.values():
        choice = tune(bank, _tuning(), unused)
        assert choice["num_leaves"] in compare.LEAVES
        assert choice["rounds"] in compare.ROUNDS


def test_a_week_measures_every_set_of_features_and_chance(bank: Bank) -> None:
    choice = {"num_leaves": 7, "rounds": 20}
    week = compare_week(bank, _tuning().earlier(-5), {"all": choice, "bare": choice}, 3)
    assert {*SIDES, *ABLATIONS, "served", "shuffled", "shuffled_even", "calibration"} <= set(week)
    assert week["all"]["average_precision"] > 3 * week["fraud_rate"] > 0
    assert week["shuffled"]["average_precision"] < week["all"]["average_precision"] / 2
    assert week["bare"] != week["all"]
    assert set(week["calibration"]) == {"none", "prior", "platt", "isotonic"}
    assert compare_week(bank, _tuning().earlier(-5), {"all": choice, "bare": choice}, 3) == week, "deterministic"


def test_a_run_that_was_interrupted_goes_on_where_it_stopped(bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Protocol] = []

    def measured(bank: Bank, week: Protocol, chosen: Any, seed: int) -> dict[str, Any]:
        made.append(week)
        if len(made) == 2:
            raise KeyboardInterrupt
        return _week(0.5, 0.4)

    monkeypatch.setattr(prove, "simulated_bank", lambda *arguments: bank)
    monkeypatch.setattr(prove, "compare_week", measured)
    path = tmp_path / "deep" / "3.json"
    with pytest.raises(KeyboardInterrupt):
        prove.run_seed(3, SETTINGS, path, STACK)
    assert len(json.loads(path.read_text())["weeks"]) == 1
    monkeypatch.setattr(prove, "tune", lambda *arguments: pytest.fail("tuned again"))
    prove.run_seed(3, SETTINGS, path, STACK)
    prove.run_seed(3, SETTINGS, path, STACK)
    assert len(json.loads(path.read_text())["weeks"]) == 2
    starts = [week.train_start.toordinal() - _tuning().train_start.toordinal() for week in made]
    assert starts == [5, 10, 10], "test weeks come after the week that tuned; the lost one is made again"


def _week(
    ours: float, bare: float, *, chance: float = 0.01, auc: float = 0.5, even: float = 0.5, isotonic: float = 0.005
) -> dict[str, Any]:
    sets = {name: {"auc": 0.9, "average_precision": ours} for name in ("all", "without_graph", "without_label", "served")}
    honesty = {"calibration_error": 0.001, "mean": 0.01}
    return sets | {
        "bare": {"auc": 0.8, "average_precision": bare},
        "shuffled": {"auc": auc, "average_precision": chance},
        "shuffled_even": {"auc": even, "average_precision": 0.01},
        "fraud_rate": 0.01,
        "calibration": {"none": honesty | {"brier": 0.004}, "isotonic": honesty | {"brier": isotonic}},
    }


def _results(*weeks: dict[str, Any]) -> list[dict[str, Any]]:
    choice = {"num_leaves": 7, "rounds": 20}
    return [{"seed": 1, "chosen": {"all": choice, "bare": choice}, "weeks": list(weeks)}]


def test_the_verdict_asks_for_two_deviations_between_gain_and_zero() -> None:
    steady = judge(_results(_week(0.80, 0.60), _week(0.75, 0.60), _week(0.78, 0.60)))
    assert steady["holds"]
    assert (steady["gain_mean"], steady["gain_min"]) == (pytest.approx(0.1767, abs=1e-4), 0.15)
    assert steady["gain_deviation"] == pytest.approx(np.std([0.2, 0.15, 0.18], ddof=1), abs=1e-4)
    erratic = judge(_results(_week(0.80, 0.60), _week(0.62, 0.60), _week(0.65, 0.60)))
    assert erratic["gain_mean"] > 0
    assert not erratic["holds"]


def test_the_verdict_refuses_a_learner_that_finds_something_in_shuffled_targets() -> None:
    assert not judge(_results(_week(0.8, 0.6, auc=0.56), _week(0.8, 0.6, auc=0.56)))["holds"]
    for even in (0.44, 0.56):
        assert not judge(_results(_week(0.8, 0.6, even=even), _week(0.8, 0.6, even=even)))["holds"]
    assert judge(_results(_week(0.8, 0.6, auc=0.3), _week(0.8, 0.6, auc=0.3)))["holds"], "the skew of few frauds is no knowledge"
    assert not judge(_results(_week(0.8, 0.6, chance=0.03), _week(0.8, 0.6, chance=0.03)))["holds"]
    better = judge(_results(_week(0.8, 0.6, isotonic=0.003), _week(0.8, 0.6, isotonic=0.003)))
    assert (better["holds"], better["best_calibration"]) == (True, "isotonic")


def test_the_command_reports_and_fails_when_the_proof_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    outcome = iter([_results(_week(0.8, 0.6), _week(0.79, 0.6)), _results(_week(0.8, 0.6), _week(0.6, 0.6))])

    def finished(seed: int, settings: dict[str, int], path: Path, stack: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(next(outcome)[0]))

    monkeypatch.setattr(prove, "run_seed", finished)
    arguments = ["--seeds", "1", "--results", str(tmp_path / "kept"), "--write", str(tmp_path / "report.md")]
    assert prove.main(arguments) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["gain_mean"] == 0.195
    assert "above zero, holds." in " ".join((tmp_path / "report.md").read_text().split())
    assert prove.main(arguments) == 1
    assert "does NOT hold" in capsys.readouterr().out


def test_the_report_has_a_row_for_each_pair() -> None:
    results = _results(_week(0.8, 0.6), _week(0.79, 0.6))
    text = as_markdown(SETTINGS, results, judge(results))
    assert "| 1 | 2 | 1.00% | 0.7900 | 0.6000 | +0.1900 | 0.0100 |" in text
    assert "| isotonic | 0.00500 | 0.00100 | 0.01000 | 0 of 2 |" in text
    assert "{" not in text


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"weeks": []}', b"[" * 100_000])
def test_results_that_cannot_be_read_are_one_line_and_status_2(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "2000-31-7-4" / "101.json"
    kept.parent.mkdir()
    kept.write_bytes(content)
    assert prove.main(["--seeds", "101", "--results", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "101.json" in said


def test_seeds_that_are_no_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        prove.main(["--seeds", "一,2"])
    assert ended.value.code == 2
    assert "--seeds" in capsys.readouterr().err
