"""The stream: sustained rate out of a backlog beside a bare loop, then latency at an open-loop rate.

Everything is on: tracing, rules, graph and label features, the audit service reading along. The order: a first part warms up and gives an
estimate; a backlog for the wanted time is loaded while the stream is down; the bare loop eats it; the mesh eats it; the bare loop again.
Processor time is counted over all of the backlog, until the audit log has it, and stands first.
"""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from drills.checks import evidence
from finmesh.audit.v1.audit_record_pb2 import AuditBatch
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.clock import SystemClock
from meshkit.events.message import Message
from meshkit.events.replay import TopicReader
from risk_scoring.config import StreamConfig
from risk_scoring.consumers.transactions import TRANSACTION_TOPIC
from risk_scoring.main.parts import STREAM_GROUP
from risk_scoring.translate.messages import DECISION_TOPIC
from simbank.driver.producer import OpenLoopProducer, Sent
from simbank.driver.watcher import DecisionWatcher
from simbank.labels import report_labels
from simbank.replay import Replay
from translog.database import Database
from translog.reader import LogReader
from translog.sqlite import SqliteDatabase

from bench import bare, rate, site
from bench.cost import SETTLE_S, Look, Meter, cost_figures, cost_words
from bench.cost import STREAM as PROCESSES
from bench.processes import Usage
from bench.report import Figures, Target
from bench.site import Site
from bench.state import state
from bench.workload import Bank, build_bank

