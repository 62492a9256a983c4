"""When each part of a batch began and ended, so that spans can be written afterwards for the few messages that are recorded."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from meshkit.telemetry import names, spans
from meshkit.telemetry.context import TraceContext
from meshkit.telemetry.spans import SpanKind

_REDIS = {names.DB_SYSTEM: "redis", names.PEER_SERVICE: "redis"}
_KAFKA = {names.MESSAGING_SYSTEM: "kafka", names.MESSAGING_OPERATION_TYPE: "send", names.PEER_SERVICE: "kafka"}
_SPANS: dict[str, tuple[str, SpanKind, dict[str, str]]] = {
    "observe": ("observe", SpanKind.CLIENT, _REDIS),
    "score": ("infer fraud", SpanKind.CLIENT, {names.MODEL_NAME: "fraud", names.PEER_SERVICE: "triton"}),
    "score in process": ("infer fraud in process", SpanKind.INTERNAL, {names.MODEL_NAME: "fraud"}),
    "finalise": ("finalise", SpanKind.CLIENT, _REDIS),
    "publish": ("publish", SpanKind.PRODUCER, _KAFKA),
    "confirm": ("confirm", SpanKind.CLIENT, _REDIS),
}


@dataclass(slots=True)
class Timeline:
    """Parts by name with start and end in nanoseconds since the epoch, in order."""

    parts: list[tuple[str, int, int]] = field(default_factory=list)

    def record_below(self, parent: TraceContext) -> None:
        """Record the parts as spans below a request's own span, if that is sampled."""
        if not parent.sampled:
            return
        for name, start_ns, end_ns in self.parts:
            if name in _SPANS:
                title, kind, attributes = _SPANS[name]
                spans.record(title, parent.child(), parent=parent, start_ns=start_ns, end_ns=end_ns, kind=kind, attributes=attributes)

    def part(self, name: str) -> _Part:
        """Time a block."""
        return _Part(self.parts, name)


class _Part:
    """A block, noted when it ends, however it does."""

    __slots__ = ("_name", "_parts", "_start_ns")

    def __init__(self, parts: list[tuple[str, int, int]], name: str) -> None:
        self._parts, self._name = parts, name

    def __enter__(self) -> None:
        self._start_ns = time.time_ns()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._parts.append((self._name, self._start_ns, time.time_ns()))


def record_wait(parent: TraceContext, start_ns: int, end_ns: int) -> None:
    """Record how long a synchronous request waited for the batch before its own (coalescing)."""
    spans.record("coalesce", parent.child(), parent=parent, start_ns=start_ns, end_ns=end_ns)
