"""Processor time for each unit of work, process by process: user and system from the operating system, idling taken off.

On shared processors latency is noise; this figure holds, and its ratio to the bare thing measured in the same run. What is counted is
whole process trees, so threads of gRPC, of the broker and of what a service started are in it; who makes the load is not.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from bench.processes import Usage, cores

APART = "zipkin"  # 5 % of traces, and the operator's choice: stated beside the sum
STREAM = ("risk-stream", "redis", "triton", "kafka", "audit")
SYNC = ("gateway", "risk-rpc", "redis", "triton", "kafka", "audit")
SETTLE_S = 1.0  # the audit log and the tracing UI take what is under way
_IDLE_S = (1.0, 6.0)


@dataclass(frozen=True, slots=True)
class Look:
    """What every process had used at a monotonic time."""

    used: Mapping[str, Usage]
    at_s: float


@dataclass
class Meter:
    """``look``: usage by process now. ``idle``: cores that each takes when nothing is asked of it, known after ``rest``."""

    look: Callable[[], Mapping[str, Usage]]
    idle: dict[str, float] = field(default_factory=dict)

    def now(self) -> Look:
        """Look."""
        return Look(self.look(), time.monotonic())

    async def rest(self, seconds: float) -> None:
        """Measure idling; the shorter a run, the shorter the rest."""
        await asyncio.sleep(SETTLE_S)
        before = self.now()
        await asyncio.sleep(min(max(seconds, _IDLE_S[0]), _IDLE_S[1]))
        self.idled(before, self.now())

    def idled(self, before: Look, after: Look) -> None:
        """Take what was used between two looks for idling."""
        self.idle = cores(before.used, after.used, after.at_s - before.at_s)

    def us_each(self, before: Look, after: Look, units: float) -> dict[str, float]:
        """Microseconds by process for each unit of work, never below nothing; NaN without a unit."""
        wall_s = after.at_s - before.at_s
        used = cores(before.used, after.used, wall_s)
        return {name: _each(max(value - self.idle.get(name, 0.0), 0.0) * wall_s, units) for name, value in used.items()}

    async def cost_us(self, work: Callable[[], Awaitable[int]]) -> dict[str, float]:
        """Microseconds by process for each unit that ``work`` says it did."""
        before = self.now()
        units = await work()
        await asyncio.sleep(SETTLE_S)
        return self.us_each(before, self.now(), units)


def _each(seconds: float, units: float) -> float:
    return seconds / units * 1e6 if units else float("nan")


def cost_words(names: Iterable[str], unit: str, what: str, bare: tuple[str, str]) -> dict[str, str]:
    """Words of the figures that ``cost_figures`` gives; ``bare``: key and words of the thing beside."""
    key, words = bare
    return {
        f"cpu_us_per_{unit}": f"processor time of {what}, all its processes, µs",
        f"{key}_cpu_us_per_{unit}": f"the same of {words}, µs",
        "cpu_ratio": f"processor time, mesh : {key}",
        **{_key(name, unit): f"of it {name}, µs" for name in names},
        _key(APART, unit): f"{APART}, not in the sum, µs",
    }


def cost_figures(each_us: Mapping[str, float], names: Iterable[str], unit: str, bare: tuple[str, float]) -> dict[str, float]:
    """The sum over the processes that do the work, the bare thing's, their ratio, and each process."""
    parts = {name: each_us.get(name, 0.0) for name in names}
    total, (key, bare_us) = sum(parts.values()), bare
    return {
        f"cpu_us_per_{unit}": total,
        f"{key}_cpu_us_per_{unit}": bare_us,
        "cpu_ratio": total / bare_us if bare_us else float("nan"),
        **{_key(name, unit): value for name, value in parts.items()},
        _key(APART, unit): each_us.get(APART, 0.0),
    }


def _key(name: str, unit: str) -> str:
    return f"{name.replace('-', '_')}_cpu_us_per_{unit}"


def mean_us(turns: Iterable[tuple[Mapping[str, float], float]]) -> dict[str, float]:
    """Mean of several turns' costs, each with its units: every unit counts the same."""
    sums: dict[str, float] = {}
    units = 0.0
    for costs, each in turns:
        units += each
        for name, value in costs.items():
            sums[name] = sums.get(name, 0.0) + value * each
    return {name: value / units for name, value in sums.items()} if units else {}
