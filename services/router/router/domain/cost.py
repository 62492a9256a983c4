"""Which worker is cheapest for a prompt.

``cost = (a · max(prompt blocks - cached blocks weighted by tier, 0) + blocks carried + blocks sent lately + b · queue) · price / speed``

A cached prefix draws requests to whoever has it, until its holders differ too much: if the cheapest worker carries more than the least
laden holder of the prefix by an absolute AND a relative margin, nothing counts as cached for this choice. Only holders are compared: how
busy others are says nothing about this prefix, and the cost has their load in it anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.domain.fleet import Bools, Fleet, Floats
from router.domain.generation import Choice, Score
from router.domain.prefix_index import Cached

TOP = 3
"""How many scores are kept for the record."""
PREFIX, LOAD, MARGIN, ONLY = "PREFIX", "LOAD", "MARGIN", "ONLY"
"""Why a worker was chosen: for its cached prefix; for its load; for its load though others have more cached; nobody else could be."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the cost, in blocks: ``prefill`` (a) a block that must be computed, ``queue`` (b) a request that waits before.

    ``absolute_blocks`` and ``relative``: the margins past which affinity is dropped.
    """

    prefill: float = 1.0
    queue: float = 4.0
    absolute_blocks: float = 32.0
    relative: float = 1.5


DEFAULT = Weights()


def choose(
    fleet: Fleet, cached: Cached, prompt_blocks: int, usable: Bools, now_s: float, weights: Weights = DEFAULT, keep: int = TOP
) -> Choice | None:
    """Return the cheapest of the ``usable`` workers and why it is; None when there is none."""
    (slots,) = np.nonzero(usable)
    if not slots.size:
        return None
    carried = fleet.blocks()
    queue = fleet.queue()
    load = carried + fleet.recent(now_s) + weights.queue * queue
    missing = np.maximum(prompt_blocks - cached.weighted, 0.0)
    costs: Floats = ((weights.prefill * missing + load) * fleet.scale())[slots]
    best = int(slots[costs.argmin()])
    reason = LOAD if slots.size > 1 else ONLY
    if slots.size > 1 and cached.blocks[best] > 0:
        holders = slots[cached.blocks[slots] > 0]
        least, most = float(load[holders].min()), float(load[best])
        reason = PREFIX
        if most - least > weights.absolute_blocks and most > weights.relative * least:
            costs = ((weights.prefill * prompt_blocks + load) * fleet.scale())[slots]
            best = int(slots[costs.argmin()])
            reason = MARGIN
    order: Sequence[int] = np.argpartition(costs, keep)[:keep] if costs.size > keep else range(costs.size)  # type: ignore[assignment]
    top = sorted(order, key=lambda at: (float(costs[at]), int(slots[at])))
    scores = tuple(
        Score(fleet.name(int(s)), float(costs[at]), int(cached.blocks[s]), float(carried[s]), float(queue[s]))
        for at, s in ((at, slots[at]) for at in top)
    )
    return Choice(fleet.name(best), reason, int(cached.blocks[best]), scores)
