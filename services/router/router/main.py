"""Composition root of the router: a flat list."""

from __future__ import annotations

from contextlib import aclosing

from finmesh.otc.v1 import otc_service_pb2_grpc
from finmesh.router.v1 import router_service_pb2_grpc
from meshkit.audit.batch import SigningKey
from meshkit.audit.denials import Denials
from meshkit.audit.records import KEYS, POLICIES, Versions
from meshkit.audit.trail import AuditTrail, audit_trail
from meshkit.clock import SystemClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import COMMITMENT, NAMESPACES, signing
from meshkit.events.broadcasts import follow
from meshkit.events.publisher import Publisher
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.peer import Refused
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config
from otcdesk.instruments import Instruments

from router import ports
from router.adapters.file_scenarios import file_scenarios
from router.adapters.file_thresholds import thresholds
from router.adapters.grpc_decode import GrpcDecode
from router.adapters.grpc_prefill import GrpcPrefill
from router.adapters.grpc_workers import GrpcWorkers
from router.adapters.otel_observer import OtelObserver
from router.adapters.redis_open_generations import RedisOpenGenerations
from router.adapters.tokenizers_texts import TokenizersTexts
from router.config import SERVICE, Config
from router.consumers.backend_states import BackendStates
from router.domain.namespace import NamespaceKey
from router.domain.pool_history import PoolHistory
from router.servicer import OtcServicer, RouterServicer
from router.steps.admission import Admission
from router.steps.closing import Closing
from router.steps.decode import Decode
from router.steps.evidence import Evidence
from router.steps.failover import Failover
from router.steps.line import Line
from router.steps.pool import Pool
from router.steps.prefill import Prefill
from router.steps.readiness import Readiness
from router.steps.reserve import Reserve
from router.steps.standby import Standbys
from router.steps.sweep import Sweeper
from router.translate.generation_records import GenerationCodec
from router.translate.state_changes import TOPIC
from router.usecases.generate import Generate
from router.usecases.list_backends import ListBackends
from router.usecases.list_models import ListModels
from router.usecases.on_backend_state_changed import OnBackendStateChanged
from router.usecases.parse_otc_inquiry import ParseOtcInquiry

DEADLINES = Deadlines(maximum_s={"/finmesh.router.v1.RouterService/Generate": 300.0})  # as the gateway's routes
_SCENARIOS_S, _LOOK_S = 2.0, 0.25


async def main(config: Config | None = None) -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = config or load_config(Config)
    async with Service(config, SERVICE) as service:
        await serve(config, service)


async def serve(config: Config, service: Service) -> None:
    """Build everything and serve."""
    clock = SystemClock()
    texts = await service.add(TokenizersTexts.opened(config.models, config.text.limits()))
    events = await service.add(aclosing(Publisher(config.kafka)))
    signing_keys = service.ring(config.keys.audit_batch, signing(SERVICE), SigningKey, config.keys.reload_s)
    trail = await audit_trail(service, SERVICE, events, signing_keys, config.kafka.topic_prefix, clock)
    denials = await service.add(aclosing(Denials(trail.records, trail.emitter.put, None, clock)))
    service.task(denials.run(), name="denials", endless=True)
    records = await evidence(config, service, trail)
    history = PoolHistory()
    states = BackendStates(OnBackendStateChanged(history))
    service.task(follow(config.kafka, TOPIC, states), name="engines' states", endless=True)
    await service.run(await routed(config, service, texts, records, trail.versions, denials.refused, history))


async def evidence(config: Config, service: Service, trail: AuditTrail) -> Evidence:
    """Return what records generations, running beside the service."""
    clock, timing = SystemClock(), config.evidence.timing()
    commitments = service.ring(config.keys.commitment, COMMITMENT, CommitmentKey, config.keys.reload_s)
    trail.versions.follow(KEYS, lambda: commitments.hash, commitments.purpose)
    store = await service.add(aclosing(RedisOpenGenerations(config.redis, config.redis_prefix, timing.lease_s, timing.sweep_s)))
    codec = GenerationCodec(trail.records, commitments, clock)
    records = await service.add(aclosing(Evidence(codec, store, trail.emitter, clock=clock, timing=timing, health=service)))
    service.task(records.run(), name="evidence", endless=True)
    service.task(Sweeper(codec, store, trail.emitter, clock, timing).run(), name="sweep", endless=True)
    return records


