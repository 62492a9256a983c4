"""The benchmarks run to their end at the smallest size, on whole meshes of their own. Nothing here judges a time."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from drills.faults_llm.table import tiny_model
from encoder import tiny
from engine.llm import manifest as manifests
from localmesh.places import Places
from provisioning.engines import MIB, Sizes

from bench import audit, rag, stream, sync
from bench.llm import site as sites
from bench.llm.closed_loop import ask, closed_loop, request
from bench.llm.requests import Prompts

pytestmark = pytest.mark.stack


def silent(words: str) -> None:
    """Progress goes nowhere."""


def check_cost(values: dict[str, float], unit: str, bare: str, names: tuple[str, ...]) -> None:
    """Processor time leads, and its arithmetic holds."""
    assert list(values)[:3] == [f"cpu_us_per_{unit}", f"{bare}_cpu_us_per_{unit}", "cpu_ratio"]
    parts = [values[f"{name}_cpu_us_per_{unit}"] for name in names]
    assert values[f"cpu_us_per_{unit}"] == pytest.approx(sum(parts))
    assert values["cpu_ratio"] == pytest.approx(values[f"cpu_us_per_{unit}"] / values[f"{bare}_cpu_us_per_{unit}"])
    assert values[f"cpu_us_per_{unit}"] > 0
    assert values[f"{bare}_cpu_us_per_{unit}"] > 0


async def test_stream(tmp_path: Path) -> None:
    figures = await stream.measure(tmp_path, stream.Plan(seconds=1, customers=1_000, rate_per_s=50), silent)
    assert set(stream.WORDS) == set(figures.values)
    check_cost(figures.values, "tx", "bare", ("risk_stream", "redis", "triton", "kafka", "audit"))
    assert figures.values["transactions"] > 1_000
    assert figures.values["degraded"] == figures.values["undecided"] == figures.values["contradictory"] == 0
    assert figures.values["ratio"] == pytest.approx(figures.values["tx_per_s"] / figures.values["bare_tx_per_s"])
    assert figures.values["p50_ms_at_500"] <= figures.values["p99_ms_at_500"]


async def test_sync(tmp_path: Path) -> None:
    figures = await sync.measure(tmp_path, sync.Plan(seconds=2, customers=500, rate_per_s=20, sampled_share=0.5), silent)
    assert set(sync.WORDS) == set(figures.values)
    check_cost(figures.values, "call", "echo", ("gateway", "risk_rpc", "redis", "triton", "kafka", "audit"))
    assert figures.values["degraded"] == figures.values["errors"] == 0
    assert 0 < figures.values["overhead_p50_ms"] < figures.values["p99_ms"]


async def test_llm(tmp_path: Path) -> None:
    """With the tiny model, and without onnxruntime-genai, which has an environment of its own."""
    model = tiny_model(tmp_path / "models")
    sizes = Sizes(rows=4, prefill_rows=2, max_len_tokens=512, threads=1, arena_bytes=16 * MIB, prefix_store_bytes=8 * MIB)
    prompts = Prompts(manifests.read(model).vocabulary, seed=1)
    async with sites.opened(tmp_path, model, sizes) as site:
        for scenario, handed_over in ((sites.NEVER, False), (sites.ALWAYS, True)):
            async with site.assistant() as door:
                asked = [request(sites.TENANT, scenario, prompt, 8) for prompt in prompts(6, tokens=100)]
                loop = await closed_loop(door, asked, callers=3)
                assert loop.tokens == 48
                assert {each.disaggregated for each in loop.requests} == {handed_over}
                assert all(each.ttft_ms > 0 and len(each.itl_ms()) <= 7 for each in loop.requests)
                again = await ask(door, asked[0])
                assert again.cached_tokens > 0


async def test_audit(tmp_path: Path) -> None:
    figures = await audit.measure(tmp_path, 3_000, silent)
    assert set(audit.WORDS) == set(figures.values)
    check_cost(figures.values, "record", "bare", ("audit", "kafka"))
    assert figures.values["records"] == 3_000
    assert figures.values["findings"] == 0
    assert figures.values["ratio"] > 0


async def test_rag(tmp_path: Path) -> None:
    """With a tiny encoder of random weights; data sets have a command of their own."""
    usual = replace(Places.default(), encoder_model=tiny.make(tmp_path / "models"))
    plan = rag.Plan(small=100, large=160, ingest=40, documents=2, questions=20)
    figures = await rag.measure(tmp_path, plan, lambda what, done, of: None, usual)
    assert set(rag.WORDS) == set(figures.values)
    assert all(map(math.isfinite, figures.values.values()))
    assert figures.values["degraded"] < 2 * plan.questions, "some answers had both legs"
    assert figures.values["rss_mib_100k"] > 100
    ratio = figures.values["passages_per_s"] / figures.values["encoder_passages_per_s"]
    assert figures.values["ingest_ratio"] == pytest.approx(ratio)
