"""Routers that are killed with SIGKILL, and a Redis too, beside a real broker and the audit service's own consumer."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditBatch, AuditRecord
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.config import KafkaSettings
from meshkit.events.replay import TopicReader

from tests.ports.audit.bench import Bench
from tests.ports.router.living import parts
from tests.ports.router.routers import PREFIX
from tests.stack import PrivateRedis, Stack
from tests.unit.router.generations import generation_id

pytestmark = pytest.mark.stack
ROOT = Path(__file__).resolve().parents[3]
KILLS = 3
ENDED_BEFORE_A_KILL = 12


class Alive:
    """A router's process, and what its clients saw."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.seen: dict[str, set[int]] = defaultdict(set)

    async def saw(self, ended: int) -> None:
        """Read on until so many generations ended."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while len(self.seen["ended"]) < ended:
                line = (await self.process.stdout.readline()).decode()
                assert line, "it died by itself"
                what, number = line.split()
                self.seen[what].add(int(number))

    async def kill(self) -> None:
        """SIGKILL, then what it had still said."""
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGKILL)
        for line in (await self.process.stdout.read()).decode().splitlines():
            if len(words := line.split()) == 2:
                self.seen[words[0]].add(int(words[1]))
        await self.process.wait()


@asynccontextmanager
async def alive(redis: str, kafka: str, prefix: str, first: int) -> AsyncIterator[Alive]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.ports.router.living", redis, kafka, prefix, str(first), stdout=PIPE, cwd=ROOT
    )
    router = Alive(process)
    try:
        yield router
    finally:
        if process.returncode is None:
            await router.kill()


async def closed(redis: str, kafka: str, prefix: str) -> None:
    """Sweep until nothing is open."""
    events, store, _, sweeper = parts(redis, kafka, prefix, "last")
    try:
        async with asyncio.timeout(60):
            while await store._redis.zcard(PREFIX + "leases"):
                await sweeper.sweep()
                await asyncio.sleep(0.05)
    finally:
        await store.aclose()
        await events.aclose()


async def in_topic(kafka: KafkaSettings) -> set[bytes]:
    """Every different record that was written, by whom and how often may be."""
    reader = TopicReader(kafka, AUDIT_TOPIC)
    try:
        batches = [
            AuditBatch.FromString(message.value)
            for partition in await reader.partitions()
            async for messages, _ in reader.read(partition, 0)
            for message in messages
        ]
        return {record for batch in batches for record in batch.records}
    finally:
        await reader.aclose()


async def test_every_start_has_one_end_whoever_was_killed(
    stack: Stack, provisioned: str, private_redis: PrivateRedis, tmp_path: Path
) -> None:
    seen: dict[str, set[int]] = defaultdict(set)
    bench = Bench(KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=provisioned), tmp_path)
    async with alive(private_redis.url, stack.kafka, provisioned, 1_000_000) as survivor:
        for kill in range(KILLS):
            async with alive(private_redis.url, stack.kafka, provisioned, 1 + kill * 10_000) as victim:
                await victim.saw(ENDED_BEFORE_A_KILL + kill)
                if kill == KILLS // 2:
                    private_redis.kill()
                    private_redis.start()
                    await victim.saw(2 * ENDED_BEFORE_A_KILL + kill)
                await victim.kill()
                for what, numbers in victim.seen.items():
                    seen[what] |= numbers
        await survivor.saw(ENDED_BEFORE_A_KILL)
        await survivor.kill()
        for what, numbers in survivor.seen.items():
            seen[what] |= numbers
    await closed(private_redis.url, stack.kafka, provisioned)
    written = await in_topic(bench.kafka)
    async with bench.reading():
        await bench.until(len(written))
    told: dict[str, dict[str, AuditRecord]] = defaultdict(dict)
    kinds, bodies = bench.look()
    assert set(kinds) == {"record"}, "no conflict, no poison, no gap: the same id is the same bytes"
    for record in map(AuditRecord.FromString, bodies):
        event = record.generation.WhichOneof("event")
        assert event not in told[record.generation.generation_id], "one of a kind"
        told[record.generation.generation_id][event] = record
    assert all(set(events) == {"started", "ended"} for events in told.values())
    assert {generation_id(number) for number in seen["started"]} <= set(told)
    for number in seen["ended"]:
        assert not told[generation_id(number)]["ended"].generation.ended.interrupted, "a client was told that it ended"
    interrupted = [events for events in told.values() if events["ended"].generation.ended.interrupted]
    assert interrupted, "nobody was killed in the middle of anything"
    assert len(seen["ended"]) >= KILLS * ENDED_BEFORE_A_KILL
