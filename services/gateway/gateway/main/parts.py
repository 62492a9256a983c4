"""What every door of the gateway is made of: the way in, the owners behind it, and what is recorded about both."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from meshkit.audit.batch import SigningKey
from meshkit.audit.denials import Denials
from meshkit.audit.records import KEYS, POLICIES, TOKEN_KEYS
from meshkit.audit.trail import audit_trail
from meshkit.auth.jwt import TokenVerifier
from meshkit.auth.policy import CedarPolicy
from meshkit.clock import SystemClock
from meshkit.config import KafkaSettings
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import PRINCIPALS, signing
from meshkit.errors import FailedPrecondition
from meshkit.events.offsets_in_db import OffsetsInDb
from meshkit.events.publisher import Publisher
from meshkit.rpc.metadata import BUDGET_KEY_BYTES
from meshkit.service import Service
from redis.asyncio import Redis

from gateway.adapters.grpc_upstreams import GrpcUpstreams
from gateway.adapters.redis_idempotency import RedisIdempotencyKeys
from gateway.adapters.redis_quotas import RedisQuotas
from gateway.config import GatewayConfig
from gateway.domain.route import Route
from gateway.main.budgets import limits_in_force, settle_from_records, token_budgets
from gateway.steps.admit import Admit
from gateway.steps.meter import Meter
from gateway.translate import GenerationCodec


@dataclass(frozen=True, slots=True)
class Parts:
    """Adapters and steps of one process."""

    admit: Admit
    meter: Meter
    upstreams: GrpcUpstreams
    denials: Denials
    quotas: RedisQuotas


def targets(config: GatewayConfig, routes: tuple[Route, ...]) -> dict[str, str]:
    """Where each upstream of the routes is. Raises FailedPrecondition naming the setting of one that has no address."""
    wanted = dict.fromkeys(route.upstream for route in routes)
    for name in wanted:
        if name not in config.upstream:
            setting = f"FINMESH_UPSTREAM__{name.upper().replace('-', '_')}"
            raise FailedPrecondition(f"{setting} is not set: where is {name}?", reason="UPSTREAM_NOT_SET")
    return {name: config.upstream[name] for name in wanted}


async def assemble(
    config: GatewayConfig,
    service: Service,
    publisher: Callable[[KafkaSettings], Publisher],
    routes: tuple[Route, ...],
    topic: Callable[..., OffsetsInDb] = OffsetsInDb,
) -> Parts:
    """Build the parts and start what follows files and neighbours. Raises FailedPrecondition."""
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
    upstreams = await service.add(GrpcUpstreams(routes, targets(config, routes), config.tls))
    keys = RedisIdempotencyKeys(redis, config.idempotency_life_s, clock)
    limits = limits_in_force(config, service)
    budgets = token_budgets(config, service, redis, clock, limits)
    service.task(denials.run(), name="denials", endless=True)
    await settle_from_records(config, service, clock, topic)
    service.watch("redis", redis.ping)
    service.watch("policy", policy.reload, interval_s=auth.reload_s)
    service.watch("jwks", tokens.reload, interval_s=auth.reload_s)
    for name in upstreams.names:
        service.watch(name, partial(upstreams.probe, name))

    def budget_key(tenant: str, principal: str) -> bytes:
        return principals.primary.commit(f"budget\0{tenant}\0{principal}".encode())[:BUDGET_KEY_BYTES]

    quotas = RedisQuotas(redis, config.quota.rates(), clock)
    admit = Admit(tokens, policy, quotas, keys, denials, budget_key=budget_key)
    return Parts(admit, Meter(budgets, GenerationCodec(), clock), upstreams, denials, quotas)
