"""Spans, duration histograms and one log line for every call, incoming and outgoing. Health, reflection and channelz stay silent."""

from __future__ import annotations

import asyncio
import logging
import time

import grpc

from meshkit.errors import MeshError
from meshkit.rpc import status
from meshkit.rpc.chain import OWN_PREFIX, UNSCOPED, Call, Scope
from meshkit.telemetry import context as trace
from meshkit.telemetry import metrics, names, spans

_logger = logging.getLogger("finmesh.rpc")
Facts = dict[str, str | int | float | bool]

_OK = grpc.StatusCode.OK.name


def _outcome(error: BaseException | None) -> tuple[str, str | None]:
    """Return (status code name, stable reason or None)."""
    if error is None:
        return _OK, None
    if isinstance(error, asyncio.CancelledError):
        return grpc.StatusCode.CANCELLED.name, "CANCELLED"
    reason = error.reason if isinstance(error, MeshError) else MeshError.default_reason
    return status.code_of(error).name, reason


class ServerTelemetry:
    """Outermost middleware of every server; ``system``: what it speaks."""

    def __init__(self, system: str = "grpc") -> None:
        self.system = system
        self.duration = metrics.histogram(names.RPC_SERVER_DURATION, unit="s", description="duration of incoming calls")

    def __call__(self, call: Call) -> Scope:
        """Record the call once it is over."""
        return _Incoming(self, call) if call.is_ours else UNSCOPED


class _Incoming:
    """One incoming call."""

    __slots__ = ("_call", "_context", "_parent", "_telemetry", "_token")

    def __init__(self, telemetry: ServerTelemetry, call: Call) -> None:
        self._telemetry, self._call = telemetry, call

    def __enter__(self) -> None:
        self._parent = trace.from_metadata(self._call.metadata)
        self._context = spans.root() if self._parent is None else self._parent.child()
        self._token = trace.attach(self._context)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        call, end_ns = self._call, time.time_ns()
        method = call.method[1:]
        code, reason = _outcome(error)
        duration_s = (end_ns - call.start_ns) / 1e9
        self._telemetry.duration.record(duration_s, {names.RPC_METHOD: method, names.RPC_STATUS: code})
        facts: Facts = {names.RPC_SYSTEM: self._telemetry.system, names.RPC_METHOD: method, names.RPC_STATUS: code}
        if call.peer:
            facts[names.CALLER] = call.peer
        facts.update(call.facts)
        if self._context.sampled:
            spans.record(
                method,
                self._context,
                parent=self._parent,
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
        trace.detach(self._token)


class ClientCall:
    """Records an outgoing call below the current span, from ``begin`` to ``end``; what is not sampled costs its header alone."""

    __slots__ = ("_context", "_method", "_parent", "_start_ns", "_target")

    def __init__(self, method: str, target: str) -> None:
        self._method, self._target = method, target
        self._context: trace.TraceContext | None = None

    def begin(self) -> tuple[tuple[str, str], ...]:
        """Return the headers to send.

        Calls outside of a trace that go elsewhere, or that nobody records here, get none: the server begins the trace.
        """
        parent = trace.current()
        if parent is None and not (self._method.startswith(OWN_PREFIX) and spans.recording()):
            return ()
        context = self._context = spans.root() if parent is None else parent.child()
        if context.sampled:
            self._parent, self._start_ns = parent, time.time_ns()
        return ((trace.HEADER, context.header()),)

    def end(self, error: BaseException | None) -> None:
        """Record it; ``error`` as the caller sees it."""
        context = self._context
        if context is None or not context.sampled:
            return
        code, reason = _outcome(error)
        target = self._target
        host, _, port = (target, "", "") if "," in target else target.removeprefix("dns:///").rpartition(":")
        attributes: Facts = {
            names.RPC_SYSTEM: "grpc",
            names.RPC_METHOD: self._method[1:],
            names.RPC_STATUS: code,
            names.SERVER_ADDRESS: host,
        }
        if port.isdigit():
            attributes[names.SERVER_PORT] = int(port)
        spans.record(
            self._method[1:],
            context,
            parent=self._parent,
            start_ns=self._start_ns,
            end_ns=time.time_ns(),
            kind=spans.SpanKind.CLIENT,
            attributes=attributes,
            error=reason,
        )
