"""The evidence of calls: the router's own records on a real Redis, in front of inference services over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh.inference.v1.generation_pb2 import FinishReason
from meshkit import errors
from meshkit.clock import SystemClock
from meshkit.telemetry.context import TraceContext
from router.domain.evidence import EvidenceTiming

from tests.ports.router.routers import AuditLog, passed, routed
from tests.stack import PrivateRedis

from .conftest import Heard, Site, Sites, until
from .inference import answer

TIMING = EvidenceTiming(lease_s=30.0, heartbeat_s=0.2, sweep_s=1.0, end_s=0.5)
Watched = Callable[..., Any]


class GatedLog(AuditLog):
    """A log whose acknowledgements may be withheld."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: asyncio.Queue[asyncio.Event] = asyncio.Queue()
        self.is_gated = False

    async def write(self, records: Sequence[bytes], traces: Sequence[TraceContext] = ()) -> None:
        if self.is_gated:
            self.asked.put_nowait(gate := asyncio.Event())
            await gate.wait()
        await super().write(records, traces)

    @property
    def events(self) -> list[Any]:
        """Starts and ends in the log, in order."""
        generations = [AuditRecord.FromString(content).generation for content in self.records]
        return [getattr(generation, generation.WhichOneof("event")) for generation in generations]


@pytest.fixture
def watched(site: Sites, private_redis: PrivateRedis) -> Watched:
    """``async with watched(log) as (mesh, router)``: a site whose records are a real router's."""

    @asynccontextmanager
    async def made(log: AuditLog, **other: Any) -> AsyncIterator[tuple[Site, Any]]:
        async with routed(private_redis, log, clock=SystemClock(), timing=TIMING) as router:
            beating = asyncio.create_task(router.evidence.run())
            try:
                async with site(records=router.evidence, **other) as mesh:
                    yield mesh, router
                await router.evidence.aclose()
            finally:
                beating.cancel()

    return made


async def ended(log: GatedLog, count: int) -> None:
    """Wait until so many records are there."""

    async def are_there() -> bool:
        return len(log.records) >= count

    await until(are_there)


async def test_no_byte_before_the_start_and_no_end_before_the_end_is_acknowledged(watched: Watched) -> None:
    log = GatedLog()
    log.is_gated = True
    async with watched(log) as (mesh, _):
        heard = Heard()
        call = asyncio.create_task(mesh.generate(heard=heard))
        start = await asyncio.wait_for(log.asked.get(), 10)
        assert [part.WhichOneof("part") for part in heard.parts] in ([], ["admitted"])
        start.set()
        end = await asyncio.wait_for(log.asked.get(), 10)
        assert heard.is_right() and not heard.of("ended")
        end.set()
        await call
    begun, over = log.events
    ids = [AuditRecord.FromString(content).audit_record_id for content in log.records]
    assert ids == [heard.ended.started_record_id, heard.ended.ended_record_id]
    assert begun.routing.disaggregated and begun.routing.scores and int.from_bytes(begun.sampling.seed, "big") == heard.admitted.seed
    assert [(each.finish_reason, each.output_tokens) for each in over.answers] == [
        (FinishReason.FINISH_REASON_STOP, len(answer([0] * begun.prompt_tokens, heard.admitted.seed, 0)))
    ]


async def test_a_caller_that_goes_away_leaves_an_end(watched: Watched) -> None:
    log = GatedLog()
    async with watched(log) as (mesh, _):
        async with aclosing(mesh.stub.Generate(mesh.ask())) as responses:
            async for part in responses:
                if part.HasField("delta"):
                    break
        await ended(log, 2)
        await mesh.nothing_is_held()
    _, over = log.events
    assert over.error == "CANCELLED" or [each.finish_reason for each in over.answers] == [FinishReason.FINISH_REASON_STOP]
    assert all(len(each.output_commitment) == 32 for each in over.answers)


async def test_without_redis_nothing_begins_and_nothing_is_held(watched: Watched, private_redis: PrivateRedis) -> None:
    log = GatedLog()
    async with watched(log) as (mesh, _):
        private_redis.kill()
        heard = Heard()
        with pytest.raises(errors.Unavailable) as caught:
            await mesh.generate(heard=heard)
        assert caught.value.reason == "EVIDENCE_DOWN"
        assert not heard.of("delta") and not log.records
        await mesh.nothing_is_held()
        private_redis.start()
        assert (await mesh.generate()).is_right()


async def test_an_end_that_redis_does_not_take_is_an_error_and_closed_by_another(watched: Watched, private_redis: PrivateRedis) -> None:
    log = GatedLog()
    log.is_gated = True
    async with watched(log) as (mesh, _):
        heard = Heard()
        call = asyncio.create_task(mesh.generate(heard=heard))
        start = await asyncio.wait_for(log.asked.get(), 10)
        private_redis.kill()
        start.set()
        with pytest.raises(errors.Unavailable) as caught:
            await call
        assert caught.value.reason in {"EVIDENCE_DOWN", "NOT_RECORDED"}
        assert not heard.of("ended")
        await mesh.nothing_is_held()
    private_redis.start()
    log.is_gated = False
    async with routed(private_redis, log) as other:
        await passed(other)
        assert await other.sweep() == 1
    assert [event.interrupted for event in log.events[-1:]] == [True]
