"""Score a batch: Triton, else the same model in process, else nobody (rule D22). Who answered is declared with the scores."""

from __future__ import annotations

import logging

import numpy as np
from meshkit.errors import DeadlineExceeded, MeshError, Unavailable
from meshkit.events.health import Health
from numpy.typing import NDArray

from risk_scoring.domain.combine import Scores
from risk_scoring.domain.decision import DEADLINE, MODEL_IN_PROCESS, RULES_ONLY
from risk_scoring.domain.outcome import rounded_scores
from risk_scoring.ports import Model

log = logging.getLogger(__name__)
_MIN_MODEL_TIME_S = 0.002
_WARM_UP_S = 5.0


class Scorer:
    """Asks the served model first."""

    def __init__(self, served: Model, in_process: Model, health: Health, timeout_s: float) -> None:
        self._served = served
        self._in_process = in_process
        self._health = health
        self._timeout_s = timeout_s

    async def warm(self, features: int) -> None:
        """Connect to the served model and let both run once, so that the first request finds them warm."""
        row = np.zeros((1, features), dtype=np.float32)
        for model in (self._served, self._in_process):
            try:
                await model.score(row, _WARM_UP_S)
            except MeshError as error:
                log.warning("model %s is not warm: %s", model.version, error.reason)

    async def score(self, vectors: NDArray[np.float32], remaining_s: float | None = None) -> Scores:
        """Return scores for (n, features) vectors. ``remaining_s``: what is left of the caller's deadline."""
        if remaining_s is not None and remaining_s < _MIN_MODEL_TIME_S:
            return self._nobody(len(vectors), DEADLINE)
        budget_s = self._timeout_s if remaining_s is None else min(self._timeout_s, remaining_s / 2)
        for model, degradations in ((self._served, ()), (self._in_process, (MODEL_IN_PROCESS,))):
            try:
                values = await model.score(vectors, budget_s)
            except (Unavailable, DeadlineExceeded) as error:
                self._health.degraded("triton" if model is self._served else "model", error.reason)
                continue
            except MeshError:
                log.exception("the model refused a batch")
                self._health.degraded("triton" if model is self._served else "model", "MODEL_REFUSED")
                continue
            if not np.isfinite(values).all():
                self._health.degraded("triton" if model is self._served else "model", "MODEL_NOT_FINITE")
                continue
            if model is self._served:
                self._health.recovered("triton")
            return Scores(rounded_scores(values), degradations, model.version, model.sha256)
        return self._nobody(len(vectors), RULES_ONLY)

    def _nobody(self, n: int, degradation: int) -> Scores:
        return Scores(np.full(n, np.nan), (degradation,))
