"""Two sides with known costs; a commit that is none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import compare


def side(stream: list[float], sync: list[float]) -> Any:
    """A side whose turns cost so much, all of it in one process, beside a constant of another."""
    return SimpleNamespace(
        stream_us=[{"risk-stream": each, "redis": 10.0, "zipkin": 1e6} for each in stream],
        sync_us=[{"gateway": each, "risk-rpc": 10.0} for each in sync],
    )


def test_ratios_are_those_of_neighbouring_turns_and_leave_out_who_does_not_belong() -> None:
    figures = compare.figures(side([90, 190, 90], [20, 20, 20]), side([40, 90, 40], [20, 20, 50]), "")
    assert figures.values["stream_cpu_us_per_tx"] == 100
    assert figures.values["base_stream_cpu_us_per_tx"] == 50
    assert figures.values["stream_ratio"] == 2.0
    assert figures.values["sync_ratio"] == 1.0
    assert figures.values["stream_redis_cpu_us_per_tx"] == figures.values["base_stream_redis_cpu_us_per_tx"] == 10
    assert figures.values["sync_gateway_cpu_us_per_call"] == figures.values["base_sync_gateway_cpu_us_per_call"] == 20
    assert figures.values["stream_zipkin_cpu_us_per_tx"] == 1e6
    assert set(figures.values) == set(compare.WORDS)
    assert figures.notes["sync: ratio of each pair"] == "1.000 1.000 0.500"


def test_a_commit_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="there is no commit nowhere"):
        compare.checked_out(tmp_path, "nowhere", lambda words: None)