DUPLICATE_SHARE = 0.01
WARM_UP_S, MAX_RATE, GUESS_RATE = 4.0, 12_000, 3_000
STREAM = "risk-stream"
TARGETS = {
    "tx_per_s": Target(min=5_000),
    "ratio": Target(min=0.15),
    "p99_ms_at_500": Target(max=50),
    "degraded": Target(max=0),
    "rss_mib": Target(max=4_096),
}
WORDS = {
    **cost_words(PROCESSES, "tx", "a transaction", ("bare", "the bare loop, the broker's share in it")),
    "tx_per_s": "distinct transactions decided, committed and published, 1/s",
    "bare_tx_per_s": "bare transactional loop, same client, batch, partitions, bytes, 1/s",
    "ratio": "mesh : bare",
    "p50_ms_at_500": "p50 from intended send to decision read (read_committed), ms",
    "p99_ms_at_500": "p99, ms",
    "degraded": "degraded decisions",
    "rss_mib": "resident memory of all processes at the end, MiB",
    "undecided": "transactions without a decision at the end",
    "contradictory": "repeated decisions with other bytes",
    "transactions": "distinct transactions in the whole run",
    "audit_behind": "records the audit log had still to take when the rate was measured",
}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds`: of the sustained rate and of the latency each; `rate_per_s`: of the latency."""

    seconds: float
    customers: int
    rate_per_s: float


async def measure(var: Path | None, plan: Plan, say: Say) -> Figures:
    """Run it. Raises StartError, LookupError."""
    seconds = plan.seconds
    max_rows = int(MAX_RATE * seconds + plan.rate_per_s * (seconds + WARM_UP_S)) + GUESS_RATE * int(WARM_UP_S)
    bank = await asyncio.to_thread(build_bank, plan.customers, max_rows, time.time_ns() // 1_000)
    say(f"a bank of {plan.customers:,} customers")
    async with site.opened(var) as at:
        run = _Run(at, bank, plan, say)
        return await run.measured()


class _Run:
    """One run from start to end."""

    def __init__(self, at: Site, bank: Bank, plan: Plan, say: Say) -> None:
        self._at, self._bank, self._plan, self._say = at, bank, plan, say
        self._clock = SystemClock()
        self._sent = Sent()
        self._meter = Meter(at.usage)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=at.kafka.bootstrap_servers)
        self._figures = Figures(f"stream: {bank.customers:,} customers, {DUPLICATE_SHARE:.0%} duplicates", {}, TARGETS, WORDS)

    async def measured(self) -> Figures:
        await self._admin.start()
        try:
            return await self._measured()
        finally:
            await self._admin.close()

    async def _measured(self) -> Figures:
        values, notes = self._figures.values, self._figures.notes
        per_s = await self._warm_up()
        await self._meter.rest(self._plan.seconds)
        await self._at.mesh.stop(STREAM)
        await self._load(round(max(min(per_s * 1.1, MAX_RATE), 100) * self._plan.seconds))
        settings = await self._bare_settings()
        before = await self._bare(settings("before"))
        tx_per_s, each_us = await self._sustained()
        after = await self._bare(settings("after"))
        values |= cost_figures(each_us, PROCESSES, "tx", ("bare", (before.cpu_us + after.cpu_us) / 2))
        values["tx_per_s"], values["bare_tx_per_s"] = tx_per_s, (before.records_per_s + after.records_per_s) / 2
        values["ratio"] = values["tx_per_s"] / values["bare_tx_per_s"]
        notes["bare loop before, after, 1/s"] = f"{before.records_per_s:,.0f}, {after.records_per_s:,.0f}"
        notes["bare loop before, after, µs"] = f"{before.cpu_us:.1f}, {after.cpu_us:.1f}"
        values["p50_ms_at_500"], values["p99_ms_at_500"] = await self._latency()
        await self._concluded()
        self._figures.values = {name: values[name] for name in WORDS}
        return self._figures

    async def _warm_up(self) -> float:
        """Decide a first part, report its labels, and estimate the rate."""
        share = min(self._plan.seconds, WARM_UP_S)
        part = await self._load(round(GUESS_RATE * share))
        samples = await rate.watched(self._committed, self._sent.offered, 120, self._clock)
        labels = report_labels(part.rows, np.random.default_rng(self._at.run & 0xFFFF_FFFF))
        async with self._producer() as producer:
            told = await producer.report_labels(part.rows, labels, np.arange(len(labels)))
        per_s = rate.sustained(samples, self._sent.offered)
        per_s = GUESS_RATE if math.isnan(per_s) else per_s
        self._say(f"warm: about {per_s:,.0f}/s, {told} labels")
        return per_s

    def _producer(self) -> OpenLoopProducer:
        return OpenLoopProducer(self._at.kafka.bootstrap_servers, self._bank.translator, run=self._at.run)

    async def _load(self, count: int) -> Replay:
        """Send transactions and duplicates at once: their intended times have passed."""
        lasts_s = count / GUESS_RATE
        part = self._bank.take(count, rate_per_s=GUESS_RATE, start_us=int((time.time() - lasts_s - 3) * 1e6))
        began_s = time.monotonic()
        async with self._producer() as producer:
            await producer.replay(part, self._sent, duplicate_share=DUPLICATE_SHARE)
        self._say(f"loaded {count:,} in {time.monotonic() - began_s:.0f} s")
        return part

    async def _committed(self) -> int:
        """Input messages whose answers are committed."""
        offsets = await self._admin.list_consumer_group_offsets(STREAM_GROUP)
        return sum(found.offset for place, found in offsets.items() if place.topic == TRANSACTION_TOPIC and found.offset > 0)

    async def _bare(self, settings: bare.Settings) -> bare.Measured:
        found = await bare.measure(settings, self._at.places.var, self._meter.idle["kafka"])
        self._say(f"bare loop: {found.records_per_s:,.0f}/s, {found.cpu_us:.1f} µs each")
        return found

    async def _sustained(self) -> tuple[float, dict[str, float]]:
        """Distinct transactions a second while the backlog lasts or the time is over; what each of the backlog cost, µs by process."""
        down = self._meter.now()
        starting = asyncio.create_task(self._at.mesh.start(STREAM))
        samples = [rate.Sample(time.monotonic(), await self._committed())]
        await starting
        before, known = self._meter.now(), await self._committed()
        if known >= self._sent.offered:  # so small that it is over when the stream is ready: it counts with the start of the process
            before, known = Look({**down.used, STREAM: Usage(0, 0)}, down.at_s), samples[0].count
        samples += await rate.watched(self._committed, self._sent.offered, self._plan.seconds, self._clock)
        distinct = len(self._sent.intended_us) / self._sent.offered
        self._figures.values["audit_behind"] = max(samples[-1].count - self._sent.duplicates - self._audited(), 0)
        found = rate.sustained(samples, self._sent.offered) * distinct
        await self._decided()
        after = self._meter.now()
        self._say(f"mesh: {found:,.0f}/s")
        return found, self._meter.us_each(before, after, (self._sent.offered - known) * distinct)

    def _audited(self) -> int:
        database: Database = SqliteDatabase.open_reader(self._at.audit_file)
        with closing(database):
            return LogReader(database).records()

    async def _decided(self) -> None:
        """Wait until the stream has caught up, and the audit log with it."""
        await rate.watched(self._committed, self._sent.offered, 600, self._clock)

        async def audited() -> int:
            return self._audited()

        await rate.watched(audited, self._sent.offered - self._sent.duplicates, 600, self._clock)
        await asyncio.sleep(SETTLE_S)

    async def _bare_settings(self) -> Callable[[str], bare.Settings]:
        """Settings of the bare loop, with messages that the mesh published while it was warmed up."""
        topics = {name: f"bench.{name}" for name in ("decisions", "audit")}
        decisions, records = await self._samples(), await self._audit_bytes()
        partitions = await self._partitions()
        await self._admin.create_topics([NewTopic(name, partitions, 1) for name in topics.values()])

        def settings(name: str) -> bare.Settings:
            return bare.Settings(
                bootstrap=self._at.kafka.bootstrap_servers,
                kafka_pid=self._at.mesh.pid("kafka"),
                name=f"bench-{name}",
                input_topic=TRANSACTION_TOPIC,
                decision_topic=topics["decisions"],
                audit_topic=topics["audit"],
                partitions=partitions,
                batch=int(StreamConfig.model_fields["stream_max_batch"].default),
                seconds=max(self._plan.seconds / 3, 1.0),
                audit_bytes=records,
                decisions=[bare.sample(message) for message in decisions],
            )

        return settings

    async def _partitions(self) -> int:
        reader = TopicReader(self._at.kafka, TRANSACTION_TOPIC)
        try:
            return len(await reader.partitions())
        finally:
            await reader.aclose()

    async def _samples(self, wanted: int = 256) -> list[Message]:
        """Decision messages as they were published."""
        found: list[Message] = []
        reader = TopicReader(self._at.kafka, DECISION_TOPIC)
        try:
            for partition in await reader.partitions():
                async for records, _ in reader.read(partition, 0):
                    found += [Message(DECISION_TOPIC, partition, r.key, r.value, r.headers) for r in records]
                    if len(found) >= wanted:
                        return found[:wanted]
        finally:
            await reader.aclose()
        if not found:
            raise LookupError("nothing was decided")
        return found

    async def _audit_bytes(self) -> int:
        """Bytes of the audit topic for one record, envelopes included."""
        size = count = 0
        reader = TopicReader(self._at.kafka, AUDIT_TOPIC)
        try:
            for partition in await reader.partitions():
                async for records, _ in reader.read(partition, 0):
                    size += sum(len(record.value) for record in records)
                    count += sum(len(AuditBatch.FromString(record.value).records) for record in records)
        finally:
            await reader.aclose()
        return size // max(count, 1)

    async def _latency(self) -> tuple[float, float]:
        """Milliseconds at an open-loop rate, after a moment of the same that is not counted."""
        plan = self._plan
        timed: dict[bytes, int] = {}
        warm = Sent()
        async with DecisionWatcher(self._at.kafka.bootstrap_servers, timed) as watcher, self._producer() as producer:
            first = self._bank.take(round(plan.rate_per_s * 2), rate_per_s=plan.rate_per_s, start_us=time.time_ns() // 1_000)
            await producer.replay(first, warm)
            await watcher.all_decided(len(first), 10.0)
            part = self._bank.take(
                round(plan.rate_per_s * plan.seconds), rate_per_s=plan.rate_per_s, start_us=time.time_ns() // 1_000 + 200_000
            )
            before = set(self._sent.intended_us)
            sent = Sent(intended_us=timed)
            await producer.replay(part, sent, duplicate_share=DUPLICATE_SHARE)
            await watcher.all_decided(len(first) + len(part), 10.0)
            self._sent.intended_us.update(warm.intended_us)
            self._sent.intended_us.update(timed)
            self._figures.notes["latest send after its intended time, ms"] = f"{sent.late_max_s * 1e3:.1f}"
            self._figures.notes["transactions timed"] = f"{len(watcher.seen.latencies_s):,} of {len(set(timed) - before):,}"
            return watcher.seen.latency_ms(0.5), watcher.seen.latency_ms(0.99)

    async def _concluded(self) -> None:
        """Read everything back, and look at memory."""
        values, notes = self._figures.values, self._figures.notes
        used = self._at.usage()
        values["rss_mib"] = sum(each.rss_mib for each in used.values())
        notes["resident, MiB"] = ", ".join(f"{name} {each.rss_mib:.0f}" for name, each in sorted(used.items(), key=_by_memory))
        found = await evidence.decisions(self._at.kafka)
        told = set(self._sent.intended_us)
        values["degraded"] = sum(decision.degraded for decision in found.first.values())
        values["transactions"] = len(told)
        values["undecided"] = len(told - {decision.trace for decision in found.first.values()})
        values["contradictory"] = found.contradictory
        notes["decision records, repeated"] = f"{found.records:,}, {found.repeated:,}"
        redis = await state(self._at.redis_url)
        sizes = ", ".join(f"{kind} {redis.mean_bytes[kind]:,.0f} ({redis.share[kind]:.0%} of keys)" for kind in redis.mean_bytes)
        notes["Redis"] = f"{redis.used_mib:,.0f} MiB, {redis.keys:,} keys; mean bytes: {sizes}"


def _by_memory(item: tuple[str, object]) -> float:
    return -float(getattr(item[1], "rss_mib", 0.0))
