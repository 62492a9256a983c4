"""The one place that adapts a middleware to gRPC's four call shapes.

A middleware is a function from ``Call`` to a context manager, which waits for nothing: it is entered before the handler runs, exceptions
pass through it, and whatever leaves the outermost one becomes a typed status here. Requests are parsed inside the chain, so that bytes
which are no message give INVALID_ARGUMENT and not gRPC's own UNKNOWN. Surprising: scopes are entered and left by hand, because a call is
short, and stacks and generators of contextlib would cost as much as what they hold.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from contextvars import ContextVar
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from meshkit.errors import DeadlineExceeded, InvalidArgument, MeshError
from meshkit.rpc import status

OWN_PREFIX = "/finmesh."
_ABORT_S = 1.0
_logger = logging.getLogger(__name__)
_current: ContextVar[Call | None] = ContextVar("finmesh_call", default=None)


class Call:
    """One incoming call, shared by middlewares and handler. ``facts`` end up in the span and the log line: no personal data."""

    __slots__ = ("_headers", "context", "facts", "is_ours", "metadata", "method", "peer", "principal", "start_ns")

    def __init__(self, method: str, context: Any) -> None:
        self.method = method
        self.context: aio.ServicerContext[Any, Any] = context
        self.metadata: Sequence[tuple[str, str | bytes]] = context.invocation_metadata() or ()
        self.is_ours = method.startswith(OWN_PREFIX)
        self.peer = ""  # workload name from the certificate; empty on a clear-text loopback server
        self.principal = ""
        self.facts: dict[str, str | int | float | bool] = {}
        self.start_ns = time.time_ns()
        self._headers: dict[str, str | bytes | None] | None = None  # by name, None for one that is repeated

    def header(self, name: str) -> str | None:
        """Return a text header, None when absent. Raises InvalidArgument when it is repeated."""
        headers = self._headers
        if headers is None:
            headers = self._headers = {}
            for key, sent in self.metadata:
                headers[key] = None if key in headers else sent
        value = headers.get(name, "")
        if value:
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
        if value is None:
            raise InvalidArgument(f"header {name} is repeated", reason="HEADER_REPEATED")
        return "" if name in headers else None


Scope = AbstractContextManager[None]
UNSCOPED: Scope = nullcontext()
"""Of a middleware that has nothing to do for a call."""
Middleware = Callable[[Call], Scope]


def current_call() -> Call:
    """Return the call being handled. Raises LookupError outside of one."""
    call = _current.get()
    if call is None:
        raise LookupError("no call is being handled")
    return call


class Chain(aio.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """Server interceptor that runs every handler inside the given middlewares, outermost first.

    ``slow_reader_s``: how long one message of a stream may wait for its reader. gRPC buffers a message and the flow-control windows, then a
    write waits; a reader that stops for longer ends its stream with READER_TOO_SLOW.
    """

    def __init__(self, middlewares: Sequence[Middleware], slow_reader_s: float = 30.0) -> None:
        self._middlewares = tuple(middlewares)
        self._slow_reader_s = slow_reader_s
        self._wrapped: dict[str, tuple[Any, Any]] = {}

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """Return the wrapped handler; None (UNIMPLEMENTED) for unknown methods."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method: str = handler_call_details.method
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = (handler, self._wrap(method, handler))
            self._wrapped[method] = known
        return known[1]

    async def _failed(self, method: str, scopes: list[Scope], error: BaseException, context: Any) -> NoReturn:
        """Leave the scopes, each of which may put another error in this one's place, and tell the caller of what is left."""
        if isinstance(error, Exception) and not isinstance(error, (MeshError, aio.AbortError)):  # while the trace is still the current one
            _logger.error("handler failed", exc_info=error, extra={"facts": {"rpc.method": method}})
        try:
            while scopes:
                try:
                    scopes.pop().__exit__(type(error), error, error.__traceback__)
                except BaseException as other:
                    error = other
            if not isinstance(error, Exception) or isinstance(error, aio.AbortError):
                raise error
            code, message, details = status.to_status(error)
            try:
                async with asyncio.timeout(_ABORT_S):
                    await context.abort(code, message, ((status.DETAILS_KEY, details),))
            except TimeoutError:  # it waits behind data that nobody reads, at most until the connection's age: the handler ends now
                pass
            raise aio.AbortError
        finally:
            del error  # its trace holds this frame

    async def _written(self, response: Any, context: Any) -> None:
        try:
            async with asyncio.timeout(self._slow_reader_s) as scope:
                await context.write(response)
        except TimeoutError:
            if not scope.expired():
                raise
            raise DeadlineExceeded("the reader is too slow", reason="READER_TOO_SLOW") from None

    def _wrap(self, method: str, handler: Any) -> Any:
        parse = _parser(handler.request_deserializer)
        shape = ("stream" if handler.request_streaming else "unary") + "_" + ("stream" if handler.response_streaming else "unary")
        behavior: Callable[[Any, Any], Any] = getattr(handler, shape)

        middlewares, failed, written = self._middlewares, self._failed, self._written

        def requests(raw: Any) -> Any:
            return (parse(message) async for message in raw) if handler.request_streaming else parse(raw)

        def enter(context: Any, scopes: list[Scope]) -> None:
            call = Call(method, context)
            _current.set(call)
            for middleware in middlewares:
                scope = middleware(call)
                scope.__enter__()
                scopes.append(scope)

        if inspect.isasyncgenfunction(behavior):

            async def adapted_stream(raw: Any, context: Any) -> None:  # no generator: one that is abandoned ends when somebody collects it
                scopes: list[Scope] = []
                try:
                    enter(context, scopes)
                    async with aclosing(behavior(requests(raw), context)) as responses:
                        async for response in responses:
                            await written(response, context)
                    while scopes:
                        scopes.pop().__exit__(None, None, None)
                except BaseException as error:
                    await failed(method, scopes, error, context)

            adapted: Any = adapted_stream
        elif inspect.iscoroutinefunction(behavior):

            async def adapted_unary(raw: Any, context: Any) -> Any:
                scopes: list[Scope] = []
                try:
                    enter(context, scopes)
                    response = await behavior(requests(raw), context)
                    while scopes:
                        scopes.pop().__exit__(None, None, None)
                    return response
                except BaseException as error:
                    await failed(method, scopes, error, context)

            adapted = adapted_unary
        else:
            raise TypeError(f"{method}: a handler is an async function or an async generator")
        make: Any = getattr(grpc, f"{shape}_rpc_method_handler")
        return make(adapted, request_deserializer=None, response_serializer=handler.response_serializer)


def _parser(deserializer: Callable[[bytes], Any] | None) -> Callable[[Any], Any]:
    if deserializer is None:
        return lambda raw: raw

    def parse(raw: bytes) -> Any:
        try:
            return deserializer(raw)
        except (DecodeError, UnicodeDecodeError):
            raise InvalidArgument("the bytes are no such message", reason="MALFORMED_MESSAGE") from None

    return parse
