"""RPC ChangeListEntry: write a change of a block list or of the trusted payees to its topic, audited first; every process follows it."""

from __future__ import annotations

from meshkit.errors import FieldViolation, InvalidArgument

from risk_scoring.domain.decision import Asker
from risk_scoring.domain.lists import ListChange
from risk_scoring.ports import ListCodec, ListPublisher


class ChangeListEntry:
    """Returns when all in-sync replicas have record and change. Raises InvalidArgument (FOREIGN_AUTHOR), Unavailable."""

    def __init__(self, publisher: ListPublisher, codec: ListCodec) -> None:
        self._publisher = publisher
        self._codec = codec

    async def __call__(self, change: ListChange, payload: bytes, asker: Asker) -> None:
        """Write a validated change with its exact bytes. Only a clear-text loopback server without gateway has no principal to ask."""
        if asker.principal and change.author != asker.principal:
            violation = FieldViolation("entry.author", "must be the subject of the caller's token")
            raise InvalidArgument("the author is somebody else", reason="FOREIGN_AUTHOR", violations=(violation,))
        await self._publisher.publish_list_change(change, payload, self._codec.audit(change, payload, asker))
