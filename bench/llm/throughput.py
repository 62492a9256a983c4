"""Output tokens a second and processor time a token: bare engine, onnxruntime-genai, the mesh without and with hand-off, in turns.

Each round asks all four for the same prompts; prompts of the next round are others. Every one of the four has the machine for itself
while it is asked: the others are up and idle.
"""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.llm.closed_loop import Loop, ask, closed_loop, request
from bench.llm.drivers import Driver, Run
from bench.llm.requests import OUTPUT_TOKENS, Prompts
from bench.llm.site import ALWAYS, NEVER, TENANT
from bench.site import Site

ENGINE, GENAI, MESH, PD = "engine", "genai", "mesh", "pd"
CALLERS = 16
FIRST_TOKENS = 24  # requests of which the first token is timed
_ALONE = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One of the four in one round."""

    tokens_per_s: float
    cpu_ms_per_token: float
    ttft_ms: tuple[float, float]  # p50, p99
    itl_ms: tuple[float, float]


@dataclass
class Throughput:
    """Samples by who and how many callers, and what the mesh adds to a first token (milliseconds, median)."""

    samples: dict[tuple[str, int], list[Sample]]
    added_local_ms: float = 0.0
    added_pd_ms: float = 0.0

    def median(self, who: str, callers: int) -> float:
        """Tokens a second."""
        return statistics.median(sample.tokens_per_s for sample in self.samples[who, callers])

    def ratio(self, who: str, beside: str, callers: int) -> float:
        """Median of the rounds' ratios: both sides of each were measured within a minute."""
        pairs = zip(self.samples[who, callers], self.samples[beside, callers], strict=True)
        return statistics.median(one.tokens_per_s / other.tokens_per_s for one, other in pairs)

    def cpu(self, who: str, callers: int) -> float:
        """Processor milliseconds a token."""
        return statistics.median(sample.cpu_ms_per_token for sample in self.samples[who, callers])


async def throughput(
    site: Site, engine: Driver, genai: Driver, prompts: Prompts, rounds: int, waves: int, say: Callable[[str], None]
) -> Throughput:
    """Measure everything. `waves`: requests of each of the callers in a round."""
    found: defaultdict[tuple[str, int], list[Sample]] = defaultdict(list)
    await _warm(site, engine, genai, prompts)
    for number in range(rounds):
        for callers in (CALLERS, 1):
            asked = prompts(callers * waves if callers > 1 else _ALONE)
            turns = {
                ENGINE: lambda asked=asked, callers=callers: _bare(engine, asked, callers),
                GENAI: lambda asked=asked, callers=callers: _bare(genai, asked, callers),
                MESH: lambda asked=asked, callers=callers: _mesh(site, NEVER, asked, callers),
                PD: lambda asked=asked, callers=callers: _mesh(site, ALWAYS, asked, callers),
            }
            for who in list(turns) if number % 2 == 0 else reversed(turns):
                sample = await turns[who]()
                found[who, callers].append(sample)
                figure = f"{sample.tokens_per_s:6.1f} tokens/s, {sample.cpu_ms_per_token:5.2f} ms a token"
                say(f"round {number + 1}, {callers:2} callers, {who:6}: {figure}")
    done = Throughput(dict(found))
    done.added_local_ms, done.added_pd_ms = await _added(site, engine, prompts)
    return done


async def _warm(site: Site, engine: Driver, genai: Driver, prompts: Prompts) -> None:
    asked = prompts(CALLERS)
    for driver in (engine, genai):
        await asyncio.to_thread(driver, asked, 4, CALLERS)
    async with site.assistant() as door:
        for scenario in (NEVER, ALWAYS):
            await closed_loop(door, [request(TENANT, scenario, prompt, 4) for prompt in asked], CALLERS)


async def _bare(driver: Driver, asked: Sequence[Sequence[int]], callers: int) -> Sample:
    run: Run = await asyncio.to_thread(driver, asked, OUTPUT_TOKENS, callers)
    first = [times[0] * 1e3 for times in run.at_s]
    gaps = [gap for times in run.at_s for gap in np.diff(times) * 1e3]
    return Sample(run.output_tokens / run.took_s, run.cpu_s / run.output_tokens * 1e3, _p50_p99(first), _p50_p99(gaps))


async def _mesh(site: Site, scenario: str, asked: Sequence[Sequence[int]], callers: int) -> Sample:
    """Processor time of every process of the mesh, and of this one, which is the client."""
    async with site.assistant() as door:
        before, own = site.usage(), time.process_time()
        loop: Loop = await closed_loop(door, [request(TENANT, scenario, prompt, OUTPUT_TOKENS) for prompt in asked], callers)
        after, spent = site.usage(), time.process_time() - own
    spent += sum(after[name].cpu_s - before[name].cpu_s for name in after if name in before)
    wrong = [each for each in loop.requests if each.disaggregated is not (scenario == ALWAYS)]
    if wrong or loop.tokens != len(asked) * OUTPUT_TOKENS:
        raise LookupError(f"{len(wrong)} requests went the other way, {loop.tokens} tokens came")
    first = [each.ttft_ms for each in loop.requests]
    gaps = [gap for each in loop.requests for gap in each.itl_ms()]
    return Sample(loop.tokens_per_s, spent / loop.tokens * 1e3, _p50_p99(first), _p50_p99(gaps))


async def _added(site: Site, engine: Driver, prompts: Prompts) -> tuple[float, float]:
    """(local, handed over): medians of the first token's time, less the bare engine's, request by request in turns."""
    times: dict[str, list[float]] = {ENGINE: [], NEVER: [], ALWAYS: []}
    async with site.assistant() as door:
        for _ in range(FIRST_TOKENS):
            bare = await asyncio.to_thread(engine, prompts(1), 2, 1)
            times[ENGINE].append(bare.at_s[0][0] * 1e3)
            for scenario in (NEVER, ALWAYS):
                asked = await ask(door, request(TENANT, scenario, prompts(1)[0], 2))
                times[scenario].append(asked.ttft_ms)
    bare_ms = statistics.median(times[ENGINE])
    return statistics.median(times[NEVER]) - bare_ms, statistics.median(times[ALWAYS]) - bare_ms


def _p50_p99(values: Sequence[float]) -> tuple[float, float]:
    p50, p99 = np.percentile(values, [50, 99])
    return float(p50), float(p99)
