"""The bounded queue between the service and the tracing backend: it never blocks, and counts what it drops."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status
from opentelemetry.util.types import AttributeValue

from meshkit.telemetry.redactor import redact, redacted

_logger = logging.getLogger(__name__)


class SpanQueue:
    """Exports batches from one thread. ``dropped`` counts spans lost to a full queue or a failed export."""

    def __init__(self, exporter: SpanExporter, *, capacity: int = 8192, batch: int = 512, interval_s: float = 0.5) -> None:
        self._exporter = exporter
        self._capacity = capacity
        self._batch = batch
        self._interval_s = interval_s
        self._spans: deque[ReadableSpan] = deque()
        self._stop = threading.Event()
        self.dropped = 0
        self._failing = False
        self._thread = threading.Thread(target=self._work, name="span-export", daemon=True)
        self._thread.start()

    def put(self, span: ReadableSpan) -> None:
        """Queue a finished span, or count it as dropped."""
        if len(self._spans) >= self._capacity:
            self.dropped += 1
            return
        self._spans.append(span)

    def close(self, timeout_s: float = 3.0) -> None:
        """Export what is queued and end the thread, within ``timeout_s``."""
        self._stop.set()
        self._thread.join(timeout_s)
        self._exporter.shutdown()

    def _work(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        while self._spans:
            batch = [self._spans.popleft() for _ in range(min(self._batch, len(self._spans)))]
            if not self._export([_redacted(span) for span in batch]):
                self.dropped += len(batch)
                if self._stop.is_set():
                    return

    def _export(self, batch: Sequence[ReadableSpan]) -> bool:
        try:
            worked = self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception:  # the backend's client may raise anything; a service lives on without traces
            worked = False
        if not worked and not self._failing:
            _logger.warning("spans cannot be exported; they are dropped and counted until the backend is back")
        self._failing = not worked
        return worked


def _redacted(span: ReadableSpan) -> ReadableSpan:
    """The span without identifiers in its name, its attributes, its events, its links, or the words of its status."""
    name, attributes, events = redact(span.name), _clean(span.attributes), [_event(event) for event in span.events]
    links = [link if not link.attributes else Link(link.context, _clean(link.attributes)) for link in span.links]
    words = span.status.description
    status = span.status if not words or redact(words) == words else Status(span.status.status_code, redact(words))
    if name == span.name and attributes == dict(span.attributes or {}) and not events and links == [*span.links] and status is span.status:
        return span
    return ReadableSpan(
        name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _event(event: Event) -> Event:
    return Event(redact(event.name), _clean(event.attributes), event.timestamp)


def _clean(attributes: Mapping[str, AttributeValue] | None) -> dict[str, AttributeValue]:
    return {redact(key): _value(value) for key, value in (attributes or {}).items()}


def _value(value: AttributeValue) -> AttributeValue:
    """A sequence stays of one type: once one of it is masked all are texts."""
    clean = redacted(value)
    if isinstance(clean, list):
        return tuple(clean if clean == list(value) else map(str, clean))  # type: ignore[arg-type]
    return clean  # type: ignore[return-value]
