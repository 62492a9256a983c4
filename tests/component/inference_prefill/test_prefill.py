"""Prompts over real gRPC: tickets, refusals, what a caller that goes away leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
from finmesh.inference.v1 import generation_pb2, prefill_service_pb2_grpc, worker_service_pb2, worker_service_pb2_grpc
from finmesh.inference.v1.prefill_service_pb2 import AbortHandoffRequest, PrefillRequest
from inference_prefill.config import Config
from inference_prefill.main import engines, serve
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, Overloaded, Unavailable
from meshkit.rpc.channel import MeshChannel
from meshkit.service import Service
from meshkit.testing.capture import captured_spans
from meshkit.testing.serving import running

from tests.scripted_engine import ScriptedEngine, token_of

PROMPT = list(range(3, 200))


class Bench:
    """A running service in front of two engines, and a client."""

    def __init__(self, service: Service, engine: ScriptedEngine, other: ScriptedEngine, channel: MeshChannel) -> None:
        self.service, self.engine, self.other = service, engine, other
        self.stub: Any = prefill_service_pb2_grpc.PrefillServiceStub(channel)  # type: ignore[no-untyped-call]
        self.workers: Any = worker_service_pb2_grpc.WorkerServiceStub(channel)  # type: ignore[no-untyped-call]

    def request(self, **changes: Any) -> PrefillRequest:
        fields = {
            "handoff_id": uuid7(),
            "epoch": 1,
            "request_id": "r-1",
            "worker_id": self.engine.worker_id,
            "model_digest": self.engine.model_digest,
            "layout_digest": self.engine.layout_digest,
            "prompt_tokens": PROMPT,
            "grade": 2,
            "bounds": generation_pb2.Bounds(max_output_tokens=8),
            **changes,
        }
        return PrefillRequest(**fields)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    config = Config(listen="127.0.0.1:0", shutdown_grace_s=5)
    engine, other = ScriptedEngine(worker_id="prefill-0"), ScriptedEngine(worker_id="prefill-1")
    async with (
        running(Service(config, "inference-prefill"), partial(serve, config, backends=[engine, other])) as service,
        MeshChannel(f"127.0.0.1:{service.port}") as channel,
        asyncio.timeout(30),
    ):
        while service.state()["state"] != "ready":
            await asyncio.sleep(0.02)
        yield Bench(service, engine, other, channel)


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_ticket_and_the_first_token(bench: Bench) -> None:
    with captured_spans() as spans:
        answer = await bench.stub.Prefill(bench.request())
    assert answer.ticket
    assert answer.first_tokens[0].token_id == token_of(PROMPT, 0)
    assert (answer.worker_id, answer.incarnation) == ("prefill-0", "first")
    leg = next(span for span in spans if span.name == "prefill scripted")
    below = {span.name for span in spans if span.parent is not None and span.parent.span_id == leg.context.span_id}
    assert below == {"prefill", "pack"}


async def test_the_named_engine_is_asked_or_the_least_busy_one(bench: Bench) -> None:
    bench.engine.queued = 3
    assert (await bench.stub.Prefill(bench.request(worker_id=""))).worker_id == "prefill-1"
    assert (await bench.stub.Prefill(bench.request())).worker_id == "prefill-0"
    with pytest.raises(Unavailable) as caught:
        await bench.stub.Prefill(bench.request(worker_id="prefill-7"))
    assert caught.value.reason == "NO_WORKER"


async def test_a_dead_engine_takes_nothing_and_the_other_goes_on(bench: Bench) -> None:
    bench.engine.fail("ENGINE_HUNG")
    with pytest.raises(Unavailable) as caught:
        await bench.stub.Prefill(bench.request())
    assert (caught.value.reason, caught.value.metadata["because"]) == ("NO_WORKER", "ENGINE_HUNG")
    assert (await bench.stub.Prefill(bench.request(worker_id=""))).worker_id == "prefill-1"
    await until(lambda: bench.service.state()["state"] == "ready-degraded")
    assert bench.service.state()["missing"] == {"engine 0": "ENGINE_HUNG"}
    bench.other.fail("ENGINE_DEAD")
    await until(lambda: bench.service.state()["state"] == "not-ready")


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"layout_digest": b"x" * 16}, FailedPrecondition, "LAYOUT_MISMATCH"),
        ({"model_digest": b"x" * 32}, FailedPrecondition, "MODEL_UNKNOWN"),
        ({"prompt_tokens": []}, InvalidArgument, "PROMPT_EMPTY"),
        ({"prompt_tokens": range(600)}, InvalidArgument, "PROMPT_TOO_LONG"),
    ],
)
async def test_what_is_refused(bench: Bench, changes: dict[str, Any], kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind) as caught:
        await bench.stub.Prefill(bench.request(**changes))
    assert caught.value.reason == reason  # type: ignore[attr-defined]
    assert not await bench.engine.held()


async def test_a_lower_epoch_is_stale(bench: Bench) -> None:
    handoff_id = uuid7()
    await bench.stub.Prefill(bench.request(handoff_id=handoff_id, epoch=2))
    with pytest.raises(FailedPrecondition) as caught:
        await bench.stub.Prefill(bench.request(handoff_id=handoff_id, epoch=1))
    assert caught.value.reason == "STALE_EPOCH"


async def test_a_full_queue_and_too_little_time(bench: Bench) -> None:
    bench.engine.queued = 64
    with pytest.raises(Overloaded):
        await bench.stub.Prefill(bench.request())
    bench.engine.queued, bench.engine.prefill_tokens_per_s = 0, 1.0
    with pytest.raises(DeadlineExceeded) as caught:
        await bench.stub.Prefill(bench.request(), timeout=5)
    assert caught.value.reason == "DEADLINE_TOO_NEAR"
    assert not bench.engine.asked


async def test_a_caller_that_goes_away_leaves_nothing(bench: Bench) -> None:
    bench.engine.gate.clear()
    call = asyncio.ensure_future(bench.stub.Prefill(bench.request(), timeout=20))
    await until(lambda: bench.engine.prompts)
    call.cancel()
    await until(lambda: not bench.engine.prompts)
    assert not await bench.engine.held()


async def test_a_handoff_is_ended_wherever_it_is(bench: Bench) -> None:
    request = bench.request(worker_id="prefill-1")
    await bench.stub.Prefill(request)
    assert await bench.other.held()
    await bench.stub.AbortHandoff(AbortHandoffRequest(handoff_id=request.handoff_id, epoch=1))
    assert not await bench.other.held()
    await bench.stub.AbortHandoff(AbortHandoffRequest(handoff_id=uuid7(), epoch=1))


async def test_both_engines_are_watched(bench: Bench) -> None:
    async with aclosing(bench.workers.WatchWorkers(worker_service_pb2.WatchWorkersRequest(), timeout=20)) as news:
        described = set()
        async for each in news:
            if each.HasField("description"):
                described.add(each.worker_id)
            if len(described) == 2:
                break
    assert described == {"prefill-0", "prefill-1"}


def test_a_process_without_engines_is_refused() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        engines(Config(), Service(Config(), "inference-prefill"))
    assert caught.value.reason == "NO_ENGINES"


def test_an_engine_of_another_host_is_refused() -> None:
    with pytest.raises(ValueError, match="on the host"):
        Config(engines=[{"url": "10.0.0.7:8001"}])  # type: ignore[arg-type]
