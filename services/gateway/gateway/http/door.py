"""The ASGI application: which path is what, who may come in, and how an error is told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Protocol

from finmesh.otc.v1 import otc_service_pb2 as otc
from finmesh.router.v1 import router_service_pb2 as router
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import DeadlineExceeded, InvalidArgument, MeshError, NotFound, Overloaded, Unavailable
from meshkit.rpc import metadata
from meshkit.rpc.chain import Call
from meshkit.rpc.peer import Peers, Refused
from meshkit.telemetry import names
from meshkit.telemetry.rpc import ServerTelemetry

from gateway.domain.call import Caller, thumbprint
from gateway.domain.route import Route
from gateway.http import generations
from gateway.http.calls import Exchange, Facts, Headers
from gateway.http.generations import SCENARIO, Generations
from gateway.http.knowledge import Questions
from gateway.http.pump import CallerGone
from gateway.openai import answers, inquiries, knowledge, requests
from gateway.openai.errors import JSON_TYPE, failure_of
from gateway.ports import Quotas
from gateway.steps.admit import Unpacked
from gateway.translate import Envelope, inquiry_bound
from gateway.usecases.forward import Forward
from gateway.usecases.forward_stream import ForwardStream

_MODELS, _INQUIRIES = "/v1/models", "/v1/otc/inquiries"
_READERS: Mapping[str, tuple[str, generations.Read]] = {
    "/v1/chat/completions": ("chat.completions", requests.chat),
    "/v1/completions": ("completions", requests.text),
}
_METHODS = {_INQUIRIES: "otc.inquiries"}
_logger = logging.getLogger(__name__)
Permits = Callable[[Route, Caller, str], bool]


class Settings(generations.Settings, Protocol):
    """What the door is told; see ``config.HttpSettings``."""

    header_bytes: int
    knowledge: frozenset[str]


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
        quotas: Quotas,
        permits: Permits,
        assumed_output_tokens: int,
        concurrent_calls: int,
        slow_reader_s: float,
        connection_age_s: float,
    ) -> None:
        """``callers``: workloads that may come, None where nobody has a certificate. ``permits``: whether the policy lets a caller in."""
        self._settings, self._forward, self._list_models = settings, forward, routes["ListModels"]
        self._parse_inquiry = routes["ParseOtcInquiry"]
        self._generations = Generations(settings, routes["Generate"], forward_stream, quotas, assumed_output_tokens)
        self._ask, self._permits = routes["Ask"], permits
        self._questions = Questions(settings, self._ask, forward_stream, quotas)
        self._telemetry = ServerTelemetry("openai")
        self._peers = None if callers is None else Peers(callers, refused)
        self._slow_reader_s, self._connection_age_s = slow_reader_s, connection_age_s
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
            async with self._around(exchange, request_id) as (caller, facts):
                await self._answer(exchange, caller, facts, headers)
        except CallerGone:
            return
        except asyncio.CancelledError:
            await self._tell(exchange, Unavailable("the door is closing", reason="UNAVAILABLE", retry_after_s=1.0), headers)
            raise
        except Exception as error:
            await self._tell(exchange, error, headers)

    @asynccontextmanager
    async def _around(self, exchange: Exchange, request_id: str) -> AsyncIterator[tuple[Caller, Facts]]:
        """What every call goes through: size of headers, number of calls, span and log line, certificate. Yields the facts of the span."""
        known = _READERS.get(exchange.path)
        method = known[0] if known else "models" if _is_of_models(exchange.path) else _METHODS.get(exchange.path, "unknown")
        call = exchange.call(method)
        call.facts[names.REQUEST_ID] = request_id
        async with AsyncExitStack() as stack:
            stack.enter_context(self._telemetry(call))
            if sum(len(name) + len(value) + 4 for name, value in exchange.headers) > self._settings.header_bytes:
                raise InvalidArgument("the headers are too large", reason="HEADERS_TOO_LARGE")
            if self._free.locked():
                raise Overloaded("too many calls", retry_after_s=1.0)
            await stack.enter_async_context(self._free)
            if self._peers is not None:
                stack.enter_context(self._peers(call))
            try:
                yield _caller(exchange, call, request_id), call.facts
            except (MeshError, CallerGone):
                raise
            except Exception:
                _logger.exception("request failed", extra={"facts": {names.RPC_METHOD: method}})
                raise

    async def _answer(self, exchange: Exchange, caller: Caller, facts: Facts, headers: Headers) -> None:
        content = await exchange.body(self._settings.body_bytes, self._settings.body_s)  # also what nobody wants: it is in the way
        if _is_of_models(exchange.path):
            _check_verb(exchange, "GET")
            await exchange.answer(200, [*headers, JSON_TYPE], await self._models(exchange, caller))
        elif exchange.path in _READERS:
            _check_verb(exchange, "POST")
            await self._text(exchange, caller, content, headers, facts)
        elif exchange.path == _INQUIRIES:
            _check_verb(exchange, "POST")
            await exchange.answer(200, [*headers, JSON_TYPE], await self._inquiry(exchange, caller, content))
        else:
            raise NotFound("there is no such path", reason="PATH_UNKNOWN")

    async def _text(self, exchange: Exchange, caller: Caller, content: bytes, headers: Headers, facts: Facts) -> None:
        """A generation, or an answer from documents: the body says which, and is read after the token."""
        aliases = self._settings.aliases
        try:
            await self._generations(exchange, caller, partial(_READERS[exchange.path][1], content, aliases), headers, facts)
        except requests.ForKnowledge:
            await self._questions(exchange, caller, partial(knowledge.read, content, aliases), headers, facts)

    async def _models(self, exchange: Exchange, caller: Caller) -> bytes:
        """Return the models of the caller's scenario, and the documents that they may ask."""
        scenario = exchange.header(SCENARIO).decode("latin-1")
        asked = [each for each in sorted(self._settings.knowledge) if scenario in ("", each) and self._permits(self._ask, caller, each)]
        if asked and not self._permits(self._list_models, caller, scenario or self._list_models.scenario):
            return self._listed(exchange, knowledge.models(asked))

        def unpack(tenant: str) -> Unpacked:
            body = router.ListModelsRequest(tenant=tenant, scenario=scenario).SerializeToString(deterministic=True)
            return Envelope(tenant=tenant, scenario=scenario, grade=0, idempotency_key="", body=body)

        listed = router.ListModelsResponse.FromString(await self._forward(self._list_models, caller, unpack))
        return self._listed(exchange, [*answers.models(listed.models, self._settings.aliases), *knowledge.models(asked)])

    def _listed(self, exchange: Exchange, found: list[dict[str, Any]]) -> bytes:
        if exchange.path == _MODELS:
            return answers.dumped({"object": "list", "data": found})
        name = exchange.path.removeprefix(_MODELS + "/")
        for model in found:
            if model["id"] == name:
                return answers.dumped(model)
        raise NotFound("there is no such model", reason="MODEL_UNKNOWN")

    async def _inquiry(self, exchange: Exchange, caller: Caller, content: bytes) -> bytes:
        """Read what a client of the OTC desk wrote."""

        def unpack(tenant: str) -> Unpacked:
            generations.check_type(exchange)
            request = inquiries.read(content)
            scenario, grade = exchange.header(SCENARIO).decode("latin-1"), generations.grade(exchange, self._settings.grade)
            request.tenant, request.scenario, request.grade = tenant, scenario, grade  # type: ignore[assignment]
            body = request.SerializeToString(deterministic=True)
            if len(body) > self._parse_inquiry.request_bytes:
                raise InvalidArgument("the text is too long", reason="TEXT_TOO_LONG")
            return Envelope(tenant, scenario, grade, idempotency_key="", body=body, tokens=inquiry_bound(len(body)))

        found = await self._forward(self._parse_inquiry, caller, unpack)
        return inquiries.answer(otc.ParseOtcInquiryResponse.FromString(found))

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


def _is_of_models(path: str) -> bool:
    return path == _MODELS or path.startswith(_MODELS + "/")


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
