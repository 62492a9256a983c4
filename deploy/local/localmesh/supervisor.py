"""Runs rows of the process table: start in order of need, wait on health, restart what dies, stop in reverse.

One asyncio task watches each process; nothing polls once a process is ready. A needed process that dies later does not take
down those that need it: services must live through that, and the fault tests rely on it.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from localmesh.child import Child
from localmesh.health import accepts
from localmesh.ports import LOOPBACK
from localmesh.rows import Row, ordered

PROBE_EVERY_S = 0.05


class State(StrEnum):
    """Of one process. BACKOFF: died, and waits to be started again; FAILED: given up; DONE: a row that ends by itself ended with 0."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    BACKOFF = "backoff"
    FAILED = "failed"
    STOPPED = "stopped"


UP = frozenset({State.READY, State.DONE})


class StartError(Exception):
    """A process did not come up; carries the end of its log."""


@dataclass(slots=True)
class Slot:
    """What is known of one row's process now."""

    row: Row
    log: Path
    state: State = State.WAITING
    child: Child | None = None
    deaths: int = 0
    restarts: int = 0
    took_s: float = 0.0
    reason: str = ""
    task: asyncio.Task[None] | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


class Mesh:
    """`async with Mesh(rows, scratch) as mesh:` — inside, every process is ready; afterwards none is left.

    `scratch/logs/<name>.log` collects output. `changed` is called with the mesh after each change of a state.
    """

    def __init__(self, rows: Sequence[Row], scratch: Path, changed: Callable[["Mesh"], None] | None = None) -> None:
        self.slots: dict[str, Slot] = {row.name: Slot(row, scratch / "logs" / f"{row.name}.log") for row in ordered(list(rows))}
        self._tell = changed or (lambda _: None)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.close)
            for name in self.slots:
                self._watch(name)
            await self.up()
            undo.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def up(self) -> None:
        """Returns when every process is ready (one-shot: done); StartError as soon as one was given up."""
        waits = [asyncio.ensure_future(self.wait(name)) for name in self.slots]
        try:
            await asyncio.gather(*waits)
        finally:
            for wait in waits:
                wait.cancel()

    async def close(self) -> None:
        """Stops everything, each as soon as nothing that needs it is left."""
        ends: dict[str, asyncio.Task[None]] = {}

        async def end(name: str) -> None:
            await asyncio.gather(*(ends[other] for other in ends if name in self.slots[other].row.needs))
            await self.stop(name)

        for name in reversed(self.slots):
            ends[name] = asyncio.create_task(end(name))
        await asyncio.gather(*ends.values())

    async def start(self, name: str) -> None:
        """Starts a stopped process again and waits until it is ready."""
        self._watch(name)
        await self.wait(name)

    async def stop(self, name: str) -> None:
        """Ends a process and keeps it down."""
        slot = self.slots[name]
        if slot.task is not None:
            slot.task.cancel()
            await asyncio.gather(slot.task, return_exceptions=True)
            slot.task = None
        if slot.child is not None:
            await slot.child.end(slot.row.stop_timeout_s)
            slot.child = None
        await self._set(slot, State.STOPPED)

    async def wait(self, name: str, other_than_pid: int | None = None) -> int:
        """Pid once the process is up; with `other_than_pid`, of a successor of that one. StartError when it was given up."""
        slot = self.slots[name]
        async with slot.changed:
            await slot.changed.wait_for(
                lambda: slot.state is State.FAILED or (slot.state in UP and (other_than_pid is None or self._pid(slot) != other_than_pid))
            )
        if slot.state is State.FAILED:
            raise StartError(f"{name}: {slot.reason}\n{tail(slot.log)}")
        return self._pid(slot)

    def pid(self, name: str) -> int:
        """Process id now; LookupError when it does not run."""
        pid = self._pid(self.slots[name])
        if not pid:
            raise LookupError(f"{name} does not run")
        return pid

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Signals a process as an accident would, and returns the pid that was hit; the mesh then restarts it."""
        pid = self.pid(name)
        child = self.slots[name].child
        if child is not None:
            child.send(number)
        return pid

    def state(self, name: str) -> State:
        """State now. KeyError for a name that is no row."""
        return self.slots[name].state

    @property
    def ports(self) -> dict[str, Mapping[str, int]]:
        """Ports by process name, then by use."""
        return {name: slot.row.ports for name, slot in self.slots.items()}

    @property
    def env(self) -> dict[str, Mapping[str, str]]:
        """Environment each process was given, by process name."""
        return {name: slot.row.env for name, slot in self.slots.items()}

    @staticmethod
    def _pid(slot: Slot) -> int:
        return slot.child.pid if slot.child is not None else 0

    def _watch(self, name: str) -> None:
        slot = self.slots[name]
        slot.state, slot.deaths, slot.took_s, slot.reason = State.WAITING, 0, 0.0, ""
        slot.task = asyncio.create_task(self._keep(slot), name=f"keep {name}")

    async def _keep(self, slot: Slot) -> None:
        try:
            await asyncio.gather(*(self.wait(need) for need in slot.row.needs))
            await _refuse_taken(slot.row)
            ever_ready = False
            while not await self._live(slot):
                ever_ready = ever_ready or slot.took_s > 0
                slot.restarts += 1
                if not ever_ready and slot.deaths >= slot.row.restart.attempts:
                    await self._set(slot, State.FAILED, slot.reason)
                    return
                await self._set(slot, State.BACKOFF, slot.reason)
                await asyncio.sleep(slot.row.restart.delay_s(slot.deaths))
        except Exception as error:  # whatever a `prepare` raises: a task that died in silence would be waited for without end
            await self._set(slot, State.FAILED, str(error) or type(error).__name__)

    async def _live(self, slot: Slot) -> bool:
        """One life of the process, from start to end. True when nothing more is to be done (one-shot done, or given up)."""
        if slot.row.prepare is not None:
            await asyncio.to_thread(slot.row.prepare)
        began = time.monotonic()
        slot.child = child = await Child.start(slot.row, slot.log)
        await self._set(slot, State.STARTING)
        exited = asyncio.create_task(child.exited())
        ready = asyncio.create_task(self._ready(slot))
        try:
            await asyncio.wait({exited, ready}, timeout=slot.row.start_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if ready.done() and not exited.done():
                slot.took_s = time.monotonic() - began
                ready_at = time.monotonic()
                await self._set(slot, State.READY)
                await exited
                if time.monotonic() - ready_at >= slot.row.restart.steady_s:
                    slot.deaths = 0
            elif not exited.done():
                slot.deaths = slot.row.restart.attempts
                slot.reason = f"not ready after {slot.row.start_timeout_s:g} s"
                await child.end(slot.row.stop_timeout_s)
                slot.child = None
                return False
            status = await exited
        finally:
            ready.cancel()
            exited.cancel()
        slot.child = None
        if slot.row.one_shot and status == 0:
            slot.took_s = time.monotonic() - began
            await self._set(slot, State.DONE)
            return True
        slot.deaths += 1
        slot.reason = f"ended by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        return False

    @staticmethod
    async def _ready(slot: Slot) -> None:
        if slot.row.one_shot:
            await asyncio.Event().wait()
        while slot.row.health is not None and not await slot.row.health.probe():  # noqa: ASYNC110
            await asyncio.sleep(PROBE_EVERY_S)

    async def _set(self, slot: Slot, state: State, reason: str = "") -> None:
        async with slot.changed:
            slot.state, slot.reason = state, reason
            slot.changed.notify_all()
        self._tell(self)


async def _refuse_taken(row: Row) -> None:
    """OSError when somebody listens on a port of the row: its health would be taken for ours."""
    for use, port in row.ports.items():
        if await accepts(LOOPBACK, port):
            raise OSError(f"port {port} ({use}) is taken by another program; FINMESH_PORT_* chooses others")


def tail(log: Path, lines: int = 15) -> str:
    """Last lines of a log, for a message to a person."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
