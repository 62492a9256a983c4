from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError
from finmesh.risk.v1 import decision_pb2 as pb
from simbank.driver import watcher as module
from simbank.driver.watcher import DecisionWatcher, Seen

TRACE = bytes(range(16))


def _record(decision_id: str, outcome: pb.Outcome.ValueType = pb.OUTCOME_APPROVE, **fields: Any) -> bytes:
    return pb.TransactionDecided(decision_id=decision_id, outcome=outcome, trace_id=TRACE, **fields).SerializeToString()


def test_distinct_decisions_outcomes_and_latency_are_counted() -> None:
    seen = Seen()
    seen.observe(_record("a", score=0.2), 1_500_000, {TRACE: 1_000_000})
    seen.observe(_record("b", pb.OUTCOME_DECLINE, degradations=[pb.DEGRADATION_RULES_ONLY]), 1_600_000, {})
    assert (seen.decided, seen.records, seen.degraded) == (2, 2, 1)
    assert seen.outcomes == {"approve": 1, "decline": 1}
    assert seen.latencies_s == [0.5]
    assert seen.latency_ms(0.5) == pytest.approx(500.0)


def test_repeated_bytes_are_harmless_and_other_bytes_are_a_contradiction() -> None:
    seen = Seen()
    for record in (_record("a"), _record("a"), _record("b"), _record("a", pb.OUTCOME_DECLINE), _record("b")):
        seen.observe(record, 1, {})
    assert (seen.decided, seen.repeated, seen.contradictory) == (2, 3, 1)
    assert seen.outcomes == {"approve": 2}


class FakeConsumer:
    """Takes the place of the broker's client: one partition that already holds a record, and more that arrive."""

    def __init__(self, topic: str, **settings: Any) -> None:
        self.topic = topic
        self.settings = settings
        self.arrivals: asyncio.Queue[bytes] = asyncio.Queue()
        self.positioned: list[Any] = []

    async def start(self) -> None:
        if self.topic != module.DECIDED:
            raise UnknownTopicOrPartitionError

    async def stop(self) -> None: ...

    def assignment(self) -> set[str]:
        return {"partition 0"}

    async def position(self, partition: Any) -> int:
        self.positioned.append(partition)
        return 1

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        return {"p": [SimpleNamespace(value=await self.arrivals.get())]}


async def test_the_watcher_returns_when_all_decisions_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AIOKafkaConsumer", FakeConsumer)
    async with DecisionWatcher("nowhere:1", {}) as watcher:
        consumer = watcher._consumer
        assert consumer.settings["isolation_level"] == "read_committed"
        assert consumer.settings["auto_offset_reset"] == "latest"
        assert consumer.positioned, "must start at the end: an older run's decisions are not this run's"
        for name in ("a", "b", "a"):
            consumer.arrivals.put_nowait(_record(name))
        assert await watcher.all_decided(2, timeout_s=5.0)
        assert not await watcher.all_decided(3, timeout_s=0.05), "a decision that never comes must be noticed"


async def test_a_missing_topic_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AIOKafkaConsumer", FakeConsumer)
    with pytest.raises(LookupError, match="TransactionDecided does not exist"):
        async with DecisionWatcher("nowhere:1", {}, topic_prefix="t9."):
            pass


async def test_an_unreadable_decision_surfaces_in_all_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AIOKafkaConsumer", FakeConsumer)
    async with DecisionWatcher("nowhere:1", {}) as watcher:
        watcher._consumer.arrivals.put_nowait(b"\xff\xff\xff")
        with pytest.raises(Exception, match=r"[Pp]ars"):
            await watcher.all_decided(1, timeout_s=0.2)
