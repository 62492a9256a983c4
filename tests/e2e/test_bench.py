"""The benchmarks run to their end at the smallest size, on whole meshes of their own. Nothing here judges a time."""

from pathlib import Path

import pytest

from bench import audit, stream, sync

pytestmark = pytest.mark.stack


def silent(words: str) -> None:
    """Progress goes nowhere."""


async def test_stream(tmp_path: Path) -> None:
    figures = await stream.measure(tmp_path, stream.Plan(seconds=1, customers=1_000, rate_per_s=50), silent)
    assert set(stream.WORDS) == set(figures.values)
    assert figures.values["transactions"] > 1_000
    assert figures.values["degraded"] == figures.values["undecided"] == figures.values["contradictory"] == 0
    assert figures.values["ratio"] == pytest.approx(figures.values["tx_per_s"] / figures.values["bare_tx_per_s"])
    assert figures.values["p50_ms_at_500"] <= figures.values["p99_ms_at_500"]


async def test_sync(tmp_path: Path) -> None:
    figures = await sync.measure(tmp_path, sync.Plan(seconds=2, customers=500, rate_per_s=20, sampled_share=0.5), silent)
    assert set(sync.WORDS) == set(figures.values)
    assert figures.values["degraded"] == figures.values["errors"] == 0
    assert 0 < figures.values["overhead_p50_ms"] < figures.values["p99_ms"]


async def test_audit(tmp_path: Path) -> None:
    figures = await audit.measure(tmp_path, 3_000, silent)
    assert set(audit.WORDS) == set(figures.values)
    assert figures.values["records"] == 3_000
    assert figures.values["findings"] == 0
    assert figures.values["ratio"] > 0
