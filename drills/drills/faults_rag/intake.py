"""Hands documents in and withdraws them, by RPC and by events, again and again until each is acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from finmesh.rag.v1 import events_pb2 as events
from finmesh.rag.v1 import rag_service_pb2 as rag
from google.protobuf.message import Message as Event
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import MeshError, Unavailable
from meshkit.events.message import Message, cloud_event, partition_of
from meshkit.events.publisher import Publisher

from drills.faults_rag.doors import AGAIN_S, AWAY, CURATORS, Door, until_done
from drills.faults_rag.plan import INLINE_BYTES, Handed, Step, Way, Withdrawal

HANDS = 3
SUBMITTED, WITHDRAWN = "finmesh.rag.v1.DocumentSubmitted", "finmesh.rag.v1.DocumentWithdrawn"
_SOURCE = "drills"


class Intake:
    """``done``: steps that were acknowledged; ``hidden_s``: since when (monotonic) versions up to one are hidden, by document."""

    def __init__(self, door: Door, publisher: Publisher, steps: Sequence[Step], changed: Callable[[], None]) -> None:
        self._door, self._publisher, self._steps, self._changed = door, publisher, steps, changed
        self._next = self.done = self.allowed = 0
        self._may_go_on = asyncio.Event()
        self.refused: dict[tuple[str, str, int], str] = {}
        self.hidden_s: dict[tuple[str, str], tuple[int, float]] = {}

    def allow(self, steps: int) -> None:
        """Let so many steps be done in all: injections are spread over all of them, however fast they are."""
        self.allowed = steps
        self._may_go_on.set()

    async def run(self) -> None:
        """Do all steps."""
        async with asyncio.TaskGroup() as group:
            for _ in range(HANDS):
                group.create_task(self._hand())

    async def _hand(self) -> None:
        while self._next < len(self._steps):
            if self._next >= self.allowed:
                self._may_go_on.clear()
                await self._may_go_on.wait()
                continue
            step, self._next = self._steps[self._next], self._next + 1
            try:
                await (self._hand_in(step) if isinstance(step, Handed) else self._withdraw(step))
            except MeshError as error:
                if isinstance(error, AWAY) or not isinstance(step, Handed):
                    raise
                self.refused[step.place] = error.reason
            self.done += 1
            self._changed()

    async def _hand_in(self, step: Handed) -> None:
        curator = CURATORS[step.tenant]
        if step.way is Way.RPC:
            await until_done(lambda: self._door.hand_in(curator, step.description, step.content))
            return
        event = events.DocumentSubmitted(tenant=step.tenant, submitted_by=curator.principal, description=step.description)
        if step.way is Way.EVENT and len(step.content) <= INLINE_BYTES:
            event.inline = step.content
        else:
            event.upload_id = await until_done(lambda: self._door.upload(curator, step.content))
        await self._tell(SUBMITTED, step.tenant, step.description.document_id, event)

    async def _withdraw(self, step: Withdrawal) -> None:
        if step.way is Way.EVENT:
            event = events.DocumentWithdrawn(
                tenant=step.tenant, withdrawn_by=CURATORS[step.tenant].principal, document_id=step.document_id, source_version=step.upto
            )
            await self._tell(WITHDRAWN, step.tenant, step.document_id, event)
            return
        request = rag.WithdrawDocumentRequest(tenant=step.tenant, document_id=step.document_id, source_version=step.upto)
        await until_done(lambda: self._door.call("WithdrawDocument", CURATORS[step.tenant], request))
        self.hidden_s[step.tenant, step.document_id] = step.upto, time.monotonic()

    async def _tell(self, topic: str, tenant: str, document_id: str, event: Event) -> None:
        key = f"{tenant}\x1f{document_id}".encode()

        async def write() -> None:
            partition = partition_of(key, await self._publisher.partitions(topic))
            headers = cloud_event(uuid7(), topic, _SOURCE, time.time())
            await self._publisher.write([Message(topic, partition, key, event.SerializeToString(), headers)])

        while True:
            try:
                return await write()
            except Unavailable:
                await self._publisher.aclose()
                await asyncio.sleep(AGAIN_S)
