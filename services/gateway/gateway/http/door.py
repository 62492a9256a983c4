"""The ASGI application: which path is what, who may come in, and how an answer or an error is told.

A stream's status waits for its first token or error, at most ``first_s``: an error that comes in time has its own status. Afterwards every
stream ends with ``[DONE]`` or one error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from finmesh.router.v1 import router_service_pb2 as router
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import DeadlineExceeded, InvalidArgument, MeshError, NotFound, Overloaded, Unavailable
from meshkit.rpc import metadata
from meshkit.rpc.chain import Call
from meshkit.rpc.peer import Peers, Refused
from meshkit.telemetry import names
from meshkit.telemetry.rpc import ServerTelemetry

from gateway.domain.call import Caller, thumbprint
from gateway.domain.route import Route, Stream
from gateway.http.calls import Exchange, Headers
from gateway.http.pump import CallerGone, Idle, Pump, pumped
from gateway.openai import answers, requests
from gateway.openai.answers import DONE, Answer
from gateway.openai.errors import JSON_TYPE, failure_of
from gateway.steps.admit import Unpacked
from gateway.translate import Envelope, bound
from gateway.usecases.forward import Forward
from gateway.usecases.forward_stream import ForwardStream

SCENARIO, GRADE = b"x-finmesh-scenario", b"x-finmesh-grade"
_MODELS = "/v1/models"
_READERS = {"/v1/chat/completions": ("chat.completions", requests.chat), "/v1/completions": ("completions", requests.text)}
_KEEPALIVE = b": keep-alive\n\n"
_EVENTS: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
_logger = logging.getLogger(__name__)


class Settings(Protocol):
    """What the door is told; see ``config.HttpSettings``."""

    grade: int
    aliases: dict[str, str]
    first_s: float
    keepalive_s: float
    header_bytes: int
    body_bytes: int
    body_s: float


class Door:
    """The application."""

    def __init__(
        self,
        settings: Settings,
        routes: Mapping[str, Route],
        forward: Forward,
        forward_stream: ForwardStream,
        *,
        callers: Collection[str] | None,
        refused: Refused,
        limits: Mapping[str, int],
        assumed_output_tokens: int,
        concurrent_calls: int,
        slow_reader_s: float,
        connection_age_s: float,
    ) -> None:
        """``callers``: workloads that may come, None where nobody has a certificate; ``limits``: tokens a minute, by kind."""
        self._settings, self._forward, self._forward_stream = settings, forward, forward_stream
        self._generate, self._list_models = routes["Generate"], routes["ListModels"]
        assert self._generate.stream is not None
        self._bounds: Stream = self._generate.stream
        self._telemetry = ServerTelemetry("openai")
        self._peers = None if callers is None else Peers(callers, refused)
        self._limits: Headers = [(f"x-ratelimit-limit-{kind}".encode(), b"%d" % limit) for kind, limit in limits.items()]
        self._assumed_output_tokens, self._slow_reader_s, self._connection_age_s = assumed_output_tokens, slow_reader_s, connection_age_s
        self._free = asyncio.Semaphore(concurrent_calls)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise NotImplementedError("only HTTP is served")
        exchange = Exchange(scope, receive, send, self._slow_reader_s)
        request_id = uuid7()
        headers: Headers = [(metadata.REQUEST_ID.encode(), request_id.encode())]
        if time.monotonic() - exchange.connection.since_s > self._connection_age_s:
            headers.append((b"connection", b"close"))
        try:
            async with self._around(exchange, request_id) as caller:
                await self._answer(exchange, caller, headers)
        except CallerGone:
            return
        except asyncio.CancelledError:
            await self._tell(exchange, Unavailable("the door is closing", reason="UNAVAILABLE", retry_after_s=1.0), headers)
            raise
        except Exception as error:
            await self._tell(exchange, error, headers)

    @asynccontextmanager
    async def _around(self, exchange: Exchange, request_id: str) -> AsyncIterator[Caller]:
        """What every call goes through: size of headers, number of calls, span and log line, certificate."""
        method = _READERS.get(exchange.path, ("models" if exchange.path.startswith(_MODELS) else "unknown", None))[0]
        call = exchange.call(method)
        call.facts[names.REQUEST_ID] = request_id
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._telemetry(call))
            if sum(len(name) + len(value) + 4 for name, value in exchange.headers) > self._settings.header_bytes:
                raise InvalidArgument("the headers are too large", reason="HEADERS_TOO_LARGE")
            if self._free.locked():
                raise Overloaded("too many calls", retry_after_s=1.0)
            await stack.enter_async_context(self._free)
            if self._peers is not None:
                await stack.enter_async_context(self._peers(call))
            try:
                yield _caller(exchange, call, request_id)
            except (MeshError, CallerGone):
                raise
            except Exception:
                _logger.exception("request failed", extra={"facts": {names.RPC_METHOD: method}})
                raise

    async def _answer(self, exchange: Exchange, caller: Caller, headers: Headers) -> None:
        if exchange.path == _MODELS or exchange.path.startswith(_MODELS + "/"):
            _check_verb(exchange, "GET")
            await exchange.answer(200, [*headers, JSON_TYPE], await self._models(exchange, caller))
        elif exchange.path in _READERS:
            _check_verb(exchange, "POST")
            await self._generated(exchange, caller, headers)
        else:
            raise NotFound("there is no such path", reason="PATH_UNKNOWN")

    async def _models(self, exchange: Exchange, caller: Caller) -> bytes:
        scenario = exchange.header(SCENARIO).decode("latin-1")

        def unpack(tenant: str) -> Unpacked:
            body = router.ListModelsRequest(tenant=tenant, scenario=scenario).SerializeToString(deterministic=True)
            return Envelope(tenant=tenant, scenario=scenario, grade=0, idempotency_key="", body=body)

        listed = router.ListModelsResponse.FromString(await self._forward(self._list_models, caller, unpack))
        found = answers.models(listed.models, self._settings.aliases)
        if exchange.path == _MODELS:
            return answers.dumped({"object": "list", "data": found})
        name = exchange.path.removeprefix(_MODELS + "/")
        for model in found:
            if model["id"] == name:
                return answers.dumped(model)
        raise NotFound("there is no such model", reason="MODEL_UNKNOWN")

    async def _generated(self, exchange: Exchange, caller: Caller, headers: Headers) -> None:
        content = await exchange.body(self._settings.body_bytes, self._settings.body_s)
        read = _READERS[exchange.path][1]
        asked: requests.Asked | None = None

        def unpack(tenant: str) -> Unpacked:
            nonlocal asked
            _check_type(exchange)
            asked = read(content, self._settings.aliases)
            request, scenario = asked.request, exchange.header(SCENARIO).decode("latin-1")
            request.tenant, request.scenario, request.grade = tenant, scenario, _grade(exchange, self._settings.grade)  # type: ignore[assignment]
            body = request.SerializeToString(deterministic=True)
            if len(body) > self._generate.request_bytes:
                raise InvalidArgument(f"the prompt is larger than {self._generate.request_bytes} bytes", reason="PROMPT_TOO_LONG")
            tokens = bound(request, len(body), self._assumed_output_tokens)
            return Envelope(tenant=tenant, scenario=scenario, grade=request.grade, idempotency_key="", body=body, tokens=tokens)

        parts = self._forward_stream(self._generate, self._bounds, caller, unpack)
        begin_s = asyncio.get_running_loop().time() + self._settings.first_s
        async with pumped(parts, exchange.gone) as pump:
            first = b""
            try:
                first = await pump.next(self._settings.first_s)
            except Idle:  # whatever the router does, the request was read by now
                assert asked is not None, "a request is read before its owner is asked"
            assert asked is not None, "the first part comes after the request was read"
            answer = Answer(asked, int(time.time()))
            if asked.streams:
                stream = _Events(exchange, [*headers, *self._limits, *_EVENTS], begin_s, self._settings.keepalive_s)
                await stream.send(pump, first, answer)
                return
            part = first or await pump.next()
            while part:
                answer.take(router.GenerateResponse.FromString(part))
                part = await pump.next()
            await exchange.answer(200, [*headers, *self._limits, JSON_TYPE], answer.whole())

    async def _tell(self, exchange: Exchange, error: BaseException, headers: Headers) -> None:
        """Tell of an error: by its status, or as the last event of a stream that began. Nobody may be there any more."""
        if isinstance(error, DeadlineExceeded) and error.reason == "READER_TOO_SLOW":
            return
        failure = failure_of(error)
        if exchange.has_begun:
            await exchange.write(answers.event({"error": failure.body}), last=True)
            return
        if failure.status in (408, 413):  # bytes of the body may still come, which nobody reads
            headers = [*headers, (b"connection", b"close")]
        await exchange.answer(failure.status, [*headers, *failure.headers], failure.content)


class _Events:
    """Sends a stream. What fails before it began is told by its status."""

    def __init__(self, exchange: Exchange, headers: Headers, begin_s: float, keepalive_s: float) -> None:
        self._exchange, self._headers, self._begin_s, self._keepalive_s = exchange, headers, begin_s, keepalive_s

    async def send(self, pump: Pump, first: bytes, answer: Answer) -> None:
        """Send what comes, to the end."""
        part = first or await self._next(pump)
        while part:
            for event in answer.take(router.GenerateResponse.FromString(part)):
                await self._write(event)
            part = await self._next(pump)
        if not answer.is_whole:
            raise Unavailable("the answer broke off", reason="STREAM_BROKEN")
        await self._exchange.write(DONE, last=True)

    async def _next(self, pump: Pump) -> bytes:
        while True:
            try:
                return await pump.next(self._wait_s())
            except Idle:
                await self._write(_KEEPALIVE)

    def _wait_s(self) -> float:
        return self._keepalive_s if self._exchange.has_begun else max(0.0, self._begin_s - asyncio.get_running_loop().time())

    async def _write(self, content: bytes) -> None:
        if not self._exchange.has_begun:
            await self._exchange.begin(200, self._headers)
        await self._exchange.write(content)


def _caller(exchange: Exchange, call: Call, request_id: str) -> Caller:
    return Caller(
        authorization=exchange.header(b"authorization").decode("latin-1"),
        workload=call.peer,
        purpose=exchange.header(metadata.PURPOSE.encode()).decode("latin-1"),
        request_id=request_id,
        certificate_sha256=lambda: thumbprint(exchange.connection.certificate) if exchange.connection.certificate else "",
    )


def _check_verb(exchange: Exchange, verb: str) -> None:
    if exchange.verb != verb:
        raise InvalidArgument(f"this path takes {verb}", reason="METHOD_NOT_ALLOWED", metadata={"allow": verb})


def _check_type(exchange: Exchange) -> None:
    if exchange.header(b"content-type").partition(b";")[0].strip().lower() != b"application/json":
        raise InvalidArgument("the body must be application/json", reason="CONTENT_TYPE_UNSUPPORTED")


def _grade(exchange: Exchange, otherwise: int) -> int:
    stated = exchange.header(GRADE)
    if not stated:
        return otherwise
    if stated not in (b"L1", b"L2", b"L3", b"L4", b"L5"):
        raise InvalidArgument(f"{GRADE.decode()} must be L1 to L5", reason="GRADE_INVALID")
    return int(stated[1:])
