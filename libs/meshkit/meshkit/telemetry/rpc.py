"""Spans, duration histograms and one log line for every call, incoming and outgoing. Health, reflection and channelz stay silent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import grpc

from meshkit.errors import MeshError
from meshkit.rpc import status
from meshkit.rpc.chain import OWN_PREFIX, Call
from meshkit.telemetry import context as trace
from meshkit.telemetry import metrics, names, spans

_logger = logging.getLogger("finmesh.rpc")


def _outcome(error: BaseException | None) -> tuple[str, str | None]:
    """Return (status code name, stable reason or None)."""
    if error is None:
        return grpc.StatusCode.OK.name, None
    if isinstance(error, asyncio.CancelledError):
        return grpc.StatusCode.CANCELLED.name, "CANCELLED"
    reason = error.reason if isinstance(error, MeshError) else MeshError.default_reason
    return status.code_of(error).name, reason


class ServerTelemetry:
    """Outermost middleware of every server; ``system``: what it speaks."""

    def __init__(self, system: str = "grpc") -> None:
        self._system = system
        self._duration = metrics.histogram(names.RPC_SERVER_DURATION, unit="s", description="duration of incoming calls")

    @asynccontextmanager
    async def __call__(self, call: Call) -> AsyncIterator[None]:
        """Record the call once it is over."""
        if not call.is_ours:
            yield
            return
        parent = trace.from_metadata(call.metadata)
        context = spans.root() if parent is None else parent.child()
        error: BaseException | None = None
        with trace.attached(context):
            try:
                yield
            except BaseException as caught:
                error = caught
                raise
            finally:
                self._finish(call, context, parent, error)

    def _finish(self, call: Call, context: trace.TraceContext, parent: trace.TraceContext | None, error: BaseException | None) -> None:
        end_ns = time.time_ns()
        method = call.method[1:]
        code, reason = _outcome(error)
        duration_s = (end_ns - call.start_ns) / 1e9
        self._duration.record(duration_s, {names.RPC_METHOD: method, names.RPC_STATUS: code})
        facts: dict[str, str | int | float | bool] = {names.RPC_SYSTEM: self._system, names.RPC_METHOD: method, names.RPC_STATUS: code}
        if call.peer:
            facts[names.CALLER] = call.peer
        facts.update(call.facts)
        spans.record(
            method,
            context,
            parent=parent,
            start_ns=call.start_ns,
            end_ns=end_ns,
            kind=spans.SpanKind.SERVER,
            attributes=facts,
            error=reason,
        )
        if _logger.isEnabledFor(logging.INFO):
            if reason is not None:
                facts[names.ERROR_REASON] = reason
            facts["duration_ms"] = round(duration_s * 1e3, 3)
            _logger.info("rpc", extra={"facts": facts})


@contextmanager
def client_span(method: str, target: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """Record an outgoing call below the current span. Yields the headers to send.

    Calls outside of a trace that go elsewhere, or that nobody records here, get none: the server begins the trace.
    """
    parent = trace.current()
    if parent is None and not (method.startswith(OWN_PREFIX) and spans.recording()):
        yield ()
        return
    context = spans.root() if parent is None else parent.child()
    start_ns = time.time_ns()
    error: BaseException | None = None
    try:
        yield ((trace.HEADER, context.header()),)
    except BaseException as caught:
        error = caught
        raise
    finally:
        code, reason = _outcome(error)
        host, _, port = (target, "", "") if "," in target else target.removeprefix("dns:///").rpartition(":")
        attributes: dict[str, str | int | float | bool] = {
            names.RPC_SYSTEM: "grpc",
            names.RPC_METHOD: method[1:],
            names.RPC_STATUS: code,
            names.SERVER_ADDRESS: host,
        }
        if port.isdigit():
            attributes[names.SERVER_PORT] = int(port)
        spans.record(
            method[1:],
            context,
            parent=parent,
            start_ns=start_ns,
            end_ns=time.time_ns(),
            kind=spans.SpanKind.CLIENT,
            attributes=attributes,
            error=reason,
        )
