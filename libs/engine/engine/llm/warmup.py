"""What is measured before anybody is served: how long a chunk may be, and how few rows may be computed.

A step writes for every row and reads one chunk; who reads along waits for both. The longest chunk is taken with which that stays under the
limit, at the end of a full row, where attention costs most.

Surprising: some products of 4-bit weights by unrounded activations sum a single row in another order than several, so that an answer
that is alone would get other bits than beside others, and a replay in company other tokens. Where that is seen, two rows are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from engine.llm.runner import LARGEST_CHUNK, Runner
from engine.llm.scheduler import SMALLEST_CHUNK


def chunk_tokens(runner: Runner, rows: int, max_len: int, step_ms: float) -> int:
    """Return the longest chunk of 16, 32, 64 or 128 tokens with which a step of ``rows`` rows takes at most ``step_ms``; at least 16."""
    own = list(range(rows))

    def read(length: int) -> float:
        tokens = np.zeros(length, dtype=np.int64)
        return _measured(lambda: runner.read(0, tokens, max_len - length))

    write_s = _measured(lambda: runner.write(own, [0] * rows, [max_len - 1] * rows))
    best, length = SMALLEST_CHUNK, SMALLEST_CHUNK
    while length <= min(LARGEST_CHUNK, max_len):
        if (write_s + read(length)) * 1e3 > step_ms:
            break
        best, length = length, length * 2
    return best


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


def _measured(run: Callable[[], object]) -> float:
    """Return the seconds of a second run: the first one finds memory."""
    run()
    begun = perf_counter()
    run()
    return perf_counter() - begun
