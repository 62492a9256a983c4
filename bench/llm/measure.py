"""The whole bench of LLM serving: two models, each with throughput, first tokens, hand-off, and the large one with long prompts."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drills.models import made
from engine.llm import manifest as manifests
from localmesh.places import Places
from provisioning.engines import MIB, Sizes

from bench.llm import drivers, genai_form
from bench.llm import site as sites
from bench.llm.handoff import SIZES as HANDED_OVER
from bench.llm.handoff import measure as handoff
from bench.llm.isolation import isolation
from bench.llm.prefix import prefix_gain
from bench.llm.requests import Prompts
from bench.llm.throughput import CALLERS, ENGINE, GENAI, MESH, PD, Throughput, throughput
from bench.report import Figures, Target

SHIPPED, LARGE = "shipped", "large"
THREADS = 2
MAX_LEN_TOKENS = 2_048
TOKENS_HANDED_OVER = 1_000
Say = Callable[[str], None]
WORDS = {
    "engine_tok_s_b16": "bare engine, 16 at a time, output tokens/s",
    "genai_tok_s_b16": "onnxruntime-genai, batches of 16, output tokens/s",
    "mesh_tok_s_c16": "mesh, 16 callers, read and written by one engine, output tokens/s",
    "pd_tok_s_c16": "mesh, 16 callers, handed over, output tokens/s",
    "engine_of_genai": "bare engine beside genai (median of the rounds)",
    "mesh_of_engine": "mesh beside bare engine (median of the rounds)",
    "pd_of_engine": "mesh with hand-off beside bare engine",
    "engine_tok_s_b1": "bare engine, one at a time, output tokens/s",
    "genai_tok_s_b1": "onnxruntime-genai, one at a time, output tokens/s",
    "mesh_tok_s_c1": "mesh, one caller, output tokens/s",
    "pd_tok_s_c1": "mesh, one caller, handed over, output tokens/s",
    "engine_cpu_ms": "processor time a token, bare engine, ms",
    "genai_cpu_ms": "processor time a token, genai, ms",
    "mesh_cpu_ms": "processor time a token, whole mesh and client, ms",
    "pd_cpu_ms": "processor time a token, whole mesh and client, handed over, ms",
    "mesh_ttft_ms_p50": "first token, 16 callers, p50, ms",
    "mesh_ttft_ms_p99": "first token, 16 callers, p99, ms",
    "mesh_itl_ms_p50": "between tokens, 16 callers, p50, ms",
    "mesh_itl_ms_p99": "between tokens, 16 callers, p99, ms",
    "ttft_added_ms_p50_local": "added to the bare engine's first token, p50, ms",
    "ttft_added_ms_p50_pd": "added to the bare engine's first token with hand-off, p50, ms",
    "handoff_ms_1000_tokens": "hand-off of 1,000 tokens, first token to runnable row, ms",
    "memcpy_ms": "copy of the same warm bytes by one thread, ms",
    "handoff_bound_ms": "three copies and 5 ms",
    "itl_p99_ms_pd": "between tokens under long prompts, handed over, p99, ms",
    "itl_p99_ms_aggregated": "between tokens under long prompts, best chunk, p99, ms",
    "itl_pd_of_aggregated": "the one beside the other",
    "prefix_ttft_cold_ms": "first token of a prompt of 1,000 tokens, ms",
    "prefix_ttft_warm_ms": "the same prompt again, ms",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """`only`: shipped or large, empty for both. `waves`: requests of each caller in a round."""

    rounds: int = 3
    waves: int = 2
    only: str = ""


async def measure(var: Path | None, plan: Plan, say: Say) -> dict[str, Figures]:
    """Figures by model. Raises StartError, MissingToolError, LookupError."""
    found: dict[str, Figures] = {}
    for name in (SHIPPED, LARGE):
        if plan.only in ("", name):
            say(f"{name} model")
            found[name] = await _one(var, name, plan, say)
    return found


async def _one(var: Path | None, name: str, plan: Plan, say: Say) -> Figures:
    model = await asyncio.to_thread(_model, name)
    manifest = manifests.read(model)
    prompts = Prompts(manifest.vocabulary, seed=sum(name.encode()))
    sizes = Sizes(rows=CALLERS, prefill_rows=4, max_len_tokens=MAX_LEN_TOKENS, threads=THREADS, arena_bytes=512 * MIB)
    figures = Figures(f"LLM serving, {manifest.name}", targets=_targets(name), words=WORDS)
    with tempfile.TemporaryDirectory(prefix="finmesh-bench-") as scratch:
        genai_form.write(model, manifest, Path(scratch), THREADS)
        with drivers.ours(model, CALLERS, THREADS) as engine, drivers.genai(Path(scratch)) as genai:
            async with sites.opened(var, model, sizes) as site:
                done = await throughput(site, engine, genai, prompts, plan.rounds, plan.waves, say)
                figures.values |= _throughput(done)
                figures.values |= await prefix_gain(site, prompts)
    handed = await asyncio.to_thread(handoff, HANDED_OVER[name], TOKENS_HANDED_OVER)
    figures.values |= {
        "handoff_ms_1000_tokens": handed.total_ms,
        "memcpy_ms": handed.memcpy_ms,
        "handoff_bound_ms": handed.bound_ms,
    }
    figures.targets = {**figures.targets, "handoff_ms_1000_tokens": Target(max=handed.bound_ms)}
    figures.notes["hand-off"] = (
        f"pack {handed.pack_ms:.1f}, publish {handed.publish_ms:.1f}, pull {handed.pull_ms:.1f} (verify {handed.verify_ms:.1f}) ms"
    )
    if name == LARGE:
        gaps = await isolation(var, model, sizes, prompts, say)
        best = min((gaps[chunk], chunk) for chunk in gaps if chunk != PD)
        figures.values |= {"itl_p99_ms_pd": gaps[PD], "itl_p99_ms_aggregated": best[0], "itl_pd_of_aggregated": gaps[PD] / best[0]}
        figures.notes["chunks"] = ", ".join(f"{chunk}: {gap:.0f} ms" for chunk, gap in gaps.items())
        figures.notes["devices"] = "both engines share two cores here; apart they would share nothing: not measured"
    return figures


def _throughput(done: Throughput) -> dict[str, float]:
    mesh = done.samples[MESH, CALLERS]
    values = {
        "engine_tok_s_b16": done.median(ENGINE, CALLERS),
        "genai_tok_s_b16": done.median(GENAI, CALLERS),
        "mesh_tok_s_c16": done.median(MESH, CALLERS),
        "pd_tok_s_c16": done.median(PD, CALLERS),
        "engine_of_genai": done.ratio(ENGINE, GENAI, CALLERS),
        "mesh_of_engine": done.ratio(MESH, ENGINE, CALLERS),
        "pd_of_engine": done.ratio(PD, ENGINE, CALLERS),
        "engine_tok_s_b1": done.median(ENGINE, 1),
        "genai_tok_s_b1": done.median(GENAI, 1),
        "mesh_tok_s_c1": done.median(MESH, 1),
        "pd_tok_s_c1": done.median(PD, 1),
    }
    values |= {f"{who}_cpu_ms": done.cpu(who, CALLERS) for who in (ENGINE, GENAI, MESH, PD)}
    values |= {
        "mesh_ttft_ms_p50": mesh[-1].ttft_ms[0],
        "mesh_ttft_ms_p99": mesh[-1].ttft_ms[1],
        "mesh_itl_ms_p50": mesh[-1].itl_ms[0],
        "mesh_itl_ms_p99": mesh[-1].itl_ms[1],
        "ttft_added_ms_p50_local": done.added_local_ms,
        "ttft_added_ms_p50_pd": done.added_pd_ms,
    }
    return values


def _targets(name: str) -> dict[str, Target]:
    return {
        "engine_of_genai": Target(min=1.0 if name == SHIPPED else 1.3),
        "mesh_of_engine": Target(min=0.7 if name == SHIPPED else 0.85),
        "ttft_added_ms_p50_local": Target(max=10),
        "ttft_added_ms_p50_pd": Target(max=25),
        "itl_pd_of_aggregated": Target(max=1.05),
    }


def _model(name: str) -> Path:
    """The model's folder; the large one is made when it is not there. Raises LookupError."""
    if name == SHIPPED:
        return Places.default().llm_model.resolve()
    return made("llm.large", Places.default().root / "var" / "models")
