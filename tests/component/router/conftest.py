"""A router in process, in front of inference services that are spoken to over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from finmesh.router.v1 import router_service_pb2 as pb
from finmesh.router.v1 import router_service_pb2_grpc
from meshkit.errors import Unavailable
from meshkit.rpc.channel import MeshChannel
from meshkit.service import Service
from meshkit.testing.serving import running
from router.config import Config, RoutingSettings
from router.main import routed

from .inference import DecodeNode, Ledger, Node, PrefillNode, answer
from .neighbours import CharacterTexts, ListedRecords

QUICK = {"silence_ms": 2_000, "commit_ms": 3_000, "prefill_ms": 3_000, "breaker_ms": 300, "patience_ms": 300}
PROMPT = "请问 who may approve this?"

SCENARIO = """
  {name}:
    models: ["tiny"]
    highest_grade: 3
    default_output_tokens: 64
    max_output_tokens: 128
    max_choices: 4
    priority: 5
    queue_ttl_s: {queue_ttl_s}
    disaggregation: "{mode}"
    threshold_tokens: 8
    alone_tokens: 100
    on_stream_break: "{on_break}"
"""


def scenario(name: str = "assistant", mode: str = "always", on_break: str = "replay", queue_ttl_s: float = 5) -> str:
    return SCENARIO.format(name=name, mode=mode, on_break=on_break, queue_ttl_s=queue_ttl_s)


@dataclass
class Heard:
    """A stream, sorted."""

    parts: list[pb.GenerateResponse] = field(default_factory=list)

    def of(self, kind: str) -> list[Any]:
        return [getattr(part, kind) for part in self.parts if part.WhichOneof("part") == kind]

    @property
    def admitted(self) -> Any:
        return self.of("admitted")[0]

    @property
    def ended(self) -> Any:
        return self.of("ended")[0]

    @property
    def how(self) -> Any:
        return self.ended.provenance

    def text(self, choice: int = 0) -> str:
        return "".join(delta.text for delta in self.of("delta") if delta.choice == choice)

    def reasons(self) -> dict[int, int]:
        return {each.choice: each.reason for each in self.of("finished")}

    def is_right(self, choice: int = 0, prompt: str = PROMPT) -> bool:
        """Whether the text is the oracle's, each token once."""
        said = answer([ord(each) for each in prompt], self.admitted.seed, choice)
        return self.text(choice) == "".join(chr(token) for token in said if token)


@dataclass
class Site:
    """The router and its neighbours."""

    ledger: Ledger
    prefills: list[PrefillNode]
    decodes: list[DecodeNode]
    records: ListedRecords
    stub: Any
    service: Service
    scenarios: Path

    @property
    def nodes(self) -> list[Node]:
        return [*self.prefills, *self.decodes]

    def ask(self, prompt: str = PROMPT, **other: Any) -> pb.GenerateRequest:
        request = pb.GenerateRequest(tenant="bank-a", grade=2, text=prompt, **other)
        request.sampling.choices = request.sampling.choices or 1
        return request

    async def generate(
        self, request: pb.GenerateRequest | None = None, timeout: float = 20, heard: Heard | None = None, purpose: str = ""
    ) -> Heard:
        heard = heard if heard is not None else Heard()
        metadata = (("x-finmesh-purpose", purpose),) if purpose else ()
        async with aclosing(self.stub.Generate(request or self.ask(), timeout=timeout, metadata=metadata)) as responses:
            async for part in responses:
                heard.parts.append(part)
        return heard

    async def known(self) -> None:
        """Wait until the router has heard of all workers that are up."""
        wanted = {node.incarnation for node in self.nodes if node.is_up}

        async def heard_of() -> bool:
            try:
                response = await self.stub.ListBackends(pb.ListBackendsRequest(tenant="bank-a"))
            except Unavailable:  # it does not listen yet
                return False
            return {each.description.incarnation for each in response.backends if each.age_ms < 1_000} >= wanted

        await until(heard_of)

    async def ready(self) -> None:
        """Wait until the router says so."""

        async def is_ready() -> bool:
            return self.service.state()["state"] == "ready"

        await until(is_ready)

    async def nothing_is_held(self) -> None:
        """Wait until everything that was held is given back."""

        async def is_free() -> bool:
            return self.ledger.nothing_is_held()

        await until(is_free)

    async def recorded(self, ends: int = 1) -> None:
        async def is_recorded() -> bool:
            return len(self.records.ends) == ends

        await until(is_recorded)


async def until(true: Callable[[], Any], timeout_s: float = 10.0) -> None:
    """Ask until it is true."""
    async with asyncio.timeout(timeout_s):
        while not await true():
            await asyncio.sleep(0.01)


Sites = Callable[..., Any]


@pytest.fixture
def site(tmp_path: Path) -> Sites:
    """Return what makes a site: ``async with site(prefills=2, decodes=2) as mesh``."""

    @asynccontextmanager
    async def made(
        prefills: int | list[PrefillNode] = 1,
        decodes: int | list[DecodeNode] = 1,
        scenarios: str | None = None,
        ledger: Ledger | None = None,
        records: Any = None,
        up: bool = True,
        texts: CharacterTexts | None = None,
        **routing: Any,
    ) -> AsyncIterator[Site]:
        path = tmp_path / "scenarios.yaml"
        path.write_text('version: "1"\nscenarios:' + (scenarios or scenario()))
        ledger = ledger or Ledger()
        first = prefills if isinstance(prefills, list) else [PrefillNode(f"prefill-{n}", ledger) for n in range(prefills)]
        second = decodes if isinstance(decodes, list) else [DecodeNode(f"decode-{n}", ledger) for n in range(decodes)]
        records = records or ListedRecords()
        async with AsyncExitStack() as stack:
            for node in (*first, *second) if up else second:
                await node.start()
                stack.push_async_callback(node.kill)
            upstream = {
                "inference-prefill": "ipv4:" + ",".join(node.address for node in first),
                "inference-decode": "ipv4:" + ",".join(node.address for node in second),
            }
            settings = RoutingSettings(**(QUICK | routing))
            config = Config(listen="127.0.0.1:0", upstream=upstream, scenarios=path, routing=settings, shutdown_grace_s=1.0)

            async def serve(service: Service) -> None:
                await service.run(await routed(config, service, texts or CharacterTexts(), records))

            service = await stack.enter_async_context(running(Service(config, "router"), serve))
            channel = await stack.enter_async_context(MeshChannel(f"127.0.0.1:{service.port}"))
            stub = router_service_pb2_grpc.RouterServiceStub(channel)
            mesh = Site(ledger, first, second, records, stub, service, path)
            await mesh.known()
            yield mesh

    return made
