"""Router, inference-prefill and inference-decode in front of servers that answer as vLLM was recorded: the whole way, deaths included."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from finmesh.router.v1 import router_service_pb2 as pb
from finmesh.router.v1 import router_service_pb2_grpc
from inference_decode.config import Config as DecodeConfig
from inference_decode.main import serve as serve_decode
from inference_prefill.config import Config as PrefillConfig
from inference_prefill.main import serve as serve_prefill
from meshkit.errors import Unavailable
from meshkit.rpc.channel import MeshChannel
from meshkit.service import Service
from meshkit.testing.serving import running
from router.config import Config, RoutingSettings
from router.main import routed

from tests.vllm.engines import Served
from tests.vllm.server import token_of

from .conftest import QUICK, Heard, Site, scenario, until
from .inference import Ledger
from .neighbours import CharacterTexts, ListedRecords, served

TEXT = "客户的付款为何被拒绝? " * 20


LONG_MODEL = replace(served(max_len_tokens=512), block_tokens=64)
"""With blocks of 64, as engines have them."""


def oracle(prompt: str, length: int) -> str:
    """What the server writes when it has the keys and values of this prompt."""
    content = [ord(each) for each in prompt]
    for _ in range(length):
        content.append(token_of(content, 0))
    return "".join(chr(each) for each in content[len(prompt) :])


@dataclass
class Bench:
    """The mesh, and the servers by name."""

    site: Site
    servers: dict[str, Served]

    async def generate(self, prompt: str = TEXT, most: int = 15, heard: Heard | None = None) -> Heard:
        return await self.site.generate(self.site.ask(prompt, max_output_tokens=most, ignore_end=True), heard=heard)

    @property
    def provenance(self) -> Any:
        return self.site.records.ends[-1].provenance


Made = Callable[..., Any]


@pytest.fixture
def bench(tmp_path: Path) -> Made:
    """Return what makes one: ``async with bench(decodes=2) as mesh``."""

    @asynccontextmanager
    async def made(decodes: int = 1, pace_s: float = 0.002) -> AsyncIterator[Bench]:
        names = {"prefill-0": "prefill"} | {f"decode-{number}": "decode" for number in range(decodes)}
        servers = {name: Served(name, tmp_path, **{"pace-s": pace_s, "lease-s": 3}) for name in names}
        async with AsyncExitStack() as stack:
            for server in servers.values():
                server.is_real = False
                server.begin()
                stack.callback(server.kill)
            for server in servers.values():
                await asyncio.to_thread(server.wait)
            rows = [_row(servers[name], name, role) for name, role in names.items()]
            file = tmp_path / "accelerators.yaml"
            file.write_text(json.dumps({"version": "1", "accelerators": rows}))
            yield Bench(await _mesh(stack, tmp_path, file, decodes), servers)

    return made


def _row(server: Served, name: str, role: str) -> dict[str, Any]:
    told = {"kv_events": server.kv_events, "kv_replay": server.kv_replay, "lease_s": 2.0, "engine_lease_s": 3.0}
    return {
        "name": name, "kind": "vllm", "url": server.url, "roles": [role], "vendor": "cpu", "device": "vllm", "model": "tiny",
        "model_digest": LONG_MODEL.digest.hex(), "rows": 8, "max_len_tokens": 512, "zone": "local", "highest_grade": "L3", "options": told,
    }  # fmt: skip


async def _mesh(stack: AsyncExitStack, folder: Path, file: Path, decodes: int) -> Site:
    """The three services, each as its own main composes it."""
    common: dict[str, Any] = {"listen": "127.0.0.1:0", "accelerators": file, "shutdown_grace_s": 1.0}
    ports = {}
    for name, kind, serve in (("inference-prefill", PrefillConfig, serve_prefill), ("inference-decode", DecodeConfig, serve_decode)):
        config: Any = kind(**common, callers=frozenset())
        service = await stack.enter_async_context(running(Service(config, name), partial(serve, config)))
        ports[name] = f"ipv4:127.0.0.1:{service.port}"
    path = folder / "scenarios.yaml"
    path.write_text('version: "1"\nscenarios:' + scenario())
    routing = RoutingSettings(**QUICK | {"patience_ms": 3_000})
    router_config = Config(listen="127.0.0.1:0", upstream=ports, scenarios=path, routing=routing, shutdown_grace_s=1.0)
    records = ListedRecords()

    async def serve_router(service: Service) -> None:
        await service.run(await routed(router_config, service, CharacterTexts(LONG_MODEL), records))

    service = await stack.enter_async_context(running(Service(router_config, "router"), serve_router))
    channel = await stack.enter_async_context(MeshChannel(f"127.0.0.1:{service.port}"))
    site = Site(Ledger(), [], [], records, router_service_pb2_grpc.RouterServiceStub(channel), service, path)
    await _known(site, decodes + 1)
    return site


async def _known(site: Site, count: int) -> None:
    async def heard_of() -> bool:
        try:
            told = await site.stub.ListBackends(pb.ListBackendsRequest(tenant="bank-a"))
        except Unavailable:
            return False
        return len([each for each in told.backends if each.age_ms < 1_000]) == count

    await until(heard_of)


async def test_a_prompt_is_handed_over_and_the_record_says_who_vouches(bench: Made) -> None:
    async with bench() as mesh:
        heard = await mesh.generate()
        assert heard.text() == oracle(TEXT, 15)
        how = mesh.provenance
        assert (how.prefill_worker, how.decode_worker, how.is_disaggregated, how.integrity) == ("prefill-0", "decode-0", True, "ENGINE")
        assert (how.failovers, how.degradations) == (0, ())
        usage = heard.ended.usage
        assert (usage.prompt_tokens, usage.output_tokens, usage.accelerator) == (len(TEXT), 15, "cpu/vllm")


async def test_prompts_of_many_at_once_are_not_mixed_up(bench: Made) -> None:
    async with bench(decodes=2) as mesh:
        prompts = [f"{number:03} {TEXT[: 40 + 17 * number]}" for number in range(12)]
        heard = await asyncio.gather(*(mesh.generate(prompt) for prompt in prompts))
        assert [each.text() for each in heard] == [oracle(prompt, 15) for prompt in prompts]
        assert {end.provenance.integrity for end in mesh.site.records.ends} == {"ENGINE"}


async def test_several_answers_of_one_prompt(bench: Made) -> None:
    async with bench() as mesh:
        request = mesh.site.ask(TEXT, max_output_tokens=9, ignore_end=True)
        request.sampling.choices = 3
        heard = await mesh.site.generate(request)
        assert [heard.text(choice) for choice in range(3)] == [oracle(TEXT, 9)] * 3


async def test_what_is_cached_is_known_to_the_router(bench: Made) -> None:
    """By its own ids of blocks: two blocks of 128 at the engine are four of 64 here."""
    async with bench() as mesh:
        await mesh.generate()

        async def is_known() -> bool:
            await mesh.generate()
            start = mesh.site.records.starts[-1]
            return start.prefill is not None and start.prefill.cached_blocks == start.decode.cached_blocks == len(TEXT) // 128 * 2

        await until(is_known)


async def test_a_prefill_engine_that_is_gone_costs_time_and_no_answer(bench: Made) -> None:
    async with bench() as mesh:
        await mesh.generate()
        mesh.servers["prefill-0"].kill()
        heard = await mesh.generate(TEXT[:90])
        assert heard.text() == oracle(TEXT[:90], 15)
        assert mesh.provenance.degradations == ("PREFILL_DOWN",)
        await asyncio.to_thread(mesh.servers["prefill-0"].start)

        async def is_back() -> bool:
            heard = await mesh.generate()
            assert heard.text() == oracle(TEXT, 15)
            return mesh.provenance.integrity == "ENGINE"

        await until(is_back)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_an_answer_goes_on_at_another_engine_of_the_same_model(bench: Made, number: signal.Signals) -> None:
    async with bench(decodes=2, pace_s=0.02) as mesh:
        heard = Heard()
        answering = asyncio.ensure_future(mesh.generate(most=100, heard=heard))

        async def has_begun() -> bool:
            return len(heard.of("delta")) >= 3

        await until(has_begun)
        busy = next(name for name in ("decode-0", "decode-1") if mesh.servers[name].ask("/running"))
        mesh.servers[busy].signal(number)
        await answering
        mesh.servers[busy].signal(signal.SIGCONT)
        assert heard.text() == oracle(TEXT, 100)
        assert len(heard.of("continued")) == 1
