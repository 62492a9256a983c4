"""Composition root of the gateway: a flat list."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from functools import partial

from meshkit.audit.batch import SigningKey
from meshkit.audit.denials import Denials, Refusal
from meshkit.audit.records import KEYS, POLICIES, TOKEN_KEYS
from meshkit.audit.trail import audit_trail
from meshkit.auth.jwt import TokenVerifier
from meshkit.auth.policy import CedarPolicy
from meshkit.clock import SystemClock
from meshkit.config import KafkaSettings
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import PRINCIPALS, signing
from meshkit.errors import FailedPrecondition, MeshError
from meshkit.events.publisher import Publisher
from meshkit.rpc.chain import Call
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import Limits, MeshServer
from meshkit.service import Service, load_config
from redis.asyncio import Redis

from gateway.adapters.grpc_upstreams import GrpcUpstreams
from gateway.adapters.redis_idempotency import RedisIdempotencyKeys
from gateway.adapters.redis_quotas import RedisQuotas
from gateway.config import GatewayConfig
from gateway.domain.route import MIB, Route
from gateway.routes import ROUTES
from gateway.servicer import HEADERS, SERVICE_NAME, handlers
from gateway.usecases.forward import Forward


async def main(config: GatewayConfig | None = None) -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = config or load_config(GatewayConfig)
    async with Service(config, "gateway") as service:
        await serve(config, service)


def deadlines(routes: tuple[Route, ...]) -> Deadlines:
    """How long each method may take here."""
    return Deadlines(maximum_s={f"/{SERVICE_NAME}/{route.method}": route.maximum_s for route in routes})


def targets(config: GatewayConfig) -> dict[str, str]:
    """Where each upstream of the routes is. Raises FailedPrecondition naming the setting of one that has no address."""
    wanted = dict.fromkeys(route.upstream for route in ROUTES)
    for name in wanted:
        if name not in config.upstream:
            setting = f"FINMESH_UPSTREAM__{name.upper().replace('-', '_')}"
            raise FailedPrecondition(f"{setting} is not set: where is {name}?", reason="UPSTREAM_NOT_SET")
    return {name: config.upstream[name] for name in wanted}


async def serve(config: GatewayConfig, service: Service, publisher: Callable[[KafkaSettings], Publisher] = Publisher) -> None:
    """Build everything and serve."""
    clock, auth = SystemClock(), config.auth
    timeout_s = config.redis.timeout_ms / 1000
    redis = Redis.from_url(config.redis.url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
    await service.add(redis)
    events = await service.add(aclosing(publisher(config.kafka)))
    principals = service.ring(config.keys.principals, PRINCIPALS, CommitmentKey, config.keys.reload_s)
    ring = service.ring(config.keys.audit_batch, signing(service.name), SigningKey, config.keys.reload_s)
    trail = await audit_trail(service, "gateway", events, ring, config.kafka.topic_prefix, clock)
    denials = await service.add(aclosing(Denials(trail.records, trail.emitter.put, principals, clock)))
    tokens = TokenVerifier(
        auth.jwks,
        issuer=auth.issuer,
        audience=auth.audience,
        maximum_ttl_s=auth.maximum_ttl_s,
        leeway_s=auth.leeway_s,
        revoked=auth.revoked,
        clock=clock,
    )
    policy = CedarPolicy(auth.policies, clock)
    trail.versions.follow(POLICIES, lambda: policy.hash)
    trail.versions.follow(TOKEN_KEYS, lambda: tokens.hash)
    trail.versions.follow(KEYS, lambda: principals.hash, principals.purpose)
    upstreams = await service.add(GrpcUpstreams(ROUTES, targets(config), config.tls))
    keys = RedisIdempotencyKeys(redis, config.idempotency_life_s, clock)
    forward = Forward(tokens, policy, RedisQuotas(redis, config.quota.rates(), clock), keys, upstreams, denials, HEADERS)
    limits = Limits(
        message_bytes=2 * MIB + 64 * 1024,
        streams_per_connection=config.streams_per_connection,
        concurrent_calls=config.concurrent_calls,
    )

    def refused(call: Call, error: MeshError) -> None:
        denials.unverified(Refusal(error.reason, call.method.rpartition("/")[2], call.peer))

    server = MeshServer.of(config, config.callers, deadlines(ROUTES), limits, refused)
    server.add_generic_rpc_handlers((handlers(ROUTES, forward),))
    service.task(denials.run(), name="denials", endless=True)
    service.watch("redis", redis.ping)
    service.watch("policy", policy.reload, interval_s=auth.reload_s)
    service.watch("jwks", tokens.reload, interval_s=auth.reload_s)
    for name in upstreams.names:
        service.watch(name, partial(upstreams.probe, name))
    await service.run(server)
