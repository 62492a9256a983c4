"""Two commits side by side: processor time of a streamed transaction and of a synchronous call, process by process.

Both meshes are up at once, each started by its own commit's launcher from its own environment; one of them gets load while the other
idles, in the order A B B A, so that a machine whose speed drifts drifts for both. What counts is processor time (user and system, from
the operating system), less what the same process takes while it idles. The load is made by this checkout for both.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from aiokafka.admin import AIOKafkaAdminClient
from drills.bankday.site import Site, bank_tokens
from localmesh import status
from localmesh.places import ROOT, Places
from localmesh.ports import Ports
from localmesh.supervisor import StartError
from meshkit.clock import SystemClock
from risk_scoring.consumers.transactions import TRANSACTION_TOPIC
from risk_scoring.main.parts import STREAM_GROUP
from simbank.driver.corebank import Calls, CoreBank
from simbank.driver.producer import OpenLoopProducer, Sent

from bench import rate
from bench.cost import APART, STREAM, SYNC, Meter
from bench.processes import Usage, usage
from bench.report import Figures, Target
from bench.workload import Bank, build_bank

ORDER = "ABBA"
TARGETS = {"stream_ratio": Target(max=1.03), "sync_ratio": Target(max=1.03)}
_PARTS = (("stream", "tx", (*STREAM, APART)), ("sync", "call", (*SYNC, APART)))
WORDS = {
    "stream_cpu_us_per_tx": "processor time of a streamed transaction, this checkout, µs",
    "base_stream_cpu_us_per_tx": "the same, base, µs",
    "stream_ratio": "this : base",
    "sync_cpu_us_per_call": "processor time of a synchronous call, this checkout, µs",
    "base_sync_cpu_us_per_call": "the same, base, µs",
    "sync_ratio": "this : base",
    **{
        f"{side}{kind}_{name.replace('-', '_')}_cpu_us_per_{unit}": f"{kind}: {name}{' (not in the sum)' * (name == APART)}, {whose}, µs"
        for kind, unit, names in _PARTS
        for name in names
        for side, whose in (("", "this checkout"), ("base_", "base"))
    },
}
NAMES = ("kafka", "redis", "triton", "zipkin", "provision", "gateway", "risk-stream", "risk-rpc", "audit")  # a commit before has no others
_READY_S, _POLL_S = 120.0, 0.2
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """`rounds` of A B B A; in each turn a burst of `burst` transactions at `burst_per_s`, then calls at `calls_per_s` for `seconds`."""

    base: str
    rounds: int = 3
    burst: int = 8_000
    burst_per_s: float = 4_000
    seconds: float = 5.0
    calls_per_s: float = 100
    idle_s: float = 6.0
    customers: int = 20_000


@dataclass
class Side:
    """One mesh: where it is, its meter, and what each turn cost (µs by process)."""

    site: Site
    meter: Meter
    stream_us: list[dict[str, float]] = field(default_factory=list)
    sync_us: list[dict[str, float]] = field(default_factory=list)


async def measure(var: Path | None, plan: Plan, say: Say) -> Figures:
    """Run it. Raises StartError, LookupError (no such commit, its environment can't be made)."""
    parent = (Places.default().var if var is None else var) / "compare"
    folder = await asyncio.to_thread(checked_out, parent, plan.base, say)
    banks = [await asyncio.to_thread(bank_of, plan) for _ in "AB"]
    async with AsyncExitStack() as stack:
        sites = [await stack.enter_async_context(_up(where, parent)) for where in (ROOT, folder)]
        sides = [Side(site, Meter(partial(_usage, site.places))) for site in sites]
        say("both meshes are up")
        await in_turns(sides, banks, plan, say)
    this, base = sides
    return figures(this, base, f"this checkout beside {plan.base}: {plan.rounds} rounds of {ORDER}")


def _usage(places: Places) -> dict[str, Usage]:
    processes = status.read(places.status)["processes"]
    return usage({name: each["pid"] for name, each in processes.items() if each["pid"]})


def bank_of(plan: Plan) -> Bank:
    """All that one side is asked."""
    turns = (plan.rounds + 1) * len(ORDER) // 2
    each = plan.burst + round(plan.seconds * plan.calls_per_s)
    return build_bank(plan.customers, turns * each + 100, time.time_ns() // 1_000)


def checked_out(parent: Path, commit: str, say: Say) -> Path:
    """The files of a commit with an environment of their own. Raises LookupError."""
    found = subprocess.run(["git", "rev-parse", "--verify", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        raise LookupError(f"there is no commit {commit}")
    folder = parent / found.stdout.strip()[:12]
    if not folder.exists():
        scratch = folder.with_suffix(".new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        archive = subprocess.run(["git", "archive", found.stdout.strip()], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(scratch)], input=archive, check=True)
        scratch.rename(folder)
    say(f"environment of {folder.name}")
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV"}}
    made = subprocess.run(["make", "-s", "setup"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        raise LookupError(f"make setup of {folder.name} failed: {made.stderr[-2_000:]}")
    return folder


@asynccontextmanager
async def _up(folder: Path, parent: Path) -> AsyncIterator[Site]:
    """The mesh of a checkout, on free ports and in a folder of its own, gone afterwards."""
    run = time.time_ns() // 1_000
    places = Places(var=parent / f"run-{run}")
    places.var.mkdir(parents=True)
    ports = Ports.free()
    given = {f"FINMESH_PORT_{name.upper()}": str(port) for name, port in ports.by_name().items()}
    with (places.var / "mesh.log").open("wb") as log:
        launcher = await asyncio.create_subprocess_exec(
            str(folder / ".venv" / "bin" / "python"), "-m", "localmesh", "up", "--foreground", "--only", ",".join(NAMES),
            cwd=folder, env=os.environ | given | {"FINMESH_VAR": str(places.var)}, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        await _ready(launcher, places)
        yield Site(places, ports, bank_tokens(places), run)
    finally:
        if launcher.returncode is None:
            launcher.send_signal(signal.SIGTERM)
        await launcher.wait()
        shutil.rmtree(places.var, ignore_errors=True)


async def _ready(launcher: asyncio.subprocess.Process, places: Places) -> None:
    until_s = time.monotonic() + _READY_S
    while status.read(places.status).get("state") != "ready":
        if launcher.returncode is not None or time.monotonic() > until_s:
            raise StartError((places.var / "mesh.log").read_text(errors="replace")[-2_000:])
        await asyncio.sleep(_POLL_S)


async def in_turns(both: Sequence[Side], banks: Sequence[Bank], plan: Plan, say: Say) -> None:
    """Measure both sides, A B B A. Raises LookupError."""
    sides = dict(zip("AB", zip(both, banks, strict=True), strict=True))
    for letter in ORDER:  # warm, not counted: the broker's compiler has most to do
        side, bank = sides[letter]
        await _burst(side.site, bank, plan)
        await _calls(side.site, bank, plan)
    await asyncio.gather(*(side.meter.rest(plan.idle_s) for side, _ in sides.values()))
    for number in range(plan.rounds):
        for letter in ORDER:
            side, bank = sides[letter]
            side.stream_us.append(await side.meter.cost_us(partial(_burst, side.site, bank, plan)))
            side.sync_us.append(await side.meter.cost_us(partial(_calls, side.site, bank, plan)))
        say(f"round {number + 1} of {plan.rounds}")


async def _burst(site: Site, bank: Bank, plan: Plan) -> int:
    """Stream some transactions and wait until all are committed; returns how many."""
    admin = AIOKafkaAdminClient(bootstrap_servers=site.kafka.bootstrap_servers)
    await admin.start()

    async def committed() -> int:
        offsets = await admin.list_consumer_group_offsets(STREAM_GROUP)
        return sum(found.offset for place, found in offsets.items() if place.topic == TRANSACTION_TOPIC and found.offset > 0)

    try:
        before = await committed()
        part = bank.take(plan.burst, rate_per_s=plan.burst_per_s, start_us=time.time_ns() // 1_000)
        async with OpenLoopProducer(site.kafka.bootstrap_servers, bank.translator, run=site.run) as producer:
            await producer.replay(part, Sent())
        samples = await rate.watched(committed, before + plan.burst, 60, SystemClock())
    finally:
        await admin.close()
    if samples[-1].count < before + plan.burst:
        raise LookupError("a burst was not decided within a minute")
    return plan.burst


async def _calls(site: Site, bank: Bank, plan: Plan) -> int:
    """Call at a fixed rate; returns how many calls were answered."""
    part = bank.take(round(plan.seconds * plan.calls_per_s), rate_per_s=plan.calls_per_s, start_us=time.time_ns() // 1_000 + 100_000)
    calls = Calls()
    async with site.client() as gateway:
        await CoreBank(gateway, site.run, 0.05).replay(part, bank.translator, calls, time.time() + plan.seconds + 10.0, lambda: None)
    if not calls.replies:
        raise LookupError(f"no call was answered: {dict(calls.refused)} {dict(calls.failures)}")
    return len(calls.replies)


def figures(this: Side, base: Side, title: str, targets: Mapping[str, Target] = TARGETS) -> Figures:
    """Medians over the turns. The ratio is the median over pairs of turns that stood beside each other."""
    found = Figures(title, {}, targets, WORDS)
    for kind, unit, names in _PARTS:
        turns = [getattr(side, f"{kind}_us") for side in (this, base)]
        costs = np.array([[[turn.get(name, 0.0) for name in names] for turn in each] for each in turns])  # (side, turn, process), µs
        totals = costs[:, :, :-1].sum(axis=2)  # the last one stands apart
        pairs = totals[0] / totals[1]
        found.values[f"{kind}_cpu_us_per_{unit}"], found.values[f"base_{kind}_cpu_us_per_{unit}"] = map(float, np.median(totals, axis=1))
        found.values[f"{kind}_ratio"] = float(np.median(pairs))
        found.notes[f"{kind}: ratio of each pair"] = " ".join(f"{pair:.3f}" for pair in pairs)
        for name, (mine, other) in zip(names, np.median(costs, axis=1).T, strict=True):
            key = f"{kind}_{name.replace('-', '_')}_cpu_us_per_{unit}"
            found.values[key], found.values["base_" + key] = float(mine), float(other)
    return found
