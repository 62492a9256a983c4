"""RPC ChangeListEntry: write a change of a block list or of the trusted payees to its topic; every process follows it."""

from __future__ import annotations

from risk_scoring.domain.lists import ListChange
from risk_scoring.ports import ListPublisher


class ChangeListEntry:
    """Returns when all in-sync replicas have the change. Raises InvalidArgument, Unavailable."""

    def __init__(self, publisher: ListPublisher) -> None:
        self._publisher = publisher

    async def __call__(self, change: ListChange, payload: bytes) -> None:
        """Write a validated change with its exact bytes."""
        await self._publisher.publish_list_change(change, payload)
