"""From logits to tokens: greedy, temperature, top-k, top-p, log-probabilities, for all rows of a step at once.

Surprising:

- A full sort of 49,152 logits costs milliseconds a row. The best 1,024 are cut out by partition and sorted instead; where their mass
  does not settle the draw, or equal logits straddle the cut, more of that row are, and in the end all. Every way gives the same token.
  Without top-k and top-p there is nothing to sort: the draw walks along the ids.
- Tokens of equal logits are ordered by id, so a draw never depends on how a partition left them.
- Every row is computed alone (elementwise, or reduced along its own axis): who else is in the batch changes no bit.
- A row whose greatest logit is not finite gives no token at all (`NOT_FINITE`): arithmetic that broke must be seen, not sampled.
- Log-probabilities are those of the model: before the grammar's mask, temperature, top-k and top-p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.llm.generation import Sampling
from engine.llm.philox import uniforms

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

NOT_FINITE = -1
_CANDIDATES = 1024, 8192


@dataclass(frozen=True, slots=True)
class Draw:
    """What one row of logits is wanted for. ``mask``: tokens that the grammar allows, (V) bool."""

    row: int
    sampling: Sampling
    choice: int
    index: int
    mask: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """Natural logarithm of the token's probability, and the most probable tokens with theirs, strongest first."""

    logprob: float
    top: tuple[tuple[int, float], ...]


def sample(logits: F32, draws: Sequence[Draw]) -> tuple[list[int], dict[int, Score]]:
    """Choose a token for each draw out of ``logits`` (R, V), which is left as it is; scores by position for those who asked for them."""
    rows = [draw.row for draw in draws]
    own = logits[: len(rows)] if rows == list(range(len(rows))) else logits[rows]
    best = own.argmax(axis=1)
    finite = np.isfinite(own[np.arange(len(rows)), best])  # argmax of a row with NaN is the NaN
    tokens = best.tolist()
    chosen = own
    if any(draw.mask is not None for draw in draws):
        chosen = own.copy() if own.base is not None else own
        tokens = _masked(chosen, draws, tokens)
    drawn = [at for at, draw in enumerate(draws) if not draw.sampling.is_greedy and finite[at] and tokens[at] >= 0]
    if drawn:
        for at, token in zip(drawn, _drawn(chosen[drawn], [draws[at] for at in drawn]), strict=True):
            tokens[at] = token
    if not finite.all():
        tokens = [token if fine else NOT_FINITE for token, fine in zip(tokens, finite, strict=True)]
    asked = [at for at, draw in enumerate(draws) if draw.sampling.logprobs and tokens[at] >= 0]
    if not asked:
        return tokens, {}
    raw = logits[[rows[at] for at in asked]]
    return tokens, dict(zip(asked, _scores(raw, [tokens[at] for at in asked], [draws[at].sampling for at in asked]), strict=True))


def _masked(own: F32, draws: Sequence[Draw], tokens: list[int]) -> list[int]:
    """Forbid in place what grammars forbid, and choose the best of the rest; NOT_FINITE where nothing is left."""
    for at, draw in enumerate(draws):
        if draw.mask is not None:
            row = own[at]
            row[~draw.mask] = -np.inf
            tokens[at] = int(row.argmax())
            if not np.isfinite(row[tokens[at]]):
                tokens[at] = NOT_FINITE
    return tokens


def _drawn(logits: F32, draws: Sequence[Draw]) -> list[int]:
    """Draw with temperature, top-k and top-p, in that order. ``logits`` (N, V)."""
    temperatures = np.array([[draw.sampling.temperature] for draw in draws], dtype=np.float32)
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperatures
    masses = np.exp(scaled)
    totals = masses.sum(axis=1, dtype=np.float64)
    points = uniforms(
        np.array([draw.sampling.seed for draw in draws], dtype=np.uint64),
        np.array([draw.choice for draw in draws], dtype=np.uint64),
        np.array([draw.index for draw in draws], dtype=np.uint64),
    )
    tokens = [-1] * len(draws)
    for at, draw in enumerate(draws):
        if not draw.sampling.top_k and draw.sampling.top_p == 1.0:
            tokens[at] = _anywhere(masses[at], float(points[at]))
    for count in (*_CANDIDATES, logits.shape[1]):
        open_ = [at for at, token in enumerate(tokens) if token < 0]
        if open_:
            for at, candidates in zip(open_, _best(scaled[open_], count), strict=True):
                tokens[at] = _ranked(candidates, scaled[at], masses[at], float(totals[at]), draws[at].sampling, float(points[at]))
    return tokens


def _anywhere(masses: F32, point: float) -> int:
    """Return the token at ``point`` of all masses, in the order of ids: where nothing is cut, nothing need be sorted."""
    ladder: F64 = np.cumsum(masses, dtype=np.float64)
    return min(int(np.searchsorted(ladder, point * ladder[-1], side="right")), int(np.searchsorted(ladder, ladder[-1])))


def _best(scaled: F32, count: int) -> I64:
    """Return the ids of the ``count`` greatest of each row (N, V), ascending."""
    width = scaled.shape[1]
    if width <= count:
        return np.broadcast_to(np.arange(width), scaled.shape)
    return np.sort(np.argpartition(scaled, width - count, axis=1)[:, width - count :], axis=1)


def _ranked(candidates: I64, scaled: F32, masses: F32, total: float, sampling: Sampling, point: float) -> int:
    """Return the token at ``point`` of the candidates' descending masses, after the cuts; -1 when these candidates can't tell.

    ``candidates``: ids, ascending, so that a stable sort leaves equal logits in the order of their ids.
    """
    whole = len(candidates) == len(scaled)
    values = scaled[candidates]
    order = np.argsort(-values, kind="stable")
    ladder: F64 = np.cumsum(masses[candidates[order]], dtype=np.float64)
    known = len(candidates) if whole else int((values > values.min()).sum())  # of those beyond, others may be as good
    kept = total
    if 0 < sampling.top_k < len(scaled):
        if sampling.top_k > len(ladder):
            return -1
        kept = float(ladder[sampling.top_k - 1])
    if sampling.top_p < 1.0:
        last = int(np.searchsorted(ladder, sampling.top_p * kept))
        if last >= len(ladder) and not whole:
            return -1
        kept = min(kept, float(ladder[min(last, len(ladder) - 1)]))
    rank = int(np.searchsorted(ladder, point * kept, side="right"))
    if rank >= known and not whole:
        return -1
    if rank >= len(ladder):  # rounding of the last sum alone
        rank = int(np.searchsorted(ladder, ladder[-1]))
    return int(candidates[order[rank]])


def _scores(logits: F32, tokens: Sequence[int], asked: Sequence[Sampling]) -> list[Score]:
    peak = logits.max(axis=1, keepdims=True)
    floors = peak[:, 0] + np.log(np.exp(logits - peak).sum(axis=1, dtype=np.float64))
    return [
        Score(float(row[token] - floor), tuple((each, float(row[each] - floor)) for each in _top(row, sampling.top_logprobs)))
        for row, token, floor, sampling in zip(logits, tokens, floors, asked, strict=True)
    ]


def _top(row: F32, count: int) -> list[int]:
    """Return the ids of the ``count`` greatest, strongest first, equal ones by id."""
    if not count:
        return []
    least = np.partition(row, len(row) - count)[len(row) - count]
    ids = np.flatnonzero(row >= least)  # more than count when some are equal
    best: list[int] = ids[np.argsort(-row[ids], kind="stable")][:count].tolist()
    return best
