"""What all engines of this process are, hold and do, for whoever watches (WorkerService.WatchWorkers).

Surprising: a watcher costs no buffer. What can be missed is numbered and kept, for all of them together, in a ring; who has fallen out
of it is told everything that is held now. A load is only ever the newest one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from finmesh.inference.v1.worker_pb2 import WORKER_STATE_DRAINING, KvEvent, WorkerDescription, WorkerLoad
from finmesh.inference.v1.worker_service_pb2 import Position, WatchWorkersResponse

KEPT = 4096
TELL_S = 1.0


@dataclass(slots=True, eq=False)
class _Engine:
    """``blocks``: what is held, in the order in which it came. ``told``: how often its load was told."""

    description: WorkerDescription
    load: WorkerLoad
    seq: int = 0
    blocks: dict[bytes, None] = field(default_factory=dict)
    ring: deque[KvEvent] = field(default_factory=lambda: deque(maxlen=KEPT))
    loads: int = 0

    def take(self, event: KvEvent) -> None:
        if event.cleared:
            self.blocks.clear()
            self.ring.clear()
        else:
            self.ring.append(event)
        self.seq = event.seq
        for block in event.removed:
            self.blocks.pop(block, None)
        self.blocks.update(dict.fromkeys(event.stored))

    def since(self, seq: int) -> list[KvEvent]:
        """Return what changed after a number; all that is held when that is not kept."""
        if seq == self.seq:
            return []
        if self.ring and self.ring[0].seq <= seq + 1 <= self.seq:
            return [event for event in self.ring if event.seq > seq]
        return [KvEvent(seq=self.seq, cleared=True, stored=list(self.blocks))]


@dataclass(slots=True)
class _Place:
    """How far one watcher is with one engine."""

    incarnation: str = ""
    seq: int = 0
    loads: int = -1


class Feed:
    """A `backends.port.Watcher`. ``stopping``: from then on engines are told as draining, and watchers no more."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._engines: dict[str, _Engine] = {}
        self._changed = asyncio.Event()

    def described(self, description: WorkerDescription) -> None:
        """It is (anew) this."""
        known = self._engines.get(description.worker_id)
        if known is None or known.description.incarnation != description.incarnation:
            self._engines[description.worker_id] = _Engine(description, WorkerLoad())
        else:
            known.description = description
        self._tell()

    def changed(self, worker_id: str, event: KvEvent) -> None:
        """Its blocks changed."""
        self._engines[worker_id].take(event)
        self._tell()

    def loaded(self, worker_id: str, load: WorkerLoad) -> None:
        """It is this busy."""
        engine = self._engines[worker_id]
        engine.load, engine.loads = load, engine.loads + 1
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def watch(self, positions: Mapping[str, Position]) -> AsyncGenerator[WatchWorkersResponse, None]:
        """Tell everything from ``positions`` on; loads at least every second."""
        places = {each: _Place(position.incarnation, position.seq) for each, position in positions.items()}
        described: set[tuple[str, str]] = set()
        while not self._stopping.is_set():
            changed = self._changed
            for worker_id, engine in list(self._engines.items()):
                place = places.setdefault(worker_id, _Place())
                for response in self._news(worker_id, engine, place, described):
                    yield response
            async with asyncio.TaskGroup() as group:
                waits = [group.create_task(changed.wait()), group.create_task(self._stopping.wait())]
                await asyncio.wait(waits, timeout=TELL_S, return_when=asyncio.FIRST_COMPLETED)
                for each in waits:
                    each.cancel()
            if not changed.is_set():
                for place in places.values():
                    place.loads = -1  # told again: whoever hears nothing takes an engine for dead
        for worker_id, engine in self._engines.items():
            yield self._load(worker_id, engine)

    def _news(self, worker_id: str, engine: _Engine, place: _Place, described: set[tuple[str, str]]) -> list[WatchWorkersResponse]:
        incarnation = engine.description.incarnation
        news = []
        if (worker_id, incarnation) not in described:
            described.add((worker_id, incarnation))
            news.append(WatchWorkersResponse(worker_id=worker_id, incarnation=incarnation, description=engine.description))
        if place.incarnation != incarnation or place.seq > engine.seq:
            place.incarnation, place.seq = incarnation, -1
        missed = engine.since(place.seq)
        news += [WatchWorkersResponse(worker_id=worker_id, incarnation=incarnation, event=event) for event in missed]
        place.seq = engine.seq
        if place.loads != engine.loads:
            place.loads = engine.loads
            news.append(self._load(worker_id, engine))
        return news

    def _load(self, worker_id: str, engine: _Engine) -> WatchWorkersResponse:
        load = WorkerLoad()
        load.CopyFrom(engine.load)
        if self._stopping.is_set():
            load.state = WORKER_STATE_DRAINING
        return WatchWorkersResponse(worker_id=worker_id, incarnation=engine.description.incarnation, load=load)
