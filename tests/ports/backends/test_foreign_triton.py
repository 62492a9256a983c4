"""What a second Triton answers is what its model says: held against our own engine on the same folder, token for token."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from engine.llm.loading import load
from finmesh.inference.v1 import generation_pb2
from finmesh.inference.v1.worker_pb2 import WORKER_ROLE_GENERATE
from finmesh.router.v1 import router_service_pb2 as pb
from finmesh.router.v1 import router_service_pb2_grpc
from inference_decode.config import Config as DecodeConfig
from inference_decode.main import serve as serve_decode
from meshkit.rpc.channel import MeshChannel
from meshkit.service import Service
from meshkit.testing.serving import running
from router.adapters.tokenizers_texts import TokenizersTexts
from router.config import Config as RouterConfig
from router.main import routed
from tokenizers import Tokenizer

from tests.component.router.conftest import scenario
from tests.component.router.neighbours import ListedRecords
from tests.engines import until
from tests.foreign_triton import NAME
from tests.stack import Stack
from tests.unit.engine.llm.driver import Driver, asked

from .asking import answer, prompt, to_decode
from .conftest import Pair

pytestmark = pytest.mark.stack


async def test_it_answers_as_our_own_engine_does_on_its_model(oip: Pair, stack: Stack) -> None:
    prompts = [prompt(length) for length in (3, 64, 130)]
    answers = await asyncio.gather(*(answer(oip, to_decode(oip, tokens)) for tokens in prompts))
    driver = Driver(loaded=load(stack.foreign_triton.model, threads=1))
    for number, (tokens, (events, told)) in enumerate(zip(prompts, answers, strict=True)):
        driver.run(asked(f"r-{number}", tokens, ignore_end=True))
        assert [token for _, token in told] == driver.tokens(f"r-{number}")
        assert [index for index, _ in told] == list(range(12))
        assert events[-2].reason == generation_pb2.FINISH_REASON_LENGTH


async def test_it_goes_on_behind_what_another_has_written(oip: Pair) -> None:
    tokens = prompt(40)
    _, whole = await answer(oip, to_decode(oip, tokens))
    emitted = [{"choice": 0, "token_ids": [token for _, token in whole[:5]]}]
    _, rest = await answer(oip, to_decode(oip, tokens, emitted=emitted))
    assert rest == whole[5:]


async def test_a_router_asks_it_through_inference_decode_in_words(stack: Stack, tmp_path: Path) -> None:
    """Real router, real service, real Triton; rendered and tokenised by the model's folder, routed by the row's digest."""
    triton = stack.foreign_triton
    decode = DecodeConfig(listen="127.0.0.1:0", accelerators=triton.write(tmp_path / "accelerators.yaml"))
    scenarios = tmp_path / "scenarios.yaml"
    scenarios.write_text('version: "1"\nscenarios:' + scenario().replace('"tiny"', f'"{NAME}"'), encoding="utf-8")
    records = ListedRecords()
    async with AsyncExitStack() as opened:
        inference = await opened.enter_async_context(running(Service(decode, "inference-decode"), partial(serve_decode, decode)))
        upstream = {"inference-decode": f"ipv4:127.0.0.1:{inference.port}"}
        config = RouterConfig(listen="127.0.0.1:0", upstream=upstream, scenarios=scenarios)
        texts = await opened.enter_async_context(TokenizersTexts.opened([triton.model], config.text.limits()))

        async def serve(service: Service) -> None:
            await service.run(await routed(config, service, texts, records))

        router = await opened.enter_async_context(running(Service(config, "router"), serve))
        channel = await opened.enter_async_context(MeshChannel(f"127.0.0.1:{router.port}"))
        stub: Any = router_service_pb2_grpc.RouterServiceStub(channel)
        await until(lambda: router.state()["state"] == "ready", 60)
        words = "请说明这笔交易被拒绝的原因。"
        asks = pb.GenerateRequest(tenant="bank-a", grade=2, text=words, max_output_tokens=12, return_token_ids=True, ignore_end=True)
        async with aclosing(stub.Generate(asks, timeout=30)) as parts:
            heard = [part async for part in parts]
        listed = await stub.ListBackends(pb.ListBackendsRequest(tenant="bank-a"))
    (text,) = [model for model in texts.models if model.name == NAME]
    prompt_ids = Tokenizer.from_file(str(triton.model / "tokenizer.json")).encode(words, add_special_tokens=False).ids
    driver = Driver(loaded=load(triton.model, threads=1)).run(asked("r", prompt_ids, ignore_end=True))
    told = [token for part in heard if part.WhichOneof("part") == "delta" for token in part.delta.token_ids]
    assert told == driver.tokens("r")
    (ended,) = [part.ended for part in heard if part.WhichOneof("part") == "ended"]
    assert (ended.provenance.decode_worker, ended.provenance.reason, ended.usage.accelerator) == (
        "foreign-0",
        "NO_HANDOFF_ENGINE",
        "acme/cpu",
    )
    assert [(each.description.kind, each.description.role, each.description.model_digest) for each in listed.backends] == [
        ("oip", WORKER_ROLE_GENERATE, text.digest)
    ]
    assert records.starts[0].model == NAME and records.ends[0].error == ""
