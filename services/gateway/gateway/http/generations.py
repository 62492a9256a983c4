"""The two methods that generate: a body in, a document or a stream out.

A stream's status waits for its first token or error, at most ``first_s``: an error that comes in time has its own status. Afterwards every
stream ends with ``[DONE]`` or one error. Several prompts of one request are generations of their own, side by side: each is admitted,
metered and recorded by itself, and the first that fails ends them all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Protocol

from finmesh.router.v1 import router_service_pb2 as router
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import InvalidArgument
from meshkit.telemetry import names

from gateway.domain.call import Caller
from gateway.domain.route import Route
from gateway.domain.token_bucket import RateLeft
from gateway.http.calls import Exchange, Facts, Headers
from gateway.http.events import Events
from gateway.http.pump import Idle, Part, Pump, pumping
from gateway.openai import limits, requests
from gateway.openai.answers import Answer
from gateway.openai.errors import JSON_TYPE
from gateway.ports import Quotas
from gateway.steps.admit import Unpacked
from gateway.steps.meter import Metered
from gateway.translate import Envelope, bound
from gateway.usecases.forward_stream import ForwardStream

SCENARIO, GRADE = b"x-finmesh-scenario", b"x-finmesh-grade"
_OPERATIONS: Mapping[requests.Kind, str] = {"chat": "chat", "text": "text_completion"}
Read = Callable[[bytes, Mapping[str, str]], requests.Asked]
"""Of a body and the aliases of models. Raises InvalidArgument."""


class Settings(Protocol):
    """See ``config.HttpSettings``."""

    grade: int
    aliases: dict[str, str]
    first_s: float
    keepalive_s: float
    body_bytes: int
    body_s: float


class Generations:
    """Both methods."""

    def __init__(self, settings: Settings, route: Route, forward_stream: ForwardStream, quotas: Quotas, assumed_output_tokens: int) -> None:
        assert route.stream is not None
        self._settings, self._route, self._bounds, self._forward_stream = settings, route, route.stream, forward_stream
        self._quotas = quotas
        self._assumed_output_tokens = assumed_output_tokens

    async def __call__(
        self, exchange: Exchange, caller: Caller, read: Callable[[], requests.Asked], headers: Headers, facts: Facts
    ) -> None:
        """Answer. Raises typed errors, and ``CallerGone``. ``read`` reads the body, after the token; ``facts`` are the span's."""
        begin_s = asyncio.get_running_loop().time() + self._settings.first_s
        async with pumping(exchange.gone) as pump:
            asked: requests.Asked | None = None
            tokens: Metered | None = None

            def metered(told: Metered) -> None:
                nonlocal tokens
                tokens = told

            def unpack(tenant: str) -> Unpacked:
                nonlocal asked
                check_type(exchange)
                asked = read()
                for request in asked.requests[1:]:
                    pump.add(self._stream(exchange, caller._replace(request_id=uuid7()), request))
                return self._envelope(exchange, tenant, asked.request)

            pump.add(self._forward_stream(self._route, self._bounds, caller, unpack, metered))
            first: Part | None = None
            try:
                first = await pump.next(self._settings.first_s)
            except Idle:  # whatever the router does, the request was read by now
                assert asked is not None, "a request is read before its owner is asked"
            assert asked is not None, "the first part comes after the request was read"
            answer = Answer(asked, int(time.time()))
            headers = [*headers, *limits.requests(self._left(asked.request)), *limits.tokens(tokens.left if tokens else ())]
            try:
                if asked.streams:
                    stream = Events(exchange, headers, begin_s, self._settings.keepalive_s)
                    await stream.send(pump, first, partial(_taken, answer), lambda: answer.is_whole)
                else:
                    await _collect(pump, first, answer)
                    await exchange.answer(200, [*headers, JSON_TYPE], answer.whole())
            finally:
                facts |= _told(asked, answer)

    def _left(self, request: router.GenerateRequest) -> RateLeft:
        return self._quotas.left(request.tenant, self._route.scenario_of(request.scenario), self._route.quota_class)

    def _stream(self, exchange: Exchange, caller: Caller, request: router.GenerateRequest) -> AsyncGenerator[bytes, None]:
        return self._forward_stream(self._route, self._bounds, caller, lambda tenant: self._envelope(exchange, tenant, request))

    def _envelope(self, exchange: Exchange, tenant: str, request: router.GenerateRequest) -> Envelope:
        scenario, stated = exchange.header(SCENARIO).decode("latin-1"), grade(exchange, self._settings.grade)
        request.tenant, request.scenario, request.grade = tenant, scenario, stated  # type: ignore[assignment]
        body = request.SerializeToString(deterministic=True)
        if len(body) > self._route.request_bytes:
            raise InvalidArgument(f"the prompt is larger than {self._route.request_bytes} bytes", reason="PROMPT_TOO_LONG")
        tokens = bound(request, len(body), self._assumed_output_tokens)
        return Envelope(tenant=tenant, scenario=scenario, grade=stated, idempotency_key="", body=body, tokens=tokens)


async def _collect(pump: Pump, first: Part | None, answer: Answer) -> None:
    part = first or await pump.next()
    while part is not None:
        _taken(answer, part)
        part = await pump.next()


def _taken(answer: Answer, part: Part) -> list[bytes]:
    return answer.take(router.GenerateResponse.FromString(part.content), part.stream)


def _told(asked: requests.Asked, answer: Answer) -> Facts:
    """What the span says of an answer: names once the router knows the model, counts once it is whole."""
    found: Facts = {names.GENAI_OPERATION: _OPERATIONS[asked.kind], names.GENAI_PROVIDER: "finmesh"}
    if answer.model:
        found |= {names.GENAI_REQUEST_MODEL: asked.request.model, names.GENAI_RESPONSE_MODEL: answer.model}
        found[names.GENERATION_ID] = answer.generation_id
    if answer.is_whole:
        usage = answer.usage
        found |= {names.GENAI_INPUT_TOKENS: usage["prompt_tokens"], names.GENAI_OUTPUT_TOKENS: usage["completion_tokens"]}
        found[names.GENAI_FINISH_REASONS] = ",".join(answer.reasons)
    return found


def check_type(exchange: Exchange) -> None:
    """Raise InvalidArgument for a body that is not said to be JSON."""
    if exchange.header(b"content-type").partition(b";")[0].strip().lower() != b"application/json":
        raise InvalidArgument("the body must be application/json", reason="CONTENT_TYPE_UNSUPPORTED")


def grade(exchange: Exchange, otherwise: int) -> int:
    """Return the grade that a request states. Raises InvalidArgument."""
    stated = exchange.header(GRADE)
    if not stated:
        return otherwise
    if stated not in (b"L1", b"L2", b"L3", b"L4", b"L5"):
        raise InvalidArgument(f"{GRADE.decode()} must be L1 to L5", reason="GRADE_INVALID")
    return int(stated[1:])
