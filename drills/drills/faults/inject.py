"""Does one fault to a running mesh, as an accident would: signals to processes, bytes cut from a file, everything started anyhow."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from localmesh.supervisor import Mesh, State

from drills.faults.plan import TARGETS, Fault, Kind

PROXY = "redis-proxy"
_FORGET_S = (0.1, 1.0)
_STAGGER_S = 1.5


@dataclass(frozen=True, slots=True)
class Hit:
    """When a fault began and ended (epoch seconds), and what to wait for until the processes it hit are up."""

    began_s: float
    ended_s: float
    up: Callable[[], Awaitable[object]]


class Cut:
    """Shortens Redis' append-only file between two lives of Redis: what a power cut does to what was not yet synced.

    Redis 6 has one file in its folder, Redis 7 and Valkey a folder of several, of which the last is written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends: tuple[Path, int] | None = None

    def remember(self) -> None:
        """The file will end where it ends now."""
        file = max(self._folder.rglob("*.aof"), key=lambda path: path.stat().st_mtime_ns)
        self._ends = file, file.stat().st_size

    def apply(self) -> None:
        """Called before every start of Redis. A file that was rewritten meanwhile is shorter and stays as it is."""
        ends, self._ends = self._ends, None
        if ends is not None and ends[0].exists() and ends[1] < ends[0].stat().st_size:
            os.truncate(*ends)


class Injector:
    """Knows how to do each kind of fault."""

    def __init__(self, mesh: Mesh, cut: Cut, rng: random.Random) -> None:
        self._mesh = mesh
        self._cut = cut
        self._rng = rng
        self._does: dict[Kind, Callable[[Fault], Awaitable[Hit]]] = {
            Kind.KILL: self._kill,
            Kind.STOP: self._stop,
            Kind.SLOW: self._slow,
            Kind.FORGET: self._forget,
            Kind.SHUFFLE: self._shuffle,
        }

    async def __call__(self, fault: Fault) -> Hit:
        """Returns when the fault is over. What it hit is up before it begins."""
        if fault.target in self._mesh.slots:
            await self._mesh.wait(fault.target)
        return await self._does[fault.kind](fault)

    async def _kill(self, fault: Fault) -> Hit:
        now_s = time.time()
        pid = self._mesh.kill(fault.target)
        return Hit(now_s, now_s, lambda: self._mesh.wait(fault.target, other_than_pid=pid))

    async def _stop(self, fault: Fault) -> Hit:
        began_s = time.time()
        self._mesh.kill(fault.target, signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            self._mesh.kill(fault.target, signal.SIGCONT)
        return Hit(began_s, time.time(), lambda: self._mesh.wait(fault.target))

    async def _slow(self, fault: Fault) -> Hit:
        began_s = time.time()
        self._mesh.kill(PROXY, signal.SIGUSR1)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            self._mesh.kill(PROXY, signal.SIGUSR2)
        return Hit(began_s, time.time(), lambda: self._mesh.wait(PROXY))

    async def _forget(self, fault: Fault) -> Hit:
        self._cut.remember()
        await asyncio.sleep(self._rng.uniform(*_FORGET_S))
        return await self._kill(fault)

    async def _shuffle(self, fault: Fault) -> Hit:
        del fault
        began_s = time.time()
        for name in self._rng.sample(TARGETS, len(TARGETS)):
            await self._mesh.stop(name)
        starting = []
        for name in self._rng.sample(TARGETS, len(TARGETS)):
            starting.append(asyncio.create_task(self._mesh.start(name), name=f"start {name}"))
            await asyncio.sleep(self._rng.uniform(0.0, _STAGGER_S))
        return Hit(began_s, time.time(), lambda: asyncio.gather(*starting))


def down(mesh: Mesh) -> list[str]:
    """Processes that are not up now."""
    return [name for name, slot in mesh.slots.items() if slot.state not in (State.READY, State.DONE)]
