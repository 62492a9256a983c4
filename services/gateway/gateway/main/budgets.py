"""Token budgets: limits, holds, and the reader that books what was used."""

from __future__ import annotations

from collections.abc import Callable

from meshkit.clock import Clock
from meshkit.events.offsets_in_db import Flush, OffsetsInDb
from meshkit.service import Service
from redis.asyncio import Redis

from gateway.adapters.file_token_limits import file_token_limits
from gateway.adapters.redis_token_books import RedisTokenBooks
from gateway.adapters.redis_token_budgets import RedisTokenBudgets
from gateway.config import GatewayConfig
from gateway.consumers.audit_batches import TOPIC, AuditBatches
from gateway.consumers.settling import Settling
from gateway.domain.token_limits import TokenLimits
from gateway.usecases.on_audit_batch import OnAuditBatch

_SLACK_S = 600.0  # clocks of brokers, routers and gateways differ, and records of a day may be written before its first one
_BOOKING_S = 2.0
_FLUSH = Flush(records=200, bytes=1024 * 1024, delay_ms=500)


def limits_in_force(config: GatewayConfig, service: Service) -> Callable[[], TokenLimits]:
    """Return the limits, which follow their file. Raises FailedPrecondition for a file that is wrong at start."""
    settings = config.budget
    if settings.file is None:
        fixed = TokenLimits.of(settings.everybody)
        return lambda: fixed
    followed = file_token_limits(settings.file, settings.everybody)
    service.watch("token-limits", followed.reload, interval_s=config.auth.reload_s)
    return lambda: followed.value


def token_budgets(
    config: GatewayConfig, service: Service, redis: Redis, clock: Clock, limits: Callable[[], TokenLimits]
) -> RedisTokenBudgets:
    """Return what meters tokens, and start its renewals."""
    settings = config.budget
    budgets = RedisTokenBudgets(
        redis,
        lambda whose: limits().shares(whose),
        settings.calendar,
        clock,
        service,
        hold_s=settings.hold_s,
        pending_s=settings.pending_s,
        local_fraction=settings.local_fraction,
    )
    service.task(budgets.run(), name="token budgets", endless=True)
    return budgets


async def settle_from_records(config: GatewayConfig, service: Service, clock: Clock, topic: Callable[..., OffsetsInDb]) -> None:
    """Start reading audit records of generations, when it is this gateway's turn. Nobody waits for it, so its calls may take longer."""
    calendar = config.budget.calendar
    redis = await service.add(Redis.from_url(config.redis.url, socket_timeout=_BOOKING_S, socket_connect_timeout=_BOOKING_S))
    books = RedisTokenBooks(redis, calendar, clock, _BOOKING_S)
    batches = AuditBatches(OnAuditBatch(books))

    def reader() -> OffsetsInDb:
        return topic(config.kafka, TOPIC, batches, service, _FLUSH, lambda: calendar.day_begins_s(clock.now_s()) - _SLACK_S)

    service.task(Settling(books, batches, reader, service).run(service.stopping), name="settling")
