"""Counters and log lines: `finmesh.audit.leaves{kind}` is what an alert watches for kinds other than record."""

import logging
from collections.abc import Callable, Iterable, Mapping

from meshkit.telemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from translog.entries import Kind

_logger = logging.getLogger("finmesh.audit")


class TelemetryAlarms:
    """Port Alarms. ``lag`` returns offsets not yet stored."""

    def __init__(self, lag: Callable[[], int] = lambda: 0) -> None:
        meter = metrics.meter()
        self.lag = lag
        self._size = 0
        self._leaves = meter.create_counter("finmesh.audit.leaves", description="leaves committed, by kind")
        self._duplicates = meter.create_counter("finmesh.audit.duplicates", description="records that were in the log already")
        meter.create_observable_gauge("finmesh.audit.tree.size", [self._observe_size], description="leaves in the log")
        meter.create_observable_gauge("finmesh.audit.lag", [self._observe_lag], description="messages readable and not yet stored")
        for kind in set(Kind) - {Kind.POSITION}:  # which alarms nobody
            self._leaves.add(0, {"kind": kind.value})

    def committed(self, leaves: Mapping[Kind, int], duplicates: int, size: int) -> None:
        """Counts, and one warning for every kind other than record. Duplicates are counted only: a redelivery is no alarm."""
        self._size = size
        for kind, count in leaves.items():
            self._leaves.add(count, {"kind": kind.value})
            if kind is not Kind.RECORD:
                _logger.warning("audit alarm", extra={"facts": {"kind": kind.value, "leaves": count, "tree_size": size}})
        if duplicates:
            self._duplicates.add(duplicates)

    def _observe_size(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._size)]

    def _observe_lag(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self.lag())]
