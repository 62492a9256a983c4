"""One routing decision of the pure modules: 1,000 workers, 100,000 cached prefixes, beside a naive loop that decides the same."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.handoff.chain import block_ids
from router.domain.cost import Weights, choose
from router.domain.fleet import Fleet, Load, Role, Worker
from router.domain.generation import Choice
from router.domain.prefix_index import Cached, PrefixIndex

from bench.report import Figures, Target

_BLOCK_TOKENS = 64
_NAMESPACE = bytes(32)
_PROMPT_BLOCKS = 16  # 1,024 tokens
_NAIVE = 50  # decisions of the naive loop that are compared and timed
WORDS = {
    "decision_us_p50": "one decision, median: prefix look-up of all workers, cost, choice, scores",
    "decision_us_p99": "… 99th percentile",
    "hash_us_p50": "naming the blocks of a prompt of 1,024 tokens, median; done once a request",
    "event_us_p50": "taking a KV event of 16 stored blocks, median",
    "naive_us_p50": "the same decision by a plain loop over workers and sets, median",
    "workers": "workers",
    "prefixes": "cached prefixes",
}
TARGETS = {"decision_us_p50": Target(max=200.0)}


@dataclass(frozen=True, slots=True)
class Site:
    """A fleet with warm caches, and prompts that ask of it."""

    fleet: Fleet
    index: PrefixIndex
    held: Mapping[str, set[bytes]]
    prompts: Sequence[tuple[bytes, ...]]
    event_us: float


def measure(workers: int, prefixes: int, decisions: int, seed: int, say: Callable[[str], None]) -> Figures:
    """Make a fleet, ask it, and ask the naive loop the same; raises AssertionError when they differ."""
    say(f"filling the caches of {workers:,} workers with {prefixes:,} prefixes")
    rng = random.Random(seed)
    site = _site(workers, prefixes, rng)
    now_s = 1.0
    asked = [rng.choice(site.prompts) for _ in range(decisions)]
    say(f"deciding {decisions:,} times")
    for blocks in asked[:_NAIVE]:
        fast, slow = _decide(site, blocks, now_s), _naive(site, blocks, now_s)
        assert fast is not None and (fast.worker, fast.cached_blocks) == slow, (fast, slow)
    gc.disable()
    fast_us = _timed(lambda blocks: _decide(site, blocks, now_s), asked)
    slow_us = _timed(lambda blocks: _naive(site, blocks, now_s), asked[:_NAIVE])
    tokens = [rng.randrange(32_000) for _ in range(_PROMPT_BLOCKS * _BLOCK_TOKENS)]
    hash_us = _timed(lambda _: block_ids(_NAMESPACE, tokens, _BLOCK_TOKENS), asked[:500])
    gc.enable()
    values = {
        "decision_us_p50": statistics.median(fast_us),
        "decision_us_p99": statistics.quantiles(fast_us, n=100)[98],
        "hash_us_p50": statistics.median(hash_us),
        "event_us_p50": site.event_us,
        "naive_us_p50": statistics.median(slow_us),
        "workers": float(workers),
        "prefixes": float(prefixes),
    }
    return Figures("a routing decision", values, targets=TARGETS, words=WORDS)


def _site(workers: int, prefixes: int, rng: random.Random) -> Site:
    """A tenth of the prefixes are of hot prompts that many workers hold; prompts end in blocks that nobody has."""
    fleet, index, held = Fleet(), PrefixIndex(), dict[str, set[bytes]]()
    for number in range(workers):
        name = f"decode-{number}"
        made = Worker(
            name=name,
            incarnation="1",
            role=Role.DECODE,
            model="m",
            model_digest=b"d",
            layout_digest=b"l",
            rows=64,
            max_len_tokens=8192,
        )
        index.begin(fleet.join(made), "1", 1)
        fleet.report(name, Load(blocks=rng.randrange(200), queue=rng.randrange(4), tokens_per_s=rng.choice((500.0, 2000.0))), 0.0)
        held[name] = set()
    event_us, prompts, seqs = list[float](), list[tuple[bytes, ...]](), dict.fromkeys(range(workers), 1)
    known = set[bytes]()
    while len(known) < prefixes:
        blocks = tuple(rng.randbytes(16) for _ in range(_PROMPT_BLOCKS))
        holders = rng.sample(range(workers), min(workers, 20 if len(prompts) % 10 == 0 else 2))
        for slot in holders:
            have = blocks[: rng.randint(1, _PROMPT_BLOCKS)]
            began_ns = time.perf_counter_ns()
            index.apply(slot, "1", seqs[slot], [(block, 0) for block in have], [])
            event_us.append((time.perf_counter_ns() - began_ns) / 1000)
            seqs[slot] += 1
            held[fleet.name(slot)].update(have)
            known.update(have)
        prompts.append((*blocks, *(rng.randbytes(16) for _ in range(4))))
    return Site(fleet, index, held, prompts, statistics.median(event_us))


def _decide(site: Site, blocks: tuple[bytes, ...], now_s: float) -> Choice | None:
    fleet = site.fleet
    cached: Cached = site.index.cached(blocks, fleet.slots)
    usable = fleet.fit(now_s, tokens=1300, grade=2) & fleet.has_room()
    return choose(fleet, cached, len(blocks), usable, now_s)


def _naive(site: Site, blocks: tuple[bytes, ...], now_s: float) -> tuple[str, int]:
    """The same rule, worker by worker."""
    weights, fleet = Weights(), site.fleet
    greatest = max((load.tokens_per_s for worker in fleet if (load := fleet.load(worker.name))), default=1.0)
    found = []
    for worker in fleet:
        load = fleet.load(worker.name)
        if load is None or fleet.age_s(worker.name, now_s) > 3 or load.rows_used >= worker.rows or worker.max_len_tokens < 1300:
            continue
        cached = next((at for at, block in enumerate(blocks) if block not in site.held[worker.name]), len(blocks))
        carried, scale = load.blocks + weights.queue * load.queue, greatest / load.tokens_per_s
        found.append(((weights.prefill * max(len(blocks) - cached, 0) + carried) * scale, carried, scale, cached, worker.name))
    best = min(found, key=lambda each: each[0])
    holders = [carried for _, carried, _, cached, _ in found if cached]
    least = min(holders, default=0.0)
    if best[3] and best[1] - least > weights.absolute_blocks and best[1] > weights.relative * least:
        best = min(found, key=lambda each: (weights.prefill * len(blocks) + each[1]) * each[2])
    return best[4], best[3]


def _timed(decide: Callable[[tuple[bytes, ...]], object], asked: Sequence[tuple[bytes, ...]]) -> list[float]:
    """Return microseconds of each."""
    found = []
    for blocks in asked:
        began_ns = time.perf_counter_ns()
        decide(blocks)
        found.append((time.perf_counter_ns() - began_ns) / 1000)
    return found
