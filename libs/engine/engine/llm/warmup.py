"""What is measured before anybody is served: how long pieces of work take, and how few rows may be computed.

A step writes for every row that runs and reads a chunk; who reads along waits for both. The longest chunk is taken with which that stays
under the limit: long when few rows write and contexts are short, shorter when the batch is full.

Surprising: some products of 4-bit weights by unrounded activations sum a single row in another order than several, so that an answer
that is alone would get other bits than beside others, and a replay in company other tokens. Where that is seen, two rows are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter, process_time

import numpy as np

from engine.llm.limits import LARGEST_CHUNK, SMALLEST_CHUNK
from engine.llm.runner import Runner


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. ``one_s``, ``all_s``: a step of one row, of all, with short contexts; ``full_s``: of all with full ones.

    ``read_s``: (tokens, at the beginning of a row, at its end) of chunks, ascending. What lies between is taken to lie on a line.
    """

    step_s: float
    rows: int
    max_len: int
    one_s: float
    all_s: float
    full_s: float
    read_s: tuple[tuple[int, float, float], ...]

    def chunk(self, writing: int, held: int, start: int) -> int:
        """Return how many tokens may be read from ``start`` beside ``writing`` rows that hold ``held`` tokens together."""
        left = self.step_s - self._write_s(writing, held)
        times = [(count, begin_s + (end_s - begin_s) * start / self.max_len) for count, begin_s, end_s in self.read_s]
        best = SMALLEST_CHUNK
        for (count, time_s), (next_count, next_s) in pairwise([*times, (LARGEST_CHUNK + 1, float("inf"))]):
            if time_s > left:
                break
            best = max(best, count, count + int((next_count - count) * (left - time_s) / max(next_s - time_s, 1e-9)))
        return min(best, LARGEST_CHUNK) // SMALLEST_CHUNK * SMALLEST_CHUNK

    def _write_s(self, writing: int, held: int) -> float:
        if not writing:
            return 0.0
        growth = (self.all_s - self.one_s) / max(self.rows - 1, 1)
        return self.one_s + growth * (writing - 1) + (self.full_s - self.all_s) * held / (self.rows * self.max_len)


def measured(runner: Runner, rows: int, max_len: int, step_ms: float) -> Pace:
    """Run chunks of 16 to 128 tokens and steps of one row and all, and return what they took."""
    step_s, reads, length = step_ms / 1e3, [], SMALLEST_CHUNK
    while length <= min(LARGEST_CHUNK, max_len - 1):
        begin_s, end_s = _read_s(runner, length, 0), _read_s(runner, length, max_len - length)
        reads.append((length, begin_s, end_s))
        if begin_s > step_s:
            break
        length *= 2
    return Pace(
        step_s=step_s,
        rows=rows,
        max_len=max_len,
        one_s=_write_s(runner, 1, 1),
        all_s=_write_s(runner, rows, 1),
        full_s=_write_s(runner, rows, max_len - 1),
        read_s=tuple(reads),
    )


def fewest_rows(runner: Runner, rows: int) -> int:
    """Return 2 when a row that is computed alone gets other bits than beside another one, else 1."""
    if rows < 2:
        return 1
    tokens = np.arange(SMALLEST_CHUNK, dtype=np.int64)
    runner.read(0, tokens, 0)
    logits = []
    for runner.fewest_rows in (1, 2):
        logits.append(runner.write([0], [1], [SMALLEST_CHUNK])[0].copy())
    return 1 if (logits[0] == logits[1]).all() else 2


def _read_s(runner: Runner, length: int, start: int) -> float:
    tokens = np.zeros(length, dtype=np.int64)
    return _shortest(lambda: runner.read(0, tokens, start))


def _write_s(runner: Runner, rows: int, length: int) -> float:
    own = list(range(rows))
    return _shortest(lambda: runner.write(own, [0] * rows, [length] * rows))


def _shortest(run: Callable[[], object]) -> float:
    """Return the seconds of the shorter of two runs, after one that found memory.

    On a machine that is busy, as when a whole mesh starts, a run takes long without being long: then its processor time counts.
    """
    run()
    times = []
    for _ in range(2):
        begun, begun_cpu = perf_counter(), process_time()
        run()
        times += [perf_counter() - begun, process_time() - begun_cpu]
    return min(times)
