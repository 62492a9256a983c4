"""`make run`: distinct ids in = decided = audited, also when a process is killed meanwhile, and nothing is left behind."""

from pathlib import Path

import pytest
from drills.bankday.run import INTERRUPTED
from translog.bundle import read_bundle, verify_inclusion_bundle
from translog.note import Verifier

from tests.e2e.conftest import Day
from tests.e2e.main_job import MainJob

pytestmark = pytest.mark.stack

DEAD_LETTERS = {"MALFORMED": 6, "INVALID_TRANSACTION": 3, "TOO_OLD": 3, "IN_THE_FUTURE": 3, "IDEMPOTENCY_CONFLICT": 3}


def test_everything_in_is_decided_and_audited_once(day: Day) -> None:
    summary = day.summary
    assert (day.exit_status, summary["findings"], summary["ok"]) == (0, [], True)
    assert summary["ids_in"] == summary["decided"] == summary["audited"] == 1_000
    assert summary["never_taken"] == 0
    assert day.left == []


def test_both_ways_lead_to_one_decision(day: Day) -> None:
    summary = day.summary
    assert set(summary["both_ways"]) == {"stream first", "call first", "at once"}
    assert all(count > 0 for count in summary["both_ways"].values())
    assert summary["calls"]["answered"] == summary["calls"]["planned"]
    assert summary["calls"]["replayed"] > 0
    assert summary["stream"]["duplicates"] > 0
    assert summary["decision_records"] > summary["decided"]


def test_documents_were_handed_in_and_asked(day: Day) -> None:
    held = day.summary["knowledge"]
    assert held["documents"] > 0 and held["findings"] == [] and "knowledge" in day.said


def test_what_cannot_be_decided_is_a_dead_letter_under_its_reason(day: Day) -> None:
    assert day.summary["dead_letters"] == DEAD_LETTERS
    assert day.summary["labels"] + day.summary["lifecycle"] > 0


def test_the_model_decided_and_latencies_are_told(day: Day) -> None:
    summary = day.summary
    assert summary["degraded"] < summary["decided"]
    assert 0 < summary["stream"]["latency_ms"]["p50"] <= summary["stream"]["latency_ms"]["p99"]
    assert 0 < summary["calls"]["latency_ms"]["p50"] <= summary["calls"]["latency_ms"]["p99"]
    assert summary["first_decision_s"] > 0


def test_the_proof_holds_without_the_mesh(day: Day) -> None:
    proof = Path(day.summary["proof"])
    key = Verifier.parse((proof.parent / "log.key").read_text().strip())
    checkpoint, index, _ = verify_inclusion_bundle(read_bundle(proof), [key])
    assert index < checkpoint.size
    assert checkpoint.size > 1_000  # every record, and the position of each transaction


def test_a_person_is_told_why_and_how_to_try(day: Day) -> None:
    assert day.summary["explained"]
    assert "OpenAI's API" in day.summary["conversation"]["by_http"]
    for words in (day.summary["explained"][0], "人工复核", "grpcurl -cacert", "kcat -C", day.summary["trace_url"]):
        assert words in day.said


KILLED = ("risk-stream", "redis", "audit")


def test_killed_processes_cost_nothing_but_time(tmp_path: Path) -> None:
    """One after the other, each when the one before is back."""
    with MainJob(tmp_path, "--rate", "50", "--seconds", "40") as job:
        for name in KILLED:
            job.until(job.replaying)
            killed = job.kill(name)
            job.until(lambda name=name, killed=killed: job.is_back(name, killed))
        assert job.end() == 0, job.said
        summary = job.summary()
        assert summary["restarts"] == dict.fromkeys(KILLED, 1)
        assert summary["ids_in"] == summary["decided"] == summary["audited"] == 2_000
        assert job.left() == []


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    with MainJob(tmp_path, "--rate", "50", "--seconds", "60") as job:
        job.until(job.replaying)
        assert len(job.left()) >= len(job.mesh["processes"])  # the launcher and all it started; provision is done
        job.interrupt()
        assert job.end() == INTERRUPTED
        assert job.left() == []
        assert not job.summary_file.exists()
