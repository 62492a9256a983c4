"""One index follows the ledger's change log: in order, again after any death, until the end of the process.

A change may be applied twice and reads what the ledger says now, so that a replay from any earlier sequence ends in the same index. A
version whose indexing fails by our own fault is set aside: an alarm, and the others go on; one that needs an encoder which is away waits
and is tried again. Neither is passed over: what is settled stays before the first of them, so that the next start tries them once more.
Purges never wait for either.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from meshkit.clock import Clock
from meshkit.errors import NotFound, Unavailable, is_failure

from rag import ports
from rag.domain.document import Change, ChangeKind
from rag.domain.indexing import indexed_passages
from rag.steps.legs import LaterError, Leg

log = logging.getLogger(__name__)

_BATCH = 100
_IDLE_S = 0.1
_AWAY_S = 0.5
_RETRY_S = 1.0


class Follow:
    """``run`` it beside whatever else the process does; others ask how far it is."""

    def __init__(
        self,
        library: ports.Library,
        leg: Leg,
        clock: Clock,
        *,
        follower: str,
        lease_s: float = 60.0,
        alarm: Callable[[int], None] = lambda _: None,
    ) -> None:
        """``follower``: name of this index in the ledger, by which purges know it. ``alarm`` is told how many versions are set aside."""
        self._library, self._leg, self._clock = library, leg, clock
        self._follower, self._lease_s, self._alarm = follower, lease_s, alarm
        self._applied = -1
        self._settled = -1
        self._caught_up = False
        self._acknowledged_s = self._tried_s = float("-inf")
        self._waiting: dict[int, Change] = {}
        self._aside: dict[int, Change] = {}
        self._moved = asyncio.Condition()
        self._asked = asyncio.Event()

    @property
    def applied(self) -> int:
        """Sequence up to which changes were applied; -1 before the first look."""
        return self._applied

    @property
    def caught_up(self) -> bool:
        """Whether the end of the log was reached once since the start: before that, much may be missing."""
        return self._caught_up

    @property
    def waiting(self) -> int:
        """How many versions wait for the encoder."""
        return len(self._waiting)

    @property
    def set_aside(self) -> Mapping[int, Change]:
        """Versions that could not be indexed by our own fault, with the change that failed."""
        return MappingProxyType(self._aside)

    async def reached(self, seq: int, timeout_s: float) -> bool:
        """Wait until changes up to a sequence were applied; False when that takes too long."""
        self._asked.set()
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._applied >= seq)
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            try:
                moved = await self.turn()
            except Unavailable as error:
                log.warning("index %s waits: %s", self._follower, error.reason)
                await asyncio.sleep(_AWAY_S)
                continue
            if not moved:
                await self._idle()

    async def turn(self) -> bool:
        """Apply what happened since the last turn; whether anything did. Raises Unavailable when the ledger or the index is away."""
        if self._applied < 0:
            self._applied = self._settled = await self._leg.position()
        changes = await self._library.changes(self._applied, _BATCH)
        retried = await self._retry()
        if changes:
            await self._apply(changes)
            self._applied = changes[-1].seq
        if changes or retried:
            await self._settle()
        if changes or self._clock.monotonic_s() - self._acknowledged_s > self._lease_s / 3:
            await self._acknowledge()
        self._caught_up = self._caught_up or len(changes) < _BATCH
        async with self._moved:
            self._moved.notify_all()
        return bool(changes)

    async def _acknowledge(self) -> None:
        """Tell the ledger, and look whether the index still holds what it was given."""
        await self._library.acknowledge(self._follower, self._applied, self._lease_s, int(self._clock.now_s() * 1_000_000))
        self._acknowledged_s = self._clock.monotonic_s()
        await self._lost()

    async def _lost(self) -> bool:
        """Whether a store began anew with an empty folder: then everything is applied once more."""
        if (position := await self._leg.position()) >= self._settled:
            return False
        log.warning("index %s lost what it held, and is made anew from %d", self._follower, position)
        self._applied = self._settled = position
        return True

    async def _idle(self) -> None:
        try:
            async with asyncio.timeout(_IDLE_S):
                await self._asked.wait()
        except TimeoutError:
            pass
        self._asked.clear()

    async def _apply(self, changes: Sequence[Change]) -> None:
        newest = {change.version_id: change.seq for change in changes if change.kind is ChangeKind.PUBLISHED}
        gone: dict[str, set[int]] = {}
        for change in changes:
            if change.kind is ChangeKind.PURGED:
                gone.setdefault(change.tenant, set()).add(change.version_id)
                self._over(change.version_id)
            elif change.kind is not ChangeKind.PUBLISHED or newest[change.version_id] == change.seq:
                await self._one(change)
        for tenant, version_ids in gone.items():
            await self._leg.delete(tenant, version_ids)

    async def _one(self, change: Change) -> None:
        """Apply one change, or let it wait, or set it aside."""
        try:
            match change.kind:
                case ChangeKind.PUBLISHED:
                    version, chunks = await self._library.indexed(change.version_id)
                    await self._leg.write(change.tenant, change.version_id, indexed_passages(version, chunks))
                    self._over(change.version_id)
                case ChangeKind.SUPERSEDED:
                    ends = (await self._library.version_of(change.version_id)).to_seq
                    await self._leg.retire(change.tenant, change.version_id, ends)
                case ChangeKind.WITHDRAWN:
                    await self._leg.hide(change.tenant, change.version_id)
                    self._over(change.version_id)
                case _:
                    pass  # nothing of it was ever indexed
        except NotFound:
            self._over(change.version_id)  # withdrawn or purged meanwhile, as a later change says
        except LaterError:
            self._waiting.setdefault(change.version_id, change)
        except BaseException as error:
            if not is_failure(error) or isinstance(error, Unavailable):
                raise
            log.exception("a version is set aside: index %s, version %d", self._follower, change.version_id)
            self._waiting.pop(change.version_id, None)
            self._aside.setdefault(change.version_id, change)
            self._alarm(len(self._aside))

    async def _retry(self) -> bool:
        """Now and then try what waits, oldest first, until one has to wait on; whether any waits no more."""
        before, now_s = len(self._waiting), self._clock.monotonic_s()
        if not before or now_s - self._tried_s < _RETRY_S:
            return False
        self._tried_s = now_s
        for change in list(self._waiting.values()):
            await self._one(change)
            if change.version_id in self._waiting:
                break
        return len(self._waiting) < before

    def _over(self, version_id: int) -> None:
        """Nothing is owed to a version any more."""
        self._waiting.pop(version_id, None)
        if self._aside.pop(version_id, None):
            self._alarm(len(self._aside))

    async def _settle(self) -> None:
        """Everything up to here is in, but for what waits or is set aside. Not said of a store that lost what came before."""
        owed = [change.seq for each in (self._waiting, self._aside) for change in each.values()]
        seq = min([self._applied + 1, *owed]) - 1
        if seq > self._settled and not await self._lost():
            await self._leg.settle(seq)
            self._settled = seq
