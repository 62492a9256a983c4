"""Turns telemetry on for a process, by the standard OTEL_* variables.

``OTEL_TRACES_EXPORTER`` is zipkin, otlp or none (default). ``OTEL_EXPORTER_ZIPKIN_ENDPOINT`` and ``OTEL_EXPORTER_OTLP_ENDPOINT`` say where,
``OTEL_TRACES_SAMPLER_ARG`` the share of new traces that is sampled, ``OTEL_BSP_MAX_QUEUE_SIZE`` the bound of the queue.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter

from meshkit.telemetry import logs, metrics, names, spans
from meshkit.telemetry.export import SpanQueue


def _zipkin() -> SpanExporter:
    from opentelemetry.exporter.zipkin.json import ZipkinExporter

    return ZipkinExporter()


def _otlp() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


_EXPORTERS: Mapping[str, Callable[[], SpanExporter] | None] = {"zipkin": _zipkin, "otlp": _otlp, "none": None, "": None}


class Telemetry:
    """What was turned on; ``close`` flushes and turns it off."""

    def __init__(self, queue: SpanQueue | None) -> None:
        self._queue = queue

    def close(self) -> None:
        """Export what is queued, stop collecting."""
        spans.install(None)
        if self._queue is not None:
            self._queue.close()
        metrics.uninstall()


def configure(service: str, *, environ: Mapping[str, str] | None = None, exporter: SpanExporter | None = None) -> Telemetry:
    """Configure logs, metrics and traces of the process. ``exporter`` replaces the environment's choice (tests).

    Raises ValueError for an unknown exporter or sampling share.
    """
    values = os.environ if environ is None else environ
    kind = values.get("OTEL_TRACES_EXPORTER", "none").strip().lower()
    if kind not in _EXPORTERS:
        raise ValueError(f"OTEL_TRACES_EXPORTER={kind}: choose zipkin, otlp or none")
    ratio = float(values.get("OTEL_TRACES_SAMPLER_ARG", "1"))
    if not 0 <= ratio <= 1:
        raise ValueError("OTEL_TRACES_SAMPLER_ARG lies between 0 and 1")
    logs.configure(service, level=values.get("FINMESH_LOG_LEVEL", "INFO").upper())
    resource = Resource.create({"service.name": service})
    metrics.install(resource)
    make = _EXPORTERS[kind]
    if exporter is None and make is not None:
        exporter = make()
    if exporter is None:
        spans.install(None)
        return Telemetry(None)
    queue = SpanQueue(exporter, capacity=int(values.get("OTEL_BSP_MAX_QUEUE_SIZE", "8192")))
    spans.install(spans.Recorder(resource, queue.put, ratio))

    def dropped(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(queue.dropped)]

    metrics.meter().create_observable_counter(names.SPANS_DROPPED, [dropped], description="spans lost to a full queue or a failed export")
    return Telemetry(queue)
