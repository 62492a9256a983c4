"""What a decision, a customer and a counterparty take in Redis, by its own count, before and after old decisions are kept by their place.

The scripts that serve (rule D25), on a Redis of their own, without Kafka: records are handed over as the reader of the topic does. Decision
and audit record are random bytes of the length that those of the shipped rules have; what is kept by its place does not depend on it.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from meshkit.clock import SystemClock
from meshkit.config import RedisSettings
from risk_scoring.adapters.redis_feature_store import RedisFeatureStore
from risk_scoring.adapters.redis_link import RedisLink
from risk_scoring.domain.observation import Candidate, CapPolicy, LoggedDecision, Observation, RecordPlace

from bench.report import Figures, Target
from bench.site import opened
from bench.state import state

_BATCH = 256
_HORIZON_S, _YOUNG_S, _RATE = 86_400, 600, 500
_CAP = {"bank-a": CapPolicy(300, 1.0, 1)}
WORDS = {
    "young_decision_bytes": "bytes of a decision for ten minutes (with its expiry and share of the tables)",
    "decision_bytes": "bytes of a decision after them",
    "customer_bytes": "bytes of a customer",
    "counterparty_bytes": "bytes of a counterparty",
    "redis_us_per_compared": "processor time of Redis to compare and replace one",
    "rss_mib": "resident memory of Redis at the end",
    "day_gib": "a day at 500 a second, extrapolated",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """`decision_bytes` and `audit_bytes`: of records as they are published."""

    count: int = 1_000_000
    customers: int = 100_000
    decision_bytes: int = 530
    audit_bytes: int = 430


async def measure(var: Path | None, plan: Plan, say: Callable[[str], None]) -> Figures:
    """Start a Redis and look. Raises StartError."""
    async with opened(var, ["redis"]) as site:
        return await measured(site.redis_url, plan, say)


async def measured(url: str, plan: Plan, say: Callable[[str], None]) -> Figures:
    """Fill an empty Redis with decisions, keep them by their place, take them away again, and count at each step."""
    async with aclosing(RedisLink(RedisSettings(url=url), "finmesh:")) as link:
        await link.adopt()
        await link.publish_generation()
        store = RedisFeatureStore(link, SystemClock(), _HORIZON_S)
        say(f"{plan.count:,} decisions of {plan.customers:,} customers")
        decisions: list[tuple[bytes, bytes]] = []
        async for batch in _decided(store, plan):
            decisions += batch
        young = await state(url)
        young_bytes = await _used(link)
        say("keeping them by their place")
        before_s = await _cpu_s(link)
        await _compacted(store, decisions)
        compared_s = await _cpu_s(link) - before_s
        old, old_bytes = await state(url), await _used(link)
        rss_mib = int((await link.command("INFO", "memory"))["used_memory_rss"]) / 2**20
        say("taking them away")
        for part in _parts(decisions):
            await link.command("DEL", *(link.prefix.encode() + b"d:" + decision_id for decision_id, _ in part))
        rest_bytes = await _used(link)
    each_young, each_old = (young_bytes - rest_bytes) / plan.count, (old_bytes - rest_bytes) / plan.count
    day, first = _HORIZON_S * _RATE, _YOUNG_S * _RATE
    values = {
        "decisions": float(plan.count),
        "young_decision_bytes": each_young,
        "decision_bytes": each_old,
        "decision_bytes_by_key": old.mean_bytes.get("decision", np.nan),
        "customer_bytes": young.mean_bytes.get("customer", np.nan),
        "counterparty_bytes": young.mean_bytes.get("counterparty", np.nan),
        "redis_us_per_compared": compared_s / plan.count * 1e6,
        "used_before_mib": young_bytes / 2**20,
        "used_after_mib": old_bytes / 2**20,
        "rss_mib": rss_mib,
        "day_gib": (first * each_young + (day - first) * each_old + rest_bytes) / 2**30,
        "day_before_gib": (day * each_young + rest_bytes) / 2**30,
    }
    return Figures("State of a decision in Redis", values, {"decision_bytes": Target(max=300)}, WORDS)


async def _decided(store: RedisFeatureStore, plan: Plan) -> AsyncIterator[list[tuple[bytes, bytes]]]:
    """Observe and finalise in batches; yields ids with their decisions."""
    rng, now_s = np.random.default_rng(1), int(time.time())
    for first in range(0, plan.count, _BATCH):
        size = min(_BATCH, plan.count - first)
        who = rng.integers(0, plan.customers, (size, 2))
        seen = [_observation(os.urandom(16), int(customer), int(party), now_s) for customer, party in who]
        await store.observe(seen)
        candidates = [
            Candidate(
                decision_id=each.decision_id,
                fingerprint=each.fingerprint,
                cap_scope="bank-a",
                decision=os.urandom(plan.decision_bytes),
                audit=os.urandom(plan.audit_bytes),
                capped_decision=b"",
                capped_audit=b"",
            )
            for each in seen
        ]
        await store.finalise(candidates, _CAP)
        yield [(each.decision_id, each.decision) for each in candidates]


def _observation(decision_id: bytes, customer: int, party: int, now_s: int) -> Observation:
    return Observation(
        decision_id=decision_id,
        fingerprint=decision_id[::-1],
        customer_key=b"c" * 8 + customer.to_bytes(8, "little"),
        counterparty_key=(party % 20_000).to_bytes(8, "little") + b"p" * 8,
        device_key=customer.to_bytes(8, "little") + b"v" * 8,
        account_key=customer.to_bytes(8, "little") + b"a" * 8,
        time_s=now_s,
        amount_minor=10_000 + party,
        channel=1,
        local_hour=9,
        local_weekday=1,
        place=7,
    )


async def _compacted(store: RedisFeatureStore, decisions: Sequence[tuple[bytes, bytes]]) -> None:
    topic_id, position, offset = bytes(range(16)), "", 5_000_000_000
    for part in _parts(decisions):
        batch = [LoggedDecision(RecordPlace(topic_id, 1, offset + number), decision) for number, (_, decision) in enumerate(part)]
        offset += len(part)
        done = await store.compact(batch, [decision_id for decision_id, _ in part], 1, position, f"topic@{offset}")
        assert (done.position, done.replaced) == (f"topic@{offset}", len(part))
        position = done.position


def _parts(decisions: Sequence[tuple[bytes, bytes]]) -> Iterator[Sequence[tuple[bytes, bytes]]]:
    return (decisions[first : first + _BATCH] for first in range(0, len(decisions), _BATCH))


async def _used(link: RedisLink) -> int:
    return int((await link.command("INFO", "memory"))["used_memory"])


async def _cpu_s(link: RedisLink) -> float:
    cpu = await link.command("INFO", "cpu")
    return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])
