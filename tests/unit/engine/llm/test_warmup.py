"""Rule "Two cores": a step takes at most 250 ms, as far as a chunk can help it."""

from __future__ import annotations

import numpy as np
import pytest
from engine.llm import warmup
from engine.llm.runner import Runner
from engine.llm.warmup import Pace, fewest_rows, measured

from .driver import model

PACE = Pace(
    step_s=0.25,
    rows=16,
    max_len=2048,
    one_s=0.02,
    all_s=0.08,
    full_s=0.16,
    read_s=((16, 0.05, 0.06), (32, 0.08, 0.1), (64, 0.12, 0.2), (128, 0.2, 0.4)),
)


@pytest.mark.parametrize(
    ("writing", "held", "start", "tokens"),
    [
        (0, 0, 0, 128),  # nobody waits: 0.2 of 0.25
        (1, 100, 0, 128),
        (8, 800, 0, 128),
        (16, 1600, 0, 96),  # 0.08 and a little are gone
        (16, 16 * 2048, 0, 32),
        (0, 0, 2048, 80),
        (16, 16 * 2048, 2048, 16),
    ],
)
def test_the_chunk_is_what_a_step_has_time_for(writing: int, held: int, start: int, tokens: int) -> None:
    assert PACE.chunk(writing, held, start) == tokens


def test_where_nothing_fits_a_little_is_read_all_the_same() -> None:
    slow = Pace(step_s=0.25, rows=1, max_len=64, one_s=1.0, all_s=1.0, full_s=1.0, read_s=((16, 1.0, 2.0),))
    assert [slow.chunk(1, 9, 9), slow.chunk(0, 0, 0)] == [16, 16]


def test_more_work_never_makes_a_longer_chunk() -> None:
    chunks = [PACE.chunk(writing, writing * 500, 0) for writing in range(17)]
    assert chunks == sorted(chunks, reverse=True)
    starts = [PACE.chunk(4, 400, start) for start in range(0, 2048, 16)]
    assert starts == sorted(starts, reverse=True)
    assert {chunk % 16 for chunk in (*chunks, *starts)} == {0}


def test_short_rows_are_measured_too() -> None:
    pace = measured(Runner(model(), 1, 40), 1, 40, 250)
    assert [count for count, _, _ in pace.read_s] == [16, 32]
    assert pace.chunk(1, 5, 0) in range(16, 129, 16)


def test_a_busy_machine_does_not_make_a_slow_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose turn comes seldom is slow by the clock on the wall; processor time says what it would be alone."""
    wall = iter(range(0, 10**6, 5))
    monkeypatch.setattr(warmup, "perf_counter", lambda: float(next(wall)))
    assert measured(Runner(model(), 2, 512), 2, 512, 250).chunk(2, 20, 0) == 128


@pytest.mark.parametrize(("kind", "rows"), [(("llama", "fp32", 0), 1), (("llama", "int4", 0), 2), (("llama", "int4", 4), 1)])
def test_a_row_that_would_get_other_bits_alone_is_not_computed_alone(kind: tuple[str, str, int], rows: int) -> None:
    runner = Runner(model(*kind), 2, 64)
    assert fewest_rows(runner, 2) == rows
    assert fewest_rows(Runner(model(*kind), 1, 64), 1) == 1
    runner.fewest_rows = rows
    assert np.shape(runner.write([0], [1], [16]))[0] == rows
