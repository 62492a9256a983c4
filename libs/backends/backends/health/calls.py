"""What runs on one engine, so that all of it can be ended at once.

A call waits inside a scope that has no time limit until somebody gives it one: that costs nothing while all is well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from meshkit.errors import MeshError


@dataclass(slots=True, eq=False)
class Call:
    """``prompt_tokens``: to be read. ``scope``: what it waits in now. ``ending``: why it has to end."""

    prompt_tokens: int
    scope: asyncio.Timeout | None = None
    ending: MeshError | None = None

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Wait for the engine. Raises what the call is ended with."""
        if self.ending is not None:
            raise self.ending
        try:
            async with asyncio.timeout(None) as self.scope:
                yield
        except TimeoutError:
            if self.ending is None:
                raise
            raise self.ending from None
        finally:
            self.scope = None
        if self.ending is not None:
            raise self.ending

    def end(self, error: MeshError) -> None:
        """Have it end with this."""
        self.ending = self.ending or error
        if self.scope is not None:
            self.scope.reschedule(asyncio.get_running_loop().time())


class Calls:
    """Those under way, reservations that none has used yet, and hand-offs that were published and may not be pulled yet."""

    def __init__(self) -> None:
        self.running: set[Call] = set()
        self.begun = 0
        self._reserved: dict[str, float] = {}
        self._published: dict[tuple[str, int], float] = {}

    def begin(self, prompt_tokens: int, reservation_id: str = "") -> Call:
        """Note a call; its reservation is used up."""
        self._reserved.pop(reservation_id, None)
        call = Call(prompt_tokens)
        self.running.add(call)
        self.begun += 1
        return call

    def reserve(self, reservation_id: str, until_s: float) -> None:
        """Note a reservation."""
        self._reserved[reservation_id] = until_s

    def release(self, reservation_id: str) -> None:
        """Forget one."""
        self._reserved.pop(reservation_id, None)

    def holds(self, reservation_id: str) -> bool:
        """Whether it was made here."""
        return reservation_id in self._reserved

    def busy(self, now_s: float) -> int:
        """Return how many run or are to come."""
        self._reserved = {each: until_s for each, until_s in self._reserved.items() if until_s > now_s}
        return len(self.running) + len(self._reserved)

    def published(self, handoff_id: str, epoch: int, until_s: float, now_s: float) -> None:
        """Note a hand-off whose lease ends then."""
        self._published = {each: end_s for each, end_s in self._published.items() if end_s > now_s}
        self._published[handoff_id, epoch] = until_s

    def forget(self, handoff_id: str, epoch: int) -> None:
        """A hand-off was ended by whoever asked for it."""
        self._published.pop((handoff_id, epoch), None)

    def end(self, error: MeshError) -> list[tuple[str, int]]:
        """End all that runs; return the hand-offs that are out, and forget them."""
        for call in list(self.running):
            call.end(error)
        out, self._published = list(self._published), {}
        return out
