"""The bank's drivers on a real broker: what is sent arrives once, and only committed decisions count."""

from __future__ import annotations

import time

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from finmesh.risk.v1 import decision_pb2
from finmesh.risk.v1 import transaction_pb2 as pb
from simbank.driver import DecisionWatcher, OpenLoopProducer, Sent
from simbank.driver.producer import REQUESTED
from simbank.driver.watcher import DECIDED
from simbank.history import History, build_history
from simbank.population import build_population
from simbank.replay import plan_replay
from simbank.translate import Translator

from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def history() -> History:
    return build_history(build_population(200, seed=3), start_day=20_600, days=2)


async def test_an_open_loop_run_arrives_in_order_of_each_account(history: History, stack: Stack, provisioned: str) -> None:
    start_us = time.time_ns() // 1_000 + 200_000
    plan, sent = plan_replay(history.transactions, rate_per_s=400, seconds=1, start_us=start_us), Sent()
    async with OpenLoopProducer(stack.kafka, Translator(history.population, run=1), topic_prefix=provisioned, run=1) as producer:
        await producer.replay(plan, sent, duplicate_share=0.05)
    assert time.time_ns() // 1_000 >= plan.intended_us[-1], "an open loop does not run ahead of its schedule"
    assert (sent.acknowledged, sent.failed) == (400, 0)
    consumer = AIOKafkaConsumer(provisioned + REQUESTED, bootstrap_servers=stack.kafka, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    records = []
    try:
        while len(records) < sent.offered:
            for batch in (await consumer.getmany(timeout_ms=1_000)).values():
                records.extend(batch)
    finally:
        await consumer.stop()
    identities = [pb.TransactionAuthorizationRequested.FromString(record.value).identity.SerializeToString() for record in records]
    assert len(set(identities)) == 400
    assert len(identities) == 400 + sent.duplicates
    partitions: dict[bytes, set[int]] = {}
    for record in records:
        partitions.setdefault(record.key, set()).add(record.partition)
    assert all(len(numbers) == 1 for numbers in partitions.values())
    assert len(set().union(*partitions.values())) > 1


async def test_the_watcher_counts_committed_decisions_alone(stack: Stack, provisioned: str) -> None:
    trace = bytes(range(1, 17))
    intended = {trace: time.time_ns() // 1_000}

    def record(name: str) -> bytes:
        return decision_pb2.TransactionDecided(decision_id=name, outcome=decision_pb2.OUTCOME_APPROVE, trace_id=trace).SerializeToString()

    decider = AIOKafkaProducer(bootstrap_servers=stack.kafka, transactional_id=f"{provisioned}decider")
    await decider.start()
    try:
        async with DecisionWatcher(stack.kafka, intended, topic_prefix=provisioned) as earlier:
            async with decider.transaction():
                await decider.send(provisioned + DECIDED, record("an older run"), key=b"k")
            assert await earlier.all_decided(1, timeout_s=10.0)
        async with DecisionWatcher(stack.kafka, intended, topic_prefix=provisioned) as watcher:
            await decider.begin_transaction()
            await decider.send_and_wait(provisioned + DECIDED, record("aborted"), key=b"k")
            await decider.abort_transaction()
            async with decider.transaction():
                for name in ("a", "b", "a"):
                    await decider.send(provisioned + DECIDED, record(name), key=b"k")
            assert await watcher.all_decided(2, timeout_s=10.0)
            assert set(watcher.seen.digests) == {"a", "b"}
            assert watcher.seen.contradictory == 0
            assert np.max(watcher.seen.latencies_s) < 10.0
    finally:
        await decider.stop()
