"""DocumentStateChanged, in the order of the change log; a document's events have one key."""

from __future__ import annotations

from collections.abc import Sequence

from finmesh.rag.v1 import document_pb2, events_pb2
from meshkit.clock import Clock
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import Unavailable
from meshkit.events.message import Message, cloud_event, partition_of
from meshkit.events.publisher import Publisher

from rag.domain.document import Change, ChangeKind, State, Version

CHANGED = "finmesh.rag.v1.DocumentStateChanged"
_SOURCE = "rag"
_STATE_OF = {
    ChangeKind.FAILED: State.FAILED,
    ChangeKind.QUARANTINED: State.QUARANTINED,
    ChangeKind.WITHDRAWN: State.WITHDRAWN,
    ChangeKind.PURGED: State.PURGED,
}


class KafkaAnnouncer:
    """Writes with a publisher of its own: one that fails is made anew."""

    def __init__(self, publisher: Publisher, topic_prefix: str, clock: Clock) -> None:
        self._publisher, self._topic, self._clock = publisher, topic_prefix + CHANGED, clock

    async def announce(self, changes: Sequence[tuple[Change, Version]]) -> None:
        """Write the events of changes. That a version was superseded is told by the one that did it. Raises Unavailable."""
        try:
            partitions = await self._publisher.partitions(self._topic)
            told = [(change, version) for change, version in changes if change.kind is not ChangeKind.SUPERSEDED]
            await self._publisher.write([self._message(change, version, partitions) for change, version in told])
        except Unavailable:
            await self._publisher.aclose()
            raise

    def _message(self, change: Change, version: Version, partitions: int) -> Message:
        handed_in, now_s = version.submission, self._clock.now_s()
        state = _STATE_OF.get(change.kind, version.state)
        event = events_pb2.DocumentStateChanged(
            tenant=handed_in.tenant,
            document_id=handed_in.document_id,
            source_version=handed_in.source_version,
            state=document_pb2.VersionState.Value(f"VERSION_STATE_{state}"),  # type: ignore[arg-type]
            reason=version.reason,
            sequence=change.seq,
        )
        event.changed_at.FromMicroseconds(int(now_s * 1_000_000))
        key = f"{handed_in.tenant}\x1f{handed_in.document_id}".encode()
        headers = cloud_event(uuid7(), CHANGED, _SOURCE, now_s)
        return Message(self._topic, partition_of(key, partitions), key, event.SerializeToString(), headers)
