"""Changes of state as events (BackendStateChanged), told in order, each until it was recorded.

Surprising: nothing waits for Kafka. Changes are numbered where they are seen and wait here while it is away; past the bound the oldest are
given up, and the numbers of those that follow say so. One that may have been written is written again: whoever reads takes the first of
a number.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter, deque
from collections.abc import Callable

from finmesh.inference.v1.backend_state_changed_pb2 import BackendStateChanged
from finmesh.inference.v1.worker_pb2 import WORKER_STATE_UNSPECIFIED, WorkerDescription
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import Unavailable
from meshkit.events import backoff
from meshkit.events.broadcasts import Announcer
from meshkit.events.message import Message, cloud_event
from meshkit.telemetry import metrics

from backends.health.states import Change
from backends.health.watched import STATES

TOPIC = BackendStateChanged.DESCRIPTOR.full_name
MOST = 4096
_logger = logging.getLogger("finmesh.backends")


class Announced:
    """What a `Ward` tells. ``service``: workload; the instance is this process, by a name that no other has."""

    def __init__(self, announcer: Announcer, topic_prefix: str, service: str, now_s: Callable[[], float] = time.time) -> None:
        self._announcer, self._topic, self._service, self._now_s = announcer, topic_prefix + TOPIC, service, now_s
        self.instance = f"{socket.gethostname()}/{uuid7()}"
        self._numbers: Counter[str] = Counter()
        self._waiting: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._lost = metrics.meter().create_counter(
            "finmesh.inference.state_changes_lost",
            description="changes of engines' states that were never told: Kafka was away for too long",
        )

    def __call__(self, description: WorkerDescription, change: Change) -> None:
        """Note a change."""
        self._numbers[description.worker_id] += 1
        now_s = self._now_s()
        event = BackendStateChanged(
            worker_id=description.worker_id,
            incarnation=description.incarnation,
            service=self._service,
            instance=self.instance,
            number=self._numbers[description.worker_id],
            before=WORKER_STATE_UNSPECIFIED if change.before is None else STATES[change.before],
            after=STATES[change.after],
            reason=change.reason,
            detail=change.detail,
            role=description.role,
            vendor=description.vendor,
            kind=description.kind,
            model=description.model,
            zone=description.zone,
        )
        event.changed_at.FromNanoseconds(int(now_s * 1e9))
        headers = cloud_event(uuid7(), TOPIC, f"/finmesh/{self._service}", now_s)
        self._waiting.append(Message(self._topic, 0, description.worker_id.encode(), event.SerializeToString(), headers))
        if len(self._waiting) > MOST:
            self._waiting.popleft()
            self._lost.add(1)
        self._arrived.set()

    async def run(self) -> None:
        """Tell them, for ever."""
        attempt = 0
        while True:
            await self._arrived.wait()
            if not self._waiting:
                self._arrived.clear()
                continue
            first = self._waiting[0]
            try:
                await self._announcer.announce(first)
            except Unavailable as error:
                if not attempt:
                    _logger.warning("changes of engines' states wait", extra={"facts": {"reason": error.reason}})
                attempt = await backoff.pause(attempt)
                continue
            attempt = 0
            if self._waiting and self._waiting[0] is first:
                self._waiting.popleft()
