"""The RPCs: translate, call, translate."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from finmesh.otc.v1 import otc_service_pb2 as otc
from finmesh.otc.v1 import otc_service_pb2_grpc
from finmesh.router.v1 import router_service_pb2 as pb
from finmesh.router.v1 import router_service_pb2_grpc
from meshkit.errors import PermissionDenied
from meshkit.rpc import deadline
from meshkit.rpc.chain import current_call
from meshkit.rpc.metadata import CallerFacts, caller_facts
from meshkit.telemetry import names
from meshkit.tenants import checked_tenant

from router.domain.desk import SCENARIO
from router.domain.generation import Admitted, Ended
from router.domain.policy import DEFAULT_SCENARIO
from router.translate import inquiries, requests
from router.usecases.generate import Generate
from router.usecases.list_backends import ListBackends
from router.usecases.list_models import ListModels
from router.usecases.parse_otc_inquiry import ParseOtcInquiry

_DEFAULT_REMAINING_S = 60.0


class RouterServicer(router_service_pb2_grpc.RouterServiceServicer):
    """finmesh.router.v1.RouterService."""

    def __init__(self, generate: Generate, list_models: ListModels, list_backends: ListBackends) -> None:
        self._generate = generate
        self._list_models = list_models
        self._list_backends = list_backends

    async def Generate(self, request: pb.GenerateRequest, context: object) -> AsyncGenerator[pb.GenerateResponse, None]:  # noqa: N802
        """Generate answers and stream them."""
        call = current_call()
        facts = caller_facts(call)
        _check(facts, request.tenant, request.scenario)
        asked = requests.request(request, facts)
        remaining_s = deadline.remaining_s()
        async with aclosing(self._generate(asked, _DEFAULT_REMAINING_S if remaining_s is None else remaining_s)) as parts:
            async for part in parts:
                if isinstance(part, Admitted):
                    call.facts[names.MODEL_NAME], call.facts[names.GENERATION_ID] = part.model, part.generation_id
                elif isinstance(part, Ended):
                    call.facts[names.ROUTE_REASON] = part.provenance.reason
                    call.facts[names.OUTPUT_TOKENS] = part.usage.output_tokens
                yield requests.response(part, asked)

    async def ListModels(self, request: pb.ListModelsRequest, context: object) -> pb.ListModelsResponse:  # noqa: N802
        """List the models of a scenario."""
        _check(caller_facts(current_call()), request.tenant, request.scenario)
        return requests.models_response(self._list_models(request.scenario))

    async def ListBackends(self, request: pb.ListBackendsRequest, context: object) -> pb.ListBackendsResponse:  # noqa: N802
        """List the workers."""
        _check(caller_facts(current_call()), request.tenant, None)
        return requests.backends_response(*self._list_backends(request.changes))


class OtcServicer(otc_service_pb2_grpc.OtcServiceServicer):
    """finmesh.otc.v1.OtcService."""

    def __init__(self, parse: ParseOtcInquiry) -> None:
        self._parse = parse

    async def ParseOtcInquiry(self, request: otc.ParseOtcInquiryRequest, context: object) -> otc.ParseOtcInquiryResponse:  # noqa: N802
        """Read one text."""
        call = current_call()
        facts = caller_facts(call)
        _check(facts, request.tenant, request.scenario or SCENARIO)
        remaining_s = deadline.remaining_s()
        asked = inquiries.asked(request, facts)
        parsed = await self._parse(asked, _DEFAULT_REMAINING_S if remaining_s is None else remaining_s)
        call.facts[names.MODEL_NAME], call.facts[names.GENERATION_ID] = parsed.admitted.model, parsed.admitted.generation_id
        call.facts[names.ROUTE_REASON] = parsed.ended.provenance.reason
        call.facts[names.OUTPUT_TOKENS] = parsed.ended.usage.output_tokens
        return inquiries.response(parsed)


def _check(facts: CallerFacts, tenant: str, scenario: str | None) -> None:
    """Refuse another tenant or scenario than the gateway authorised (empty only on a clear-text loopback server without gateway)."""
    if checked_tenant(tenant) != facts.tenant and facts.tenant:
        raise PermissionDenied("the token is for another tenant", reason="TENANT_MISMATCH")
    if scenario is not None and facts.scenario and (scenario or DEFAULT_SCENARIO) != facts.scenario:
        raise PermissionDenied("the call was authorised for another scenario", reason="SCENARIO_MISMATCH")
