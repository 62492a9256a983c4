"""The synchronous path: a core banking system at the gateway beside a gRPC echo with the same TLS and message sizes, in turns.

First stands what a call takes of a processor in all processes of the mesh, beside the echo's own; callers count on neither side.

What is not ours is taken off each request: the waits for Redis, Triton and Kafka and for the batch before (coalescing), as its own trace
tells them. The rest is two gRPC hops, token, policy, quota, the decision itself and the telemetry of all that.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from drills.checks.traces import Span, Zipkin
from finmesh.gateway.v1 import gateway_service_pb2 as gateway
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from localmesh.ports import free_ports
from simbank.driver.corebank import Calls, CoreBank
from simbank.driver.headers import is_sampled

from bench import site
from bench.cost import SETTLE_S, SYNC, Meter, cost_figures, cost_words, mean_us
from bench.echo import Echo, served
from bench.processes import usage
from bench.report import Figures, Target
from bench.site import Site
from bench.workload import Bank, build_bank

ROUNDS = 4
WARM_UP_S = 2.0
WAITS = {"observe": "Redis", "finalise": "Redis", "confirm": "Redis", "infer fraud": "Triton", "publish": "Kafka", "coalesce": "coalescing"}
TARGETS = {"p99_ms": Target(max=25), "overhead_echoes": Target(max=3)}
WORDS = {
    **cost_words(SYNC, "call", "a call", ("echo", "the echo's server")),
    "p50_ms": "p50 from intended call to answer, ms",
    "p99_ms": "p99, ms",
    "overhead_p50_ms": "p50 of what remains without the waits for Redis, Triton, Kafka and coalescing, ms",
    "echo_p50_ms": "p50 of the echo at the same rate, ms",
    "overhead_echoes": "overhead in echoes",
    "degraded": "degraded decisions",
    "errors": "calls without an answer, or repeated",
}
_ASKED_AT_ONCE = 16
_SPANS_WAIT_S = 2.0
_MAX_TRACES = 2_000


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` of calls in all, after warming up; `rate_per_s` of calls and of echoes; `sampled_share` of the calls are traced."""

    seconds: float
    customers: int
    rate_per_s: float
    sampled_share: float = 0.05


@dataclass
class Measured:
    """`calls` of the mesh and latencies of the echo, over all rounds."""

    calls: Calls = field(default_factory=Calls)
    echoes_s: list[float] = field(default_factory=list)
    turns_us: list[tuple[dict[str, float], float]] = field(default_factory=list)  # by process for each call of a round, and how many
    echo_turns_us: list[tuple[dict[str, float], float]] = field(default_factory=list)

    def by_trace_ms(self) -> dict[bytes, float]:
        """Latency of each answered call: replies and latencies are noted together."""
        return {trace: latency * 1e3 for trace, latency in zip(self.calls.replies, self.calls.latencies_s, strict=True)}


