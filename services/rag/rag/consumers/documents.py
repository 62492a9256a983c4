"""Topics DocumentSubmitted and DocumentWithdrawn: each record is handled by itself, then its position is kept.

Handling a record again changes nothing, so a process that dies between the two loses nothing. What can't be handled becomes a sealed dead
letter; what waits for a store waits with everything behind it, and so does what a damaged store can't take: that is no record's fault.
"""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from finmesh.rag.v1 import events_pb2 as pb
from google.protobuf.message import DecodeError, Message
from meshkit.errors import DataCorrupted, InvalidArgument, MeshError, Unavailable
from meshkit.events.dead_letter import DeadLetterWriter
from meshkit.events.message import Record
from meshkit.events.offsets_in_db import Loss, Position
from meshkit.events.poison import NO_POISON, Poison, internal_error, place_of, waits
from meshkit.tenants import checked_tenant

from rag import ports
from rag.domain.document import Submission
from rag.translate import documents
from rag.usecases.on_document_submitted import OnDocumentSubmitted
from rag.usecases.on_document_withdrawn import OnDocumentWithdrawn

log = logging.getLogger(__name__)

SUBMITTED = "finmesh.rag.v1.DocumentSubmitted"
WITHDRAWN = "finmesh.rag.v1.DocumentWithdrawn"
MAX_INLINE_BYTES = 512 * 1024
_MAX_PRINCIPAL = 200
_Event = TypeVar("_Event", bound=Message)


class DocumentTopic(ABC):
    """A sink of `meshkit.events.offsets_in_db`."""

    def __init__(self, positions: ports.Positions, dead_letters: DeadLetterWriter, lost: Callable[[Loss], None]) -> None:
        """``lost`` is told of records that were gone before they were read."""
        self._positions, self._dead_letters, self._lost = positions, dead_letters, lost
        self._topic = ""

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where the topic goes on."""
        self._topic = topic
        return await self._positions.positions(topic)

    async def store(
        self, records: Sequence[Record], losses: Sequence[Loss], positions: Sequence[Position], poison: Poison = NO_POISON
    ) -> None:
        """Handle records in order, then keep how far they go. Raises Unavailable."""
        for loss in losses:
            self._lost(loss)
        for record in records:
            if (fault := poison.get(place_of(record))) is not None:
                await self._dead_letters.write(record, internal_error(fault))
                continue
            try:
                await self._handle(record.value or b"")
            except DataCorrupted as error:
                log.error("what is kept can't be read: %s stands: %s", self._topic, error.reason)
                raise Unavailable("what is kept can't be read", reason=error.reason) from error
            except MeshError as error:
                if waits(error):
                    raise
                await self._dead_letters.write(record, error)
        await self._positions.reached(self._topic, positions)

    def read(self, record: Record) -> bool:
        """Read a record and change nothing. Returns False when it is refused; raises what our code raises on it."""
        try:
            self._look(record.value or b"")
        except MeshError:
            return False
        return True

    @abstractmethod
    async def _handle(self, value: bytes) -> None: ...

    @abstractmethod
    def _look(self, value: bytes) -> None: ...


class SubmittedDocuments(DocumentTopic):
    """DocumentSubmitted."""

    def __init__(
        self, positions: ports.Positions, dead_letters: DeadLetterWriter, lost: Callable[[Loss], None], on_submitted: OnDocumentSubmitted
    ) -> None:
        super().__init__(positions, dead_letters, lost)
        self._on_submitted = on_submitted

    async def _handle(self, value: bytes) -> None:
        event = _submitted(value)

        def described(blob: str, sha256: bytes) -> Submission:
            return _submission(event, blob, sha256)

        if event.WhichOneof("content") == "upload_id":
            await self._on_submitted.of_upload(event.tenant, event.upload_id, described)
        else:
            await self._on_submitted.of_bytes(event.tenant, event.inline, hashlib.sha256(event.inline).digest(), described)

    def _look(self, value: bytes) -> None:
        _submission(_submitted(value), "", bytes(32))


class WithdrawnDocuments(DocumentTopic):
    """DocumentWithdrawn."""

    def __init__(
        self, positions: ports.Positions, dead_letters: DeadLetterWriter, lost: Callable[[Loss], None], on_withdrawn: OnDocumentWithdrawn
    ) -> None:
        super().__init__(positions, dead_letters, lost)
        self._on_withdrawn = on_withdrawn

    async def _handle(self, value: bytes) -> None:
        event = _withdrawn(value)
        await self._on_withdrawn(event.tenant, event.withdrawn_by[:_MAX_PRINCIPAL], event.document_id, event.source_version)

    def _look(self, value: bytes) -> None:
        _withdrawn(value)


def _submitted(value: bytes) -> pb.DocumentSubmitted:
    event = _parsed(pb.DocumentSubmitted(), value)
    checked_tenant(event.tenant)
    if event.WhichOneof("content") is None:
        raise InvalidArgument("it names no content", reason="CONTENT_MISSING")
    if len(event.inline) > MAX_INLINE_BYTES:
        raise InvalidArgument(f"more than {MAX_INLINE_BYTES} bytes come by an upload", reason="DOCUMENT_TOO_LARGE")
    return event


def _submission(event: pb.DocumentSubmitted, blob: str, sha256: bytes) -> Submission:
    by = event.submitted_by[:_MAX_PRINCIPAL]
    return documents.submission(event.description, tenant=event.tenant, submitted_by=by, blob=blob, sha256=sha256)


def _withdrawn(value: bytes) -> pb.DocumentWithdrawn:
    event = _parsed(pb.DocumentWithdrawn(), value)
    checked_tenant(event.tenant)
    documents.document_id(event.document_id)
    return event


def _parsed(event: _Event, value: bytes) -> _Event:
    try:
        event.ParseFromString(value)
    except DecodeError:
        raise InvalidArgument("it is no message of this topic", reason="MALFORMED") from None
    return event
