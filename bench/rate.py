"""A sustained rate from samples of a counter."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from meshkit.clock import Clock


@dataclass(frozen=True, slots=True)
class Sample:
    """A counter at a monotonic time."""

    at_s: float
    count: int


def sustained(samples: Sequence[Sample], done: int) -> float:
    """Counts per second from the first progress to the last sample before everything was done.

    Starting up and running dry are not in it. When that leaves no interval (a tiny run), the whole of the progress is taken.
    """
    moving = [sample for sample in samples if sample.count > samples[0].count]
    busy = [sample for sample in moving if sample.count < done]
    chosen = busy if len(busy) > 1 else moving
    if len(chosen) < 2:
        chosen = list(samples)
    span_s = chosen[-1].at_s - chosen[0].at_s
    return (chosen[-1].count - chosen[0].count) / span_s if span_s > 0 else float("nan")


async def watched(count: Callable[[], Awaitable[int]], done: int, seconds: float, clock: Clock, every_s: float = 0.25) -> list[Sample]:
    """Look at a counter until it reaches `done`, or for `seconds` after its first progress. Raises TimeoutError when it never moves."""
    samples = [Sample(clock.monotonic_s(), await count())]
    first, until_s = samples[0].count, samples[0].at_s + 60.0
    started = False
    while samples[-1].count < done and samples[-1].at_s < until_s:
        await asyncio.sleep(every_s)
        samples.append(Sample(clock.monotonic_s(), await count()))
        if not started and samples[-1].count > first:
            started, until_s = True, samples[-1].at_s + seconds
    if not started and samples[-1].count < done:
        raise TimeoutError("nothing moved for a minute")
    return samples
