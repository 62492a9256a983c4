"""A router that answers as it is told: a neighbour of the gateway over real sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.otc.v1 import otc_service_pb2 as otc
from finmesh.otc.v1 import otc_service_pb2_grpc as otc_grpc
from finmesh.router.v1 import router_service_pb2 as pb
from finmesh.router.v1 import router_service_pb2_grpc as pb_grpc
from meshkit.errors import InvalidArgument
from meshkit.rpc import deadline
from meshkit.rpc.chain import current_call
from meshkit.rpc.metadata import CallerFacts, caller_facts

Part: TypeAlias = pb.GenerateResponse | Exception | Callable[[], Awaitable[object]]


def admitted(prompt: int = 12, output: int = 64, choices: int = 1) -> pb.GenerateResponse:
    """What comes first."""
    said = pb.Admitted(generation_id="g-1", prompt_tokens=prompt, max_output_tokens=output, choices=choices, model="tiny", seed=7)
    return pb.GenerateResponse(admitted=said)


def substituted(prompt: int, output: int) -> pb.GenerateResponse:
    """Another model answers."""
    said = pb.Substituted(model="standby", release="cd", prompt_tokens=prompt, max_output_tokens=output, reason="MODEL_DOWN")
    return pb.GenerateResponse(substituted=said)


def delta(text: str, choice: int = 0, output: int = 0) -> pb.GenerateResponse:
    """A piece of text."""
    return pb.GenerateResponse(delta=pb.Delta(choice=choice, text=text, output_tokens=output))


def finished(output: int = 3, choice: int = 0) -> pb.GenerateResponse:
    """The end of one answer."""
    said = generation.ChoiceFinished(choice=choice, reason=generation.FINISH_REASON_STOP, output_tokens=output)
    return pb.GenerateResponse(finished=said)


def ended(prompt: int = 12, output: int = 3) -> pb.GenerateResponse:
    """What comes last."""
    usage = generation.UsageFacts(prompt_tokens=prompt, output_tokens=output, accelerator="cpu/onnxruntime")
    return pb.GenerateResponse(ended=pb.Ended(usage=usage, started_record_id="s-1", ended_record_id="e-1"))


async def forever() -> None:
    """Nothing comes any more."""
    await asyncio.Event().wait()


def answer(request: pb.GenerateRequest) -> Sequence[Part]:
    """As many answers as were asked for; names of tools are what the router says of them."""
    if not all(re.fullmatch("[A-Za-z0-9_-]{1,64}", tool.name) for tool in request.tools):
        return (InvalidArgument("a tool has a wrong name", reason="TOOLS_INVALID"),)
    choices = range(request.sampling.choices)
    each = [part for choice in choices for part in (delta("好", choice), finished(1, choice))]
    return (admitted(choices=len(choices)), *each, ended(output=len(choices)))


ANSWER = (admitted(), delta("你好"), delta("，世界"), finished(), ended())


@dataclass
class ScriptedRouter(pb_grpc.RouterServiceServicer):
    """Sends `script` part by part: a message, an error to fail with, or something to wait for."""

    script: Sequence[Part] | Callable[[pb.GenerateRequest], Sequence[Part]] = ANSWER
    requests: list[Any] = field(default_factory=list)
    facts: list[CallerFacts] = field(default_factory=list)
    remaining_s: list[float] = field(default_factory=list)
    sent: int = 0
    begun: int = 0
    endings: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:
        """Answer by the script."""
        self._note(request)
        self.begun += 1
        try:
            for part in self.script(request) if callable(self.script) else self.script:
                if isinstance(part, Exception):
                    raise part
                if isinstance(part, pb.GenerateResponse):
                    yield part
                    self.sent += 1
                else:
                    await part()
        finally:
            self.endings += 1
            self.ended.set()

    async def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        """One model."""
        self._note(request)
        return pb.ListModelsResponse(models=[pb.Model(name="smollm2", release="ab12", max_len_tokens=2048, available=True)])

    async def ListBackends(self, request: pb.ListBackendsRequest, context: Any) -> pb.ListBackendsResponse:
        """One engine."""
        self._note(request)
        return pb.ListBackendsResponse(backends=[pb.Backend(service="127.0.0.1:1", age_ms=20)])

    def _note(self, request: Any) -> None:
        self.requests.append(request)
        self.facts.append(caller_facts(current_call()))
        self.remaining_s.append(deadline.remaining_s() or -1.0)


@dataclass
class ScriptedDesk(otc_grpc.OtcServiceServicer):
    """Reads every text alike; remembers what reached it."""

    failure: Exception | None = None
    requests: list[otc.ParseOtcInquiryRequest] = field(default_factory=list)
    facts: list[CallerFacts] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Answer at once until a test clears it."""
        self.may_answer.set()

    async def ParseOtcInquiry(self, request: otc.ParseOtcInquiryRequest, context: Any) -> otc.ParseOtcInquiryResponse:
        """A quote."""
        self.requests.append(request)
        self.facts.append(caller_facts(current_call()))
        self.asked.set()
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        said = otc.Inquiry(intent=otc.INTENT_QUOTE, product=otc.PRODUCT_VANILLA, underlying_text="茅台", notional_cny=1e7, tenor_months=0.5)
        return otc.ParseOtcInquiryResponse(
            inquiry=said,
            terms=said,
            own_text='{"intent":"quote"}',
            confidence=0.75,
            needs_confirmation=True,
            unresolved=[otc.Unresolved(reason="UNDERLYING_UNKNOWN", field="underlying", words="茅台")],
            model="otc-inquiry",
            generation_id="g-1",
            record_ids=["s-1", "e-1"],
        )
