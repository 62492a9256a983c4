"""The audit topic on a real broker: nothing twice, nothing lost, and what the broker lost is said."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from meshkit.audit.batch import BatchWriter
from meshkit.config import KafkaSettings
from meshkit.events.topic_ids import TopicIds

from tests.ports.audit.bench import PARTITIONS, SIGNER, Bench, record
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
async def bench(stack: Stack, topic_prefix: str, tmp_path: Path) -> Bench:
    bench = Bench(KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=topic_prefix), tmp_path)
    await bench.create()
    return bench


async def test_it_goes_on_from_its_own_offsets(bench: Bench) -> None:
    await bench.send(*range(5))
    await bench.send(*range(5, 8), partition=1)
    async with bench.reading():
        await bench.until(8)
    await bench.send(8, 9)
    async with bench.reading():
        await bench.until(10)
        await bench.send(10, partition=1)
        await bench.until(11)
    assert sorted(bench.records()) == sorted(record(n) for n in range(11))
    assert set(bench.look()[0]) == {"record"}


async def test_aborted_batches_are_never_seen_and_a_new_epoch_leaves_no_gap(bench: Bench) -> None:
    await bench.send(0, 1, transaction="commit")
    await bench.send(2, transaction="abort")
    bench.writers[0] = BatchWriter("risk-scoring/stream/0", 2, SIGNER)
    await bench.send(2, 3, transaction="commit")
    async with bench.reading():
        await bench.until(4)
    kinds, bodies = bench.look()
    assert kinds == ["record"] * 4
    assert bodies == [record(n) for n in range(4)]


async def test_retention_that_passed_is_a_gap(bench: Bench) -> None:
    await bench.send(*range(4))
    async with bench.reading():
        await bench.until(4)
    await bench.send(*range(4, 10))
    await bench.delete_before(0, 7)
    async with bench.reading():
        await bench.until(7)
    kinds, bodies = bench.look()
    assert kinds == ["record"] * 4 + ["gap", "gap"] + ["record"] * 3
    assert b'"reason":"RETENTION_PASSED"' in bodies[4]
    assert b'"due":4' in bodies[4]
    assert b'"resumed":7' in bodies[4]
    assert b'"reason":"PRODUCER_SEQUENCE"' in bodies[5]


async def test_a_topic_created_anew_is_a_gap_although_offsets_would_fit(bench: Bench) -> None:
    """While nobody reads: the new topic is longer than the old one was, so offsets alone would look right."""
    await bench.send(0, 1)
    async with bench.reading():
        await bench.until(2)
    await bench.recreate()
    bench.writers = [BatchWriter(f"risk-scoring/stream/{n}", 2, SIGNER) for n in range(PARTITIONS)]
    await bench.send(2, 3, 4, 5)
    async with bench.reading():
        await bench.until(6)
    kinds, bodies = bench.look()
    assert kinds == ["record"] * 2 + ["gap"] * PARTITIONS + ["record"] * 4
    assert all(b'"reason":"TOPIC_CREATED_ANEW"' in body for body in bodies[2 : 2 + PARTITIONS])


async def test_a_topic_created_anew_under_a_running_reader(bench: Bench) -> None:
    async with bench.reading():
        await bench.send(0, 1)
        await bench.until(2)
        await bench.recreate()
        bench.writers = [BatchWriter(f"risk-scoring/stream/{n}", 2, SIGNER) for n in range(PARTITIONS)]
        await bench.send(2, 3, 4)
        await bench.until(5)
    kinds, _ = bench.look()
    assert kinds == ["record"] * 2 + ["gap"] * PARTITIONS + ["record"] * 3


async def test_a_topic_that_is_not_there_yet_is_waited_for(stack: Stack, topic_prefix: str, tmp_path: Path) -> None:
    bench = Bench(KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=topic_prefix), tmp_path)
    async with bench.reading():
        async with asyncio.timeout(60):
            while "UnknownTopicOrPartitionError" not in bench.health.reasons:
                await asyncio.sleep(0.02)
        await bench.create()
        await asyncio.wait_for(bench.health.up.wait(), 60)
        await bench.send(0)
        await bench.until(1)


async def test_topic_ids(bench: Bench) -> None:
    async with TopicIds(bench.kafka) as topics:
        before = await topics.identity(bench.topic)
        assert await topics.identity(bench.topic) == before
        assert before.partitions == {0, 1}
    await bench.recreate()
    async with TopicIds(bench.kafka) as topics:
        assert (await topics.identity(bench.topic)).id != before.id


@pytest.mark.timeout(120)
async def test_kill_9_again_and_again(bench: Bench) -> None:
    """The whole process is killed while it writes; what it committed is there once, the rest comes again."""
    environment = os.environ | {
        "FINMESH_KAFKA__BOOTSTRAP_SERVERS": bench.kafka.bootstrap_servers,
        "FINMESH_KAFKA__TOPIC_PREFIX": bench.kafka.topic_prefix,
        "FINMESH_AUDIT__DATABASE_URL": bench.url,
        "FINMESH_AUDIT__FLUSH_RECORDS": "1",
        "FINMESH_AUDIT__PRODUCERS": '{"risk-scoring/": "risk-scoring"}',
    }
    total = 2000
    sending = asyncio.create_task(bench.send(*range(total)))
    for kills in range(4):
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "audit", env=environment, stderr=asyncio.subprocess.DEVNULL)
        await bench.until(total if kills == 3 else 60 * (kills + 1))
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert kills > 0 or bench.count() < total, "killed too late to prove anything"
    await sending
    assert bench.records() == [record(n) for n in range(total)]
    assert set(bench.look()[0]) == {"record"}
