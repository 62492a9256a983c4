"""A question to documents: a body in, a document or a stream out, as with a generation; no tokens are held for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from finmesh.rag.v1 import rag_service_pb2 as rag
from meshkit.errors import InvalidArgument
from meshkit.telemetry import names

from gateway.domain.call import Caller
from gateway.domain.route import Route
from gateway.http.calls import Exchange, Facts, Headers
from gateway.http.events import Events
from gateway.http.generations import SCENARIO, Settings, check_type, grade
from gateway.http.pump import Idle, Part, Pump, pumping
from gateway.openai import knowledge, limits
from gateway.openai.errors import JSON_TYPE
from gateway.ports import Quotas
from gateway.steps.admit import Unpacked
from gateway.translate import Envelope
from gateway.usecases.forward_stream import ForwardStream


class Questions:
    """Answers what is asked of documents."""

    def __init__(self, settings: Settings, route: Route, forward_stream: ForwardStream, quotas: Quotas) -> None:
        assert route.stream is not None
        self._settings, self._route, self._bounds, self._forward_stream, self._quotas = (
            settings,
            route,
            route.stream,
            forward_stream,
            quotas,
        )

    async def __call__(
        self, exchange: Exchange, caller: Caller, read: Callable[[], knowledge.Question], headers: Headers, facts: Facts
    ) -> None:
        """Answer. Raises typed errors, and ``CallerGone``. ``read`` reads the body, after the token."""
        begin_s = asyncio.get_running_loop().time() + self._settings.first_s
        async with pumping(exchange.gone) as pump:
            asked: knowledge.Question | None = None

            def unpack(tenant: str) -> Unpacked:
                nonlocal asked
                check_type(exchange)
                asked = read()
                return self._envelope(exchange, tenant, asked.request)

            pump.add(self._forward_stream(self._route, self._bounds, caller, unpack))
            first: Part | None = None
            try:
                first = await pump.next(self._settings.first_s)
            except Idle:
                assert asked is not None, "a request is read before its owner is asked"
            assert asked is not None, "the first part comes after the request was read"
            answer = knowledge.Answer(asked, caller.request_id, int(time.time()))
            left = self._quotas.left(asked.request.tenant, asked.request.scenario, self._route.quota_class)
            headers = [*headers, *limits.requests(left)]
            facts |= {names.GENAI_OPERATION: "chat", names.GENAI_PROVIDER: "finmesh", names.GENAI_REQUEST_MODEL: asked.model}
            await self._send(exchange, pump, first, answer, Events(exchange, headers, begin_s, self._settings.keepalive_s), headers)

    async def _send(
        self, exchange: Exchange, pump: Pump, first: Part | None, answer: knowledge.Answer, events: Events, headers: Headers
    ) -> None:
        if answer.question.streams:
            await events.send(pump, first, lambda part: answer.take(rag.AskResponse.FromString(part.content)), lambda: answer.is_whole)
            return
        part = first or await pump.next()
        while part is not None:
            answer.take(rag.AskResponse.FromString(part.content))
            part = await pump.next()
        await exchange.answer(200, [*headers, JSON_TYPE], answer.whole())

    def _envelope(self, exchange: Exchange, tenant: str, request: rag.AskRequest) -> Envelope:
        stated = exchange.header(SCENARIO).decode("latin-1")
        if stated and stated != request.scenario:
            raise InvalidArgument("the model is of another scenario than the header says", reason="SCENARIO_CONFLICT")
        data = grade(exchange, self._settings.grade)
        request.tenant, request.grade = tenant, data  # type: ignore[assignment]
        body = request.SerializeToString(deterministic=True)
        return Envelope(tenant=tenant, scenario=request.scenario, grade=data, idempotency_key="", body=body)
