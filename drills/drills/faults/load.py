"""What is sent while the mesh breaks: a stream at a fixed rate, calls, the same transactions both ways at once, repeats and poison.

The load goes on until it is told to stop, in segments that are planned one after the other; each is open loop. Segments overlap when
the broker holds one up: nothing waits for anything but the clock. Every transaction happens when it is sent: an older one may be refused
while the feature store is down (rule D22), and it is what is decided then that has to be proven.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
from simbank.driver.corebank import Calls, CoreBank
from simbank.driver.headers import trace_id_of
from simbank.driver.producer import OpenLoopProducer, Sent
from simbank.driver.watcher import DecisionWatcher
from simbank.replay import Replay, plan_replay

from drills.bankday.site import Site
from drills.bankday.strays import Strays
from drills.bankday.workload import Bank

SEGMENT_S = 5.0
BOTH_SHARE, CALL_SHARE = 0.15, 0.05  # both ways at once; called only
DUPLICATE_SHARE = 0.02
AGAIN_SHARE = 0.1  # of a segment, streamed and called once more in the next but one: old decisions by then
_APART_US = 20_000  # of both ways, at most
_DRAIN_S = 60.0


class Load:
    """Use as an asynchronous context manager. `seconds` is the longest time for which there are transactions."""

    def __init__(self, site: Site, bank: Bank, rate_per_s: float, seconds: float) -> None:
        self.sent, self.calls = Sent(), Calls()
        self.asked: set[bytes] = set()
        self._due: list[tuple[int, int, int]] = []  # begin (epoch us), transactions, calls of each segment
        self._bank = bank
        self._rate_per_s = rate_per_s
        servers = site.kafka.bootstrap_servers
        self._strays = Strays(servers, bank.translator, bank.run)
        self._producer = OpenLoopProducer(servers, bank.translator, run=bank.run)
        self._gateway = site.client()
        self._corebank = CoreBank(self._gateway, bank.run)
        self.watcher = DecisionWatcher(servers, {})
        now_us = time.time_ns() // 1_000
        self._plan = plan_replay(bank.day, rate_per_s=rate_per_s, seconds=seconds, start_us=now_us)
        self._rng = np.random.default_rng(bank.run & 0xFFFF_FFFF)
        self._stopping = asyncio.Event()
        self._only_streamed: Replay | None = None

    async def __aenter__(self) -> Self:
        for part in (self._strays, self._producer, self._gateway, self.watcher):
            await part.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for part in (self.watcher, self._gateway, self._producer, self._strays):
            await part.__aexit__(kind, error, trace)

    @property
    def expected_dead_letters(self) -> Mapping[str, int]:
        """Dead letters by reason that the strays must become."""
        return self._strays.expected

    def stop(self) -> None:
        """Let the running segment be the last."""
        self._stopping.set()

    @property
    def exhausted(self) -> bool:
        """There are no transactions left for another segment."""
        return (len(self._due) + 1) * self._per_segment > len(self._plan)

    @property
    def _per_segment(self) -> int:
        return round(self._rate_per_s * SEGMENT_S)

    def due(self) -> tuple[int, int]:
        """(transactions, calls) whose time has come."""
        now_us = time.time_ns() / 1_000
        transactions = calls = 0.0
        for begin_us, count, called in self._due:
            share = min(max((now_us - begin_us) / (SEGMENT_S * 1e6), 0.0), 1.0)
            transactions, calls = transactions + share * count, calls + share * called
        return int(transactions), int(calls)

    async def run(self) -> None:
        """Send until stopped, and return when broker and gateway have answered for everything, or after a minute of waiting."""
        calling: list[asyncio.Task[None]] = []
        before: list[Replay] = []
        async with asyncio.TaskGroup() as group:
            begin_us = time.time_ns() // 1_000
            while not self._stopping.is_set() and not self.exhausted:
                stream, calls, whole = self._segment(begin_us)
                group.create_task(self._send(stream))
                before.append(stream)
                if len(before) > 2:
                    group.create_task(self._send(self._again(before.pop(0))))
                group.create_task(self._strays.scatter(whole, SEGMENT_S))
                calling.append(asyncio.create_task(self._corebank.replay(calls, self._bank.translator, self.calls, np.inf, _nothing)))
                begin_us += int(SEGMENT_S * 1e6)
                await asyncio.sleep(max(begin_us / 1e6 - time.time(), 0.0))
        _, late = await asyncio.wait(calling, timeout=_DRAIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*calling, return_exceptions=bool(late))
        if self._only_streamed is not None:
            await self._strays.contradict(self._only_streamed)

    async def _send(self, stream: Replay) -> None:
        await self._producer.replay(stream, self.sent, duplicate_share=DUPLICATE_SHARE)

    def _again(self, part: Replay) -> Replay:
        """Some of an earlier segment as it was, to be sent now."""
        chosen = part.part(np.flatnonzero(self._rng.random(len(part)) < AGAIN_SHARE))
        return replace(chosen, intended_us=chosen.intended_us + int(2 * SEGMENT_S * 1e6))

    def _segment(self, begin_us: int) -> tuple[Replay, Replay, Replay]:
        """(stream, calls, all) of the next segment."""
        count = self._per_segment
        rows = np.arange(count) + len(self._due) * count
        at_us = begin_us + (np.arange(count) * (1e6 / self._rate_per_s)).astype(np.int64)
        part = self._plan.part(rows)
        whole = replace(part, rows=part.rows.replace(event_time_us=at_us), intended_us=at_us, start_us=begin_us)
        draw = self._rng.random(count)
        streamed, called = np.flatnonzero(draw >= CALL_SHARE), np.flatnonzero(draw < CALL_SHARE + BOTH_SHARE)
        calls_us = np.maximum(at_us[called] + self._rng.integers(-_APART_US, _APART_US, len(called)), begin_us)
        order = np.argsort(calls_us, kind="stable")
        self._only_streamed = whole.part(np.flatnonzero(draw >= CALL_SHARE + BOTH_SHARE))
        calls = replace(whole.part(called[order]), intended_us=calls_us[order])
        self.asked |= {trace_id_of(self._bank.run, int(number)) for number in calls.rows.transaction_id}
        self._due.append((begin_us, count, len(called)))
        return whole.part(streamed), calls, whole


def _nothing() -> None:
    return None
