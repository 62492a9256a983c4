"""Score a batch by the runtime that is its primary, else by the other, else by nobody (rule D22, ADR 41).

A few rows cost less in process than the way to Triton and back; many are Triton's. It is one graph in one runtime on both sides, with the
same bits, so only who answered differs, and that is declared with the scores where it was not the primary.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from meshkit.errors import DeadlineExceeded, MeshError, Unavailable
from meshkit.events.health import Health
from numpy.typing import NDArray

from risk_scoring.domain.combine import Scores
from risk_scoring.domain.decision import DEADLINE, MODEL_IN_PROCESS, MODEL_SERVED, RULES_ONLY
from risk_scoring.domain.outcome import rounded_scores
from risk_scoring.ports import Model

log = logging.getLogger(__name__)
SMALL_ROWS = 8
_MIN_MODEL_TIME_S = 0.002
_WARM_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class _Runtime:
    """``component``: as health names it. ``instead``: what a decision says when it answered in the other's place."""

    model: Model
    component: str
    instead: int


class Scorer:
    """``small_rows``: batches of up to so many rows are the in-process model's, larger ones the served model's."""

    def __init__(self, served: Model, in_process: Model, health: Health, timeout_s: float, small_rows: int = 0) -> None:
        self._served = _Runtime(served, "triton", MODEL_SERVED)
        self._in_process = _Runtime(in_process, "model", MODEL_IN_PROCESS)
        self._health = health
        self._timeout_s = timeout_s
        self._small_rows = small_rows

    async def warm(self, features: int) -> None:
        """Connect to the served model and let both run once, so that the first request finds them warm."""
        row = np.zeros((1, features), dtype=np.float32)
        for runtime in (self._served, self._in_process):
            try:
                await runtime.model.score(row, _WARM_UP_S)
            except MeshError as error:
                log.warning("model %s is not warm: %s", runtime.model.version, error.reason)

    async def probe(self, features: int) -> None:
        """Raise when the served model does not answer as ours: a process that has small batches alone would not find out."""
        await self._served.model.score(np.zeros((1, features), dtype=np.float32), self._timeout_s)

    def in_process(self, rows: int) -> bool:
        """Say whether a batch of so many rows is the in-process model's."""
        return rows <= self._small_rows

    async def score(self, vectors: NDArray[np.float32], remaining_s: float | None = None) -> Scores:
        """Return scores for (n, features) vectors. ``remaining_s``: what is left of the caller's deadline."""
        if remaining_s is not None and remaining_s < _MIN_MODEL_TIME_S:
            return self._nobody(len(vectors), DEADLINE)
        budget_s = self._timeout_s if remaining_s is None else min(self._timeout_s, remaining_s / 2)
        small = self.in_process(len(vectors))
        primary, other = (self._in_process, self._served) if small else (self._served, self._in_process)
        values = await self._asked(primary, vectors, budget_s)
        if values is not None:
            return Scores(values, (), primary.model.version, primary.model.sha256)
        values = await self._asked(other, vectors, budget_s)
        if values is not None:
            return Scores(values, (other.instead,), other.model.version, other.model.sha256)
        return self._nobody(len(vectors), RULES_ONLY)

    async def _asked(self, runtime: _Runtime, vectors: NDArray[np.float32], budget_s: float) -> NDArray[np.float64] | None:
        """Return rounded scores, None when the runtime has none."""
        try:
            values = await runtime.model.score(vectors, budget_s)
        except (Unavailable, DeadlineExceeded) as error:
            self._health.degraded(runtime.component, error.reason)
            return None
        except MeshError:
            log.exception("the model refused a batch")
            self._health.degraded(runtime.component, "MODEL_REFUSED")
            return None
        if not np.isfinite(values).all():
            self._health.degraded(runtime.component, "MODEL_NOT_FINITE")
            return None
        self._health.recovered(runtime.component)
        return rounded_scores(values)

    def _nobody(self, n: int, degradation: int) -> Scores:
        return Scores(np.full(n, np.nan), (degradation,))
