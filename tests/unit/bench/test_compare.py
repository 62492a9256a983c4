"""Two sides with known costs; a commit that is none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import compare
from bench.processes import Usage


def side(stream: list[float], sync: list[float]) -> Any:
    """A side whose turns cost so much, all of it in one process, beside a constant of another."""
    return SimpleNamespace(
        stream_us=[{"risk-stream": each, "redis": 10.0, "zipkin": 1e6} for each in stream],
        sync_us=[{"gateway": each, "risk-rpc": 10.0} for each in sync],
    )


def test_ratios_are_those_of_neighbouring_turns_and_leave_out_who_does_not_belong() -> None:
    figures = compare._figures(side([90, 190, 90], [20, 20, 20]), side([40, 90, 40], [20, 20, 50]), compare.Plan("abc"))
    assert figures.values["stream_cpu_us_per_tx"] == 100
    assert figures.values["base_stream_cpu_us_per_tx"] == 50
    assert figures.values["stream_ratio"] == 2.0
    assert figures.values["sync_ratio"] == 1.0
    assert set(figures.values) == set(compare.WORDS)
    assert figures.notes["sync: ratio of each pair"] == "1.000 1.000 0.500"


async def test_a_turn_costs_what_was_used_beyond_idling(monkeypatch) -> None:
    monkeypatch.setattr(compare, "_PAUSE_S", 0)
    clock = iter([0.0, 2.0])
    monkeypatch.setattr(compare, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    looks = iter([{"redis": Usage(0, 1.0), "gone": Usage(0, 1.0)}, {"redis": Usage(0, 2.5), "new": Usage(0, 9.0)}])
    monkeypatch.setattr(compare.Side, "usage", lambda self: next(looks))
    measured = compare.Side(SimpleNamespace(), idle={"redis": 0.25})  # type: ignore[arg-type]

    async def work() -> int:
        return 1_000

    assert await measured.cost_us(work) == {"redis": pytest.approx(1_000.0)}  # 1.5 s less 2 s of a quarter core


def test_a_commit_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="there is no commit nowhere"):
        compare.checked_out(tmp_path, "nowhere", lambda words: None)
