"""Composition root of inference-decode: a flat list."""

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
from finmesh.inference.v1 import decode_service_pb2, decode_service_pb2_grpc, worker_service_pb2, worker_service_pb2_grpc
from meshkit.clock import SystemClock
from meshkit.errors import FailedPrecondition
from meshkit.events.broadcasts import Announcer
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config

from inference_decode.config import MODEL, SERVICE, Config
from inference_decode.domain.reservations import Reservations
from inference_decode.servicer import LONGEST_S, DecodeServicer, WorkerServicer
from inference_decode.usecases.decode import Decode
from inference_decode.usecases.release_reservation import ReleaseReservation
from inference_decode.usecases.renew_reservation import RenewReservation
from inference_decode.usecases.reserve import Reserve
from inference_decode.usecases.watch_workers import WatchWorkers

_DECODE = decode_service_pb2.DESCRIPTOR.services_by_name["DecodeService"].full_name
_WORKERS = worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"].full_name
DEADLINES = Deadlines(maximum_s={f"/{_DECODE}/Decode": LONGEST_S, f"/{_WORKERS}/WatchWorkers": LONGEST_S})


async def main(config: Config | None = None) -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = config or load_config(Config)
    async with Service(config, SERVICE) as service:
        await serve(config, service)


def engines(config: Config, service: Service) -> list[Backend]:
    """Return the engines that the settings name. Raises FailedPrecondition (NO_ENGINES, ACCELERATORS_INVALID, TICKET_KEYS_…)."""
    rows = read(config.accelerators).of("decode", "generate") if config.accelerators else []
    own: list[Backend] = [TritonEngine(each.url, MODEL, each.pid_file, buffer_tokens=config.buffer_tokens) for each in config.engines]
    foreign = fronted(rows, MODEL, ticket_ring(config, config.keys, service, rows), config.buffer_tokens)
    if not own and not foreign:
        raise FailedPrecondition("FINMESH_ENGINES and FINMESH_ACCELERATORS name no engine for this process", reason="NO_ENGINES")
    return [*own, *foreign]


async def serve(config: Config, service: Service, backends: Sequence[Backend] | None = None) -> None:
    """Build everything and serve. ``backends``: other engines than those of the settings."""
    clock, reservations, feed = SystemClock(), Reservations(), Feed(service.stopping)
    announcer = await service.add(aclosing(Announcer(config.kafka)))
    announced = Announced(announcer, config.kafka.topic_prefix, SERVICE)
    ward = Ward(engines(config, service) if backends is None else backends, config.models, config.health, announced)
    pool = Pool(ward.backends, feed)
    EngineGauges(pool.backends)
    decode = Decode(pool, reservations, OtelObserver("decode"), clock, most_queued=config.most_queued, hold_s=config.hold_ms / 1000)
    servicer = DecodeServicer(
        Reserve(pool, reservations, clock, config.most_queued),
        RenewReservation(pool, reservations, clock),
        ReleaseReservation(pool, reservations),
        decode,
    )
    server = MeshServer.of(config, config.callers, DEADLINES)
    decode_service_pb2_grpc.add_DecodeServiceServicer_to_server(servicer, server)  # type: ignore[arg-type]
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(WorkerServicer(WatchWorkers(feed)), server)  # type: ignore[arg-type]
    service.not_ready("engines", "STARTING")
    service.watch("engines", pool.probe, interval_s=0.5, needed=True)
    for number, backend in enumerate(pool.backends):
        service.watch(f"engine {number}", partial(probe, backend), interval_s=0.5)
    service.task(pool.run(), name="engines", endless=True)
    service.task(ward.run(), name="health", endless=True)
    service.task(announced.run(), name="state changes", endless=True)
    await service.run(server)