async def measure(var: Path | None, plan: Plan, say: Callable[[str], None]) -> Figures:
    """Run it. Raises StartError, LookupError."""
    wanted = int(plan.rate_per_s * (plan.seconds + WARM_UP_S)) + 100
    bank = await asyncio.to_thread(build_bank, plan.customers, wanted, time.time_ns() // 1_000)
    async with site.opened(var) as at:
        return await _measured(at, bank, plan, say)


async def _measured(at: Site, bank: Bank, plan: Plan, say: Callable[[str], None]) -> Figures:
    measured = Measured()
    request, answer_bytes = await _example(at, bank)
    (port,) = free_ports(1)
    meter = Meter(at.usage)
    async with at.client() as door, served(at.places.certs, port, answer_bytes) as echo:
        beside = Meter(lambda: usage({"echo": echo.pid}))
        corebank = CoreBank(door, at.run, plan.sampled_share)
        await _calls(corebank, bank, WARM_UP_S, plan.rate_per_s, Calls())
        await _echoes(echo, request, WARM_UP_S, plan.rate_per_s)
        await asyncio.gather(meter.rest(plan.seconds / ROUNDS), beside.rest(plan.seconds / ROUNDS))
        for _ in range(ROUNDS):
            before, known = meter.now(), len(measured.calls.replies)
            await _calls(corebank, bank, plan.seconds / ROUNDS, plan.rate_per_s, measured.calls)
            await asyncio.sleep(SETTLE_S)
            answered = len(measured.calls.replies) - known
            measured.turns_us.append((meter.us_each(before, meter.now(), answered), answered))
            before = beside.now()
            echoes_s = await _echoes(echo, request, plan.seconds / ROUNDS, plan.rate_per_s)
            measured.echo_turns_us.append((beside.us_each(before, beside.now(), len(echoes_s)), len(echoes_s)))
            measured.echoes_s += echoes_s
        say(f"{len(measured.calls.replies):,} calls answered")
    figures = await _figures(at, measured, plan)
    figures.notes["bytes of a request, an answer"] = f"{len(request)}, {answer_bytes}"
    return figures


async def _example(at: Site, bank: Bank) -> tuple[bytes, int]:
    """A request as it is sent, and the size of its answer."""
    part = bank.take(1, rate_per_s=1, start_us=time.time_ns() // 1_000)
    message = bank.translator.request(part.rows, 0)
    async with at.client() as door:
        answer = gateway.ScoreTransactionResponse(response=await door.score_transaction(message))
    request = gateway.ScoreTransactionRequest(request=risk.ScoreTransactionRequest(transaction=message))
    return request.SerializeToString(), answer.ByteSize()


async def _calls(corebank: CoreBank, bank: Bank, seconds: float, rate_per_s: float, calls: Calls) -> None:
    part = bank.take(max(round(rate_per_s * seconds), 1), rate_per_s=rate_per_s, start_us=time.time_ns() // 1_000 + 100_000)
    await corebank.replay(part, bank.translator, calls, time.time() + seconds + 10.0, lambda: None)


async def _echoes(echo: Echo, request: bytes, seconds: float, rate_per_s: float) -> list[float]:
    """Latencies in seconds of an open loop, from the intended time."""
    found: list[float] = []

    async def call(intended_s: float) -> None:
        await echo(request)
        found.append(time.time() - intended_s)

    start_s = time.time() + 0.1
    async with asyncio.TaskGroup() as group:
        for number in range(max(round(rate_per_s * seconds), 1)):
            intended_s = start_s + number / rate_per_s
            await asyncio.sleep(max(intended_s - time.time(), 0.0))
            group.create_task(call(intended_s))
    return found


def waits_ms(spans: Sequence[Span]) -> dict[str, float]:
    """Milliseconds that one trace spent waiting, by what for. Parts of a decision follow each other, so they add up."""
    found: dict[str, float] = {}
    for span in spans:
        kind = WAITS.get(str(span.get("name", "")))
        if kind is not None:
            found[kind] = found.get(kind, 0.0) + float(span.get("duration", 0)) / 1e3
    return found


async def _waits(zipkin: Zipkin, traces: Sequence[bytes]) -> dict[bytes, dict[str, float]]:
    """Waits of every trace that has all of them; spans arrive a moment late."""
    await asyncio.sleep(_SPANS_WAIT_S)
    slots = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def ask(trace: bytes) -> dict[str, float]:
        async with slots:
            return waits_ms(await zipkin.trace(trace.hex()))

    found = dict(zip(traces, await asyncio.gather(*(ask(trace) for trace in traces)), strict=True))
    return {trace: waits for trace, waits in found.items() if {"Redis", "Kafka", "coalescing"} <= set(waits)}


async def _figures(at: Site, measured: Measured, plan: Plan) -> Figures:
    took_ms = measured.by_trace_ms()
    if not took_ms:
        raise LookupError("no call was answered")
    sampled = [trace for trace in took_ms if is_sampled(trace, plan.sampled_share)]
    chosen = sampled[:: max(len(sampled) // _MAX_TRACES, 1)]
    waits = await _waits(Zipkin(at.zipkin), chosen)
    if not waits:
        raise LookupError("no trace arrived")
    overhead = [took_ms[trace] - sum(parts.values()) for trace, parts in waits.items()]
    latencies = list(took_ms.values())
    calls = measured.calls
    values = {
        **cost_figures(mean_us(measured.turns_us), SYNC, "call", ("echo", mean_us(measured.echo_turns_us)["echo"])),
        "p50_ms": float(np.quantile(latencies, 0.5)),
        "p99_ms": float(np.quantile(latencies, 0.99)),
        "overhead_p50_ms": float(np.median(overhead)),
        "echo_p50_ms": float(np.median(measured.echoes_s)) * 1e3,
        "degraded": float(calls.degraded),
        "errors": float(len(calls.unanswered) + calls.failures.total() + calls.refused.total()),
    }
    values["overhead_echoes"] = values["overhead_p50_ms"] / values["echo_p50_ms"]
    figures = Figures(f"sync: {plan.rate_per_s:g} calls a second, open loop", values, TARGETS, WORDS)
    names = sorted(set.intersection(*(set(parts) for parts in waits.values())))
    figures.notes["waits, p50 ms"] = ", ".join(f"{name} {np.median([parts[name] for parts in waits.values()]):.2f}" for name in names)
    figures.notes["calls, with a whole trace"] = f"{len(took_ms):,}, {len(waits):,}"
    figures.notes["p99 of the echo, ms"] = f"{np.quantile(measured.echoes_s, 0.99) * 1e3:.2f}"
    return figures
