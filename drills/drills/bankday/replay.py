"""The day itself: stream, calls, strays, labels and reports at once, then the wait until everything is decided."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from finmesh_client import GatewayClient
from meshkit.errors import MeshError
from simbank.driver.corebank import CoreBank
from simbank.driver.producer import OpenLoopProducer
from simbank.driver.watcher import DecisionWatcher
from simbank.replay import Replay
from simbank.schema import I64

from drills.bankday import workload
from drills.bankday.live import Meter
from drills.bankday.site import Site
from drills.bankday.strays import Strays
from drills.bankday.workload import Bank, Workload

DRAIN_S = 60.0
START_AFTER_S = 0.5
_REPORT_EVERY_S = 1.0


@dataclass
class Done:
    """What went in and what was seen of it."""

    work: Workload
    meter: Meter
    expected_dead_letters: Mapping[str, int]
    until_s: float  # epoch: the wait ends then
    labels: int = 0
    lifecycle: int = 0
    streamed: frozenset[bytes] = field(default_factory=frozenset)


async def replay(site: Site, bank: Bank, meter: Meter, rate_per_s: float, seconds: float) -> Done:
    """Send everything and wait, DRAIN_S at most after the input ended, until it is decided."""
    servers = site.kafka.bootstrap_servers
    timed: dict[bytes, int] = {}
    async with (
        Strays(servers, bank.translator, bank.run) as strays,
        OpenLoopProducer(servers, bank.translator, run=bank.run) as producer,
        site.client() as gateway,
        DecisionWatcher(servers, timed) as watcher,
    ):
        start_us = time.time_ns() // 1_000 + int(START_AFTER_S * 1e6)
        work = workload.plan(bank, rate_per_s=rate_per_s, seconds=seconds, start_us=start_us)
        done = Done(work, meter, strays.expected, start_us / 1e6 + seconds + DRAIN_S)
        called, streamed = set(work.trace_of(work.calls)), set(work.trace_of(work.stream))
        meter.both_ways = frozenset(called & streamed)
        timed |= {t: int(us) for t, us in zip(work.trace_of(work.stream), work.stream.intended_us, strict=True) if t not in called}
        meter.began_s, meter.seen, meter.phase = time.monotonic() + START_AFTER_S, watcher.seen, "replaying"
        async with asyncio.TaskGroup() as group:
            calling = group.create_task(
                CoreBank(gateway, bank.run).replay(work.calls, bank.translator, meter.calls, done.until_s, lambda: None)
            )
            scattering = group.create_task(strays.scatter(work.plan, seconds))
            reporting = group.create_task(_report(producer, done))
            counting = group.create_task(_count_audited(gateway, site.tokens, meter))
            await producer.replay(work.stream, meter.sent, duplicate_share=workload.DUPLICATE_SHARE)
            await asyncio.gather(scattering, reporting)
            await strays.contradict(_only_streamed(work, called))
            meter.phase = "waiting until everything is decided"
            await calling
            done.streamed = frozenset(meter.sent.intended_us)
            await _decided(watcher, len(done.streamed | set(meter.calls.replies)), done.until_s)
            counting.cancel()
    return done


async def _count_audited(gateway: GatewayClient, tenants: Iterable[str], meter: Meter) -> None:
    """For the screen alone, until cancelled; an audit service that is down now answers later."""
    while True:
        await asyncio.sleep(_REPORT_EVERY_S)
        with suppress(MeshError):
            meter.audited = sum([(await gateway.get_statistics(tenant)).records for tenant in tenants])


def _only_streamed(work: Workload, called: set[bytes]) -> Replay:
    return work.stream.part(np.array([row for row, trace in enumerate(work.trace_of(work.stream)) if trace not in called]))


async def _decided(watcher: DecisionWatcher, distinct: int, until_s: float) -> None:
    """Returns when so many distinct decisions were seen, or time is up: the verdict then says what is missing."""
    while not await watcher.all_decided(distinct, 1.0) and time.time() < until_s:
        pass


async def _report(producer: OpenLoopProducer, done: Done) -> None:
    """Once a second what the bank has learned by now about transactions that were sent."""
    work = done.work
    end_us = int(work.plan.intended_us[-1]) + int(_REPORT_EVERY_S * 1e6)
    sent_us = 0
    while sent_us < end_us:
        await asyncio.sleep(_REPORT_EVERY_S)
        now_us = time.time_ns() // 1_000
        labels = _known(work.plan.intended_us[work.labels.row], work.labels.known_at_us, sent_us, now_us)
        reports = _known(work.plan.intended_us[work.reports.row], work.reports.event_time_us, sent_us, now_us)
        done.labels += await producer.report_labels(work.plan.rows, work.labels, labels)
        done.lifecycle += await producer.report_lifecycle(work.plan.rows, work.reports, reports)
        sent_us = now_us


def _known(intended_us: I64, known_us: I64, after_us: int, now_us: int) -> I64:
    """Of transactions sent since `after_us`, what is known now."""
    return np.flatnonzero((intended_us > after_us) & (intended_us <= now_us) & (known_us <= now_us))
