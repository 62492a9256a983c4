"""W3C trace context in gRPC metadata and Kafka headers, and the current one of a task.

A context is three numbers, cheap enough to make for every message whether or not a span is ever recorded. ``tracestate`` is not kept.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import NamedTuple

HEADER = "traceparent"
_FORMAT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")


class TraceContext(NamedTuple):
    """Place in a trace: 128-bit trace id, 64-bit span id, and whether spans are recorded."""

    trace_id: int
    span_id: int
    sampled: bool

    def child(self) -> TraceContext:
        """Return the context of a new span below this one."""
        return TraceContext(self.trace_id, random.getrandbits(64) or 1, self.sampled)

    def header(self) -> str:
        """Return the value of ``traceparent``."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{'01' if self.sampled else '00'}"

    @property
    def trace_id_bytes(self) -> bytes:
        """Return the 16 bytes of the trace id."""
        return self.trace_id.to_bytes(16, "big")


def new_root(*, sampled: bool) -> TraceContext:
    """Return the context of a new trace's first span."""
    return TraceContext(random.getrandbits(128) or 1, random.getrandbits(64) or 1, sampled)


def parse(header: str) -> TraceContext | None:
    """Return the context of a ``traceparent`` value, None when it is not one (W3C Trace Context, level 2)."""
    match = _FORMAT.match(header)
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & 1))


def from_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> TraceContext | None:
    """Return the context in gRPC metadata, if any."""
    for key, value in metadata:
        if key == HEADER and isinstance(value, str):
            return parse(value)
    return None


def from_headers(headers: Iterable[tuple[str, bytes | None]]) -> TraceContext | None:
    """Return the first context in Kafka headers, if any."""
    for key, value in headers:
        if key == HEADER and value is not None:
            context = parse(value.decode("ascii", "replace"))
            if context is not None:
                return context
    return None


def all_from_headers(headers: Iterable[tuple[str, bytes | None]]) -> list[TraceContext]:
    """Return every context in Kafka headers: a message that carries the outcome of a batch names each recorded request of it."""
    found = [parse(value.decode("ascii", "replace")) for key, value in headers if key == HEADER and value is not None]
    return [context for context in found if context is not None]


def to_header(context: TraceContext) -> tuple[str, bytes]:
    """Return the Kafka header of a context."""
    return HEADER, context.header().encode()


_current: ContextVar[TraceContext | None] = ContextVar("finmesh_trace", default=None)


def current() -> TraceContext | None:
    """Return the context of the work being done, None outside of a trace."""
    return _current.get()


def attach(context: TraceContext | None) -> Token[TraceContext | None]:
    """Make ``context`` the current one until ``detach``."""
    return _current.set(context)


def detach(token: Token[TraceContext | None]) -> None:
    """Make the one from before the current one again."""
    _current.reset(token)


@contextmanager
def attached(context: TraceContext | None) -> Iterator[None]:
    """Make ``context`` the current one."""
    token = attach(context)
    try:
        yield
    finally:
        detach(token)
