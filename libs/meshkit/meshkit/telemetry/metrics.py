"""Metrics through the OpenTelemetry SDK with a Prometheus endpoint that also tells the service's state.

``meter()`` gives instruments of the installed provider, no-ops before. Create instruments after ``setup.configure``, not at import.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Histogram, Meter, NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import REGISTRY, Metric, make_wsgi_app
from prometheus_client.registry import Collector

from meshkit.telemetry.redactor import redact

LATENCY_BUCKETS_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

_provider: MeterProvider | None = None


def install(resource: Resource) -> None:
    """Start collecting for this process; what was installed before is shut down."""
    global _provider  # noqa: PLW0603
    uninstall()
    _provider = MeterProvider([PrometheusMetricReader()], resource=resource)


def uninstall() -> None:
    """Stop collecting."""
    global _provider  # noqa: PLW0603
    if _provider is not None:
        _provider.shutdown()
        _provider = None


def meter() -> Meter:
    """Return the process's meter."""
    return NoOpMeter("finmesh") if _provider is None else _provider.get_meter("finmesh")


def histogram(name: str, *, unit: str, description: str, buckets: Sequence[float] = LATENCY_BUCKETS_S) -> Histogram:
    """Return a histogram with explicit bucket bounds, in ``unit``."""
    return meter().create_histogram(name, unit=unit, description=description, explicit_bucket_boundaries_advisory=list(buckets))


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: scrapes are no news."""


class _Masked:
    """A registry whose label values are masked when they are asked for: what is counted costs nothing by it."""

    def __init__(self, registry: Collector) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [s._replace(labels={key: redact(value) for key, value in s.labels.items()}) for s in metric.samples]
            yield metric

    def restricted_registry(self, names: Iterable[str]) -> _Masked:
        """What ``/metrics?name[]=…`` asks for."""
        return _Masked(REGISTRY.restricted_registry(names))


class Endpoint:
    """HTTP on ``listen``: ``/metrics`` for Prometheus, the state as JSON under ``/state`` (always 200) and ``/ready`` (503: not serving).

    Probes of an orchestrator ask here, because they speak no mutual TLS. ``port`` is the bound one.
    """

    def __init__(self, listen: str, state: Callable[[], Mapping[str, Any]]) -> None:
        host, _, port = listen.rpartition(":")
        metrics = make_wsgi_app(_Masked(REGISTRY))

        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path = environ.get("PATH_INFO")
            if path in ("/state", "/ready"):
                now = state()
                serving = path == "/state" or str(now.get("state")).startswith("ready")
                start_response("200 OK" if serving else "503 Service Unavailable", [("Content-Type", "application/json")])
                return [json.dumps(now).encode()]
            result: Iterable[bytes] = metrics(environ, start_response)
            return result

        self._server: WSGIServer = make_server(host.strip("[]"), int(port), application, handler_class=_QuietHandler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2)
