"""The queue drops and counts, and never lets an identifier out."""

import threading
from collections.abc import Sequence
from typing import Any

from meshkit.telemetry import spans
from meshkit.telemetry.context import new_root
from meshkit.telemetry.export import SpanQueue
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class Backend(SpanExporter):
    """A tracing backend that can be held, or fail."""

    def __init__(self) -> None:
        self.received: list[ReadableSpan] = []
        self.open = threading.Event()
        self.entered = threading.Event()
        self.fails = False
        self.open.set()

    def export(self, batch: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.open.wait()
        if self.fails:
            raise ConnectionError("backend of 6222021234567890128 is away")
        self.received += batch
        return SpanExportResult.SUCCESS


def emit(queue: SpanQueue, name: str, **attributes: Any) -> None:
    spans.install(spans.Recorder(Resource.create({"service.name": "t"}), queue.put))
    try:
        spans.record(name, new_root(sampled=True), parent=None, start_ns=1, end_ns=2, attributes=attributes)
    finally:
        spans.install(None)


def test_closing_delivers_what_is_queued() -> None:
    backend = Backend()
    queue = SpanQueue(backend, interval_s=60)
    for number in range(10):
        emit(queue, f"s{number}")
    queue.close()
    assert [span.name for span in backend.received] == [f"s{number}" for number in range(10)]
    assert queue.dropped == 0


def test_a_full_queue_drops_and_counts_without_blocking() -> None:
    backend = Backend()
    backend.open.clear()
    queue = SpanQueue(backend, capacity=5, batch=1, interval_s=0.001)
    emit(queue, "held")
    assert backend.entered.wait(5)
    for number in range(20):
        emit(queue, f"s{number}")
    assert queue.dropped == 15
    backend.open.set()
    queue.close()
    assert len(backend.received) == 6


def test_a_failing_backend_costs_spans_and_nothing_else() -> None:
    backend = Backend()
    backend.fails = True
    queue = SpanQueue(backend, interval_s=60)
    emit(queue, "lost")
    queue.close()
    assert queue.dropped == 1


def test_names_and_attributes_are_redacted() -> None:
    backend = Backend()
    queue = SpanQueue(backend, interval_s=60)
    emit(queue, "GET /cards/4111111111111111", note="电话１３８１２３４５６７８", fine="ok")
    queue.close()
    span = backend.received[0]
    assert (span.name, span.attributes) == ("GET /cards/[card]", {"note": "电话[mobile]", "fine": "ok"})


def test_numbers_keys_sequences_and_words_of_the_status_are_redacted() -> None:
    backend = Backend()
    queue = SpanQueue(backend, interval_s=60)
    card = 6222021234567890128
    attributes: dict[str, Any] = {f"of {card}": 1, "number": card, "several": (card, 7), "names": ("ok", str(card)), "port": 50061}
    spans.install(spans.Recorder(Resource.create({"service.name": "t"}), queue.put))
    try:
        spans.record("n", new_root(sampled=True), parent=None, start_ns=1, end_ns=2, attributes=attributes, error=f"CARD {card}")
    finally:
        spans.install(None)
    queue.close()
    (span,) = backend.received
    assert str(card) not in span.to_json()
    assert span.attributes is not None
    assert span.attributes["several"] == ("[card]", "7") and span.attributes["port"] == 50061
    assert span.status.description == "CARD [card]"
