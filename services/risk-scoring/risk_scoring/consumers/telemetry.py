"""Spans and metrics of the stream, written when a batch is done.

The decision is known before its span need exist: a span is written only where the parent is sampled or the outcome asks for more than
approve.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from meshkit.events.message import Record
from meshkit.telemetry import metrics, names, spans
from meshkit.telemetry.context import TraceContext
from opentelemetry.trace import SpanKind

from risk_scoring.domain.decision import Verdict
from risk_scoring.steps.timeline import Timeline


def write_spans(
    partition: int,
    contexts: Sequence[tuple[Record, TraceContext]],
    decided: Sequence[tuple[Verdict, TraceContext]],
    timeline: Timeline,
) -> None:
    """Write the spans of the recorded messages of one batch: process, its parts, publish."""
    end_ns = time.time_ns()
    start_ns = timeline.parts[0][1] if timeline.parts else end_ns
    by_offset = {record.offset: (record, context) for record, context in contexts}
    for verdict, own in decided:
        record, parent = by_offset[verdict.request.offset]
        if not own.sampled:
            continue
        spans.record(
            f"process {record.topic}",
            own,
            parent=parent,
            start_ns=start_ns,
            end_ns=end_ns,
            kind=SpanKind.CONSUMER,
            attributes={
                names.MESSAGING_SYSTEM: "kafka",
                names.MESSAGING_DESTINATION: record.topic,
                names.MESSAGING_OPERATION_TYPE: "process",
                names.MESSAGING_PARTITION: str(partition),
                names.KAFKA_OFFSET: record.offset,
                names.MESSAGING_BATCH_COUNT: len(decided),
            },
        )
        timeline.record_below(own)


class Instruments:
    """Counters and histograms of the stream."""

    def __init__(self) -> None:
        meter = metrics.meter()
        self._decisions = meter.create_counter("finmesh.risk.decisions", description="decisions published by the stream")
        self._dead = meter.create_counter("finmesh.risk.dead_letters", description="events that could not be decided")
        self._batch = metrics.histogram(
            "finmesh.risk.batch.size", unit="{record}", description="records decided together", buckets=metrics.BATCH_BUCKETS
        )
        self._latency = metrics.histogram("finmesh.risk.stream.latency", unit="s", description="produced to decided, before the commit")

    def batch(
        self, partition: int, decided: Sequence[tuple[Verdict, TraceContext]], records: Sequence[Record], dead: int, now_s: float
    ) -> None:
        """Count one batch."""
        attributes = {names.MESSAGING_PARTITION: str(partition)}
        friction = sum(verdict.friction for verdict, _ in decided)
        self._decisions.add(len(decided) - friction, {**attributes, "friction": "no"})
        self._decisions.add(friction, {**attributes, "friction": "yes"})
        if dead:
            self._dead.add(dead, attributes)
        self._batch.record(len(decided), attributes)
        for record in records[:: max(len(records) // 4, 1)]:
            self._latency.record(max(now_s - record.timestamp / 1000, 0.0), attributes)