async def routed(
    config: Config,
    service: Service,
    texts: ports.Texts,
    records: ports.GenerationRecords,
    versions: Versions | None = None,
    refused: Refused | None = None,
    history: PoolHistory | None = None,
) -> MeshServer:
    """Return the server of a router whose texts and records are these."""
    clock, routing = SystemClock(), config.routing
    scenarios = file_scenarios(config.scenarios, [model.name for model in texts.models])
    service.watch("scenarios", scenarios.reload, interval_s=_SCENARIOS_S)
    namespaces = service.ring(config.keys.namespaces, NAMESPACES, NamespaceKey, config.keys.reload_s)
    if versions is not None:
        versions.follow(POLICIES, lambda: scenarios.value.sha256, "scenarios")
        versions.follow(KEYS, lambda: namespaces.hash, namespaces.purpose)
    pool = Pool(clock, routing.weights(), waiting=routing.prefill_waiting, open_s=routing.breaker_ms / 1000)
    workers = await service.add(aclosing(GrpcWorkers(config.upstream, config.tls, pool)))
    service.task(workers.run(), name="workers", endless=True)
    reads_apart = "inference-prefill" in config.upstream  # else every engine reads the prompts that it answers
    readiness = Readiness(pool, texts, clock, awaits_prefill=reads_apart)
    service.not_ready("decode workers", "STARTING")
    service.watch("decode workers", readiness.decode, interval_s=_LOOK_S, needed=True)
    if reads_apart:
        service.watch("prefill workers", readiness.prefill, interval_s=_LOOK_S)
    closing = await service.add(aclosing(Closing()))
    prefill_leg, decode_leg, patience_s = GrpcPrefill(workers), GrpcDecode(workers), routing.patience_ms / 1000
    line = Line(pool, clock, routing.queue_limit, patience_s)
    observer = OtelObserver(line.__len__)
    reserve = Reserve(pool, line, decode_leg, closing, clock=clock, call_s=routing.reserve_ms / 1000)
    prefill = Prefill(pool, prefill_leg, decode_leg, closing, clock=clock, call_s=routing.prefill_ms / 1000, patience_s=patience_s)
    decode = Decode(
        pool,
        decode_leg,
        texts.text,
        clock,
        commit_s=routing.commit_ms / 1000,
        read_s=routing.prefill_ms / 1000,
        between_s=routing.silence_ms / 1000,
    )
    admission = Admission(lambda: scenarios.value, texts, pool, lambda: namespaces.primary.secret)
    generate = Generate(
        admission=admission,
        records=records,
        pool=pool,
        reserve=reserve,
        prefill=prefill,
        decode=decode,
        failover=Failover(pool, reserve, prefill, observer, clock),
        standbys=Standbys(admission, pool, observer, clock, open_s=routing.breaker_ms / 1000),
        closing=closing,
        observer=observer,
        clock=clock,
    )
    servicer = RouterServicer(generate, ListModels(lambda: scenarios.value, texts, pool), ListBackends(pool, history or PoolHistory()))
    server = MeshServer.of(config, config.callers, DEADLINES, refused=refused)
    router_service_pb2_grpc.add_RouterServiceServicer_to_server(servicer, server)  # type: ignore[arg-type]
    desk(config, server, generate)
    return server


def desk(config: Config, server: MeshServer, generate: Generate) -> None:
    """Add what reads inquiries of the OTC desk."""
    servicer = OtcServicer(ParseOtcInquiry(generate, Instruments.read(), thresholds(config.models)))
    otc_service_pb2_grpc.add_OtcServiceServicer_to_server(servicer, server)  # type: ignore[arg-type]
