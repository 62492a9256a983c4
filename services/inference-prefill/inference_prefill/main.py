"""Composition root of inference-prefill: a flat list."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial

from backends.accelerators import read
from backends.feed import Feed
from backends.fronted import fronted
from backends.health.announced import Announced
from backends.health.ward import Ward
from backends.pool import Pool, probe
from backends.port import Backend
from backends.telemetry import EngineGauges, OtelObserver
from backends.triton_engine import TritonEngine
from backends.vllm.keys import ticket_ring
from finmesh.inference.v1 import prefill_service_pb2, prefill_service_pb2_grpc, worker_service_pb2, worker_service_pb2_grpc
from meshkit.errors import FailedPrecondition
from meshkit.events.broadcasts import Announcer
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config

from inference_prefill.config import MODEL, SERVICE, Config
from inference_prefill.servicer import LONGEST_S, PrefillServicer, WorkerServicer
from inference_prefill.usecases.abort_handoff import AbortHandoff
from inference_prefill.usecases.prefill import Prefill
from inference_prefill.usecases.watch_workers import WatchWorkers

_PREFILL = prefill_service_pb2.DESCRIPTOR.services_by_name["PrefillService"].full_name
_WORKERS = worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"].full_name
DEADLINES = Deadlines(maximum_s={f"/{_PREFILL}/Prefill": LONGEST_S, f"/{_WORKERS}/WatchWorkers": LONGEST_S})


async def main(config: Config | None = None) -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = config or load_config(Config)
    async with Service(config, SERVICE) as service:
        await serve(config, service)


def engines(config: Config, service: Service) -> list[Backend]:
    """Return the engines that the settings name. Raises FailedPrecondition (NO_ENGINES, ACCELERATORS_INVALID, TICKET_KEYS_…)."""
    rows = read(config.accelerators).of("prefill") if config.accelerators else []
    own: list[Backend] = [TritonEngine(each.url, MODEL, each.pid_file) for each in config.engines]
    foreign = fronted(rows, MODEL, ticket_ring(config, config.keys, service, rows))
    if not own and not foreign:
        raise FailedPrecondition("FINMESH_ENGINES and FINMESH_ACCELERATORS name no engine for this process", reason="NO_ENGINES")
    return [*own, *foreign]


async def serve(config: Config, service: Service, backends: Sequence[Backend] | None = None) -> None:
    """Build everything and serve. ``backends``: other engines than those of the settings."""
    feed = Feed(service.stopping)
    announcer = await service.add(aclosing(Announcer(config.kafka)))
    announced = Announced(announcer, config.kafka.topic_prefix, SERVICE)
    ward = Ward(engines(config, service) if backends is None else backends, config.models, config.health, announced)
    pool = Pool(ward.backends, feed)
    EngineGauges(pool.backends)
    servicer = PrefillServicer(Prefill(pool, OtelObserver("prefill"), config.most_queued), AbortHandoff(pool))
    server = MeshServer.of(config, config.callers, DEADLINES)
    prefill_service_pb2_grpc.add_PrefillServiceServicer_to_server(servicer, server)  # type: ignore[arg-type]
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(WorkerServicer(WatchWorkers(feed)), server)  # type: ignore[arg-type]
    service.not_ready("engines", "STARTING")
    service.watch("engines", pool.probe, interval_s=0.5, needed=True)
    for number, backend in enumerate(pool.backends):
        service.watch(f"engine {number}", partial(probe, backend), interval_s=0.5)
    service.task(pool.run(), name="engines", endless=True)
    service.task(ward.run(), name="health", endless=True)
    service.task(announced.run(), name="state changes", endless=True)
    await service.run(server)
