"""What the router counts. No label is drawn by a caller: reasons and phases are words of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshkit.telemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

_FIRST_TOKEN_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)


class OtelObserver:
    """See ``ports.Observer``. ``waiting`` returns how many requests wait for a worker."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        meter = metrics.meter()
        self._waiting = waiting
        self._generations = meter.create_counter("finmesh.router.generations", description="generations, by way and by error")
        self._failovers = meter.create_counter("finmesh.router.failovers", description="failures of workers, by phase and what was done")
        self._substitutions = meter.create_counter(
            "finmesh.router.substitutions", description="requests that a standby model took over, by model, by the one before it and by leg"
        )
        self._first_token = metrics.histogram(
            "finmesh.router.time_to_first_token_seconds",
            unit="s",
            description="from the call to the first piece of text",
            buckets=_FIRST_TOKEN_S,
        )
        meter.create_observable_gauge(
            "finmesh.router.num_requests_waiting", [self._observe], description="requests that wait in line for a decode worker"
        )

    def _observe(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._waiting())]

    def first_token(self, seconds: float) -> None:
        """Note how long the first piece of text took."""
        self._first_token.record(seconds)

    def failed(self, phase: str, then: str, reason: str) -> None:
        """Count a worker's failure and what was done about it."""
        self._failovers.add(1, {"phase": phase, "then": then, "error.type": reason})

    def substituted(self, model: str, by: str, leg: str, reason: str) -> None:
        """Count a request that another model took over."""
        self._substitutions.add(1, {"model": model, "by": by, "leg": leg, "error.type": reason})

    def ended(self, way: str, error: str) -> None:
        """Count a generation; ``error`` empty: it ended well."""
        self._generations.add(1, {"way": way, "error.type": error})
