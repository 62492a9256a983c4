"""The leader's loop: claim versions, prepare them, publish them. One process leads; the others stand by.

A version is claimed with its attempt counted, so that one which takes its process down is not tried for ever. Whatever goes wrong with a
version ends that version alone, and what became of it is written until the ledger has it. A leader that could not renew its lease stops
its work: the epoch in the ledger refuses what it would still write. One that is told to stop resigns: the next leads at once, and what
was cut short costs no attempt.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any

from meshkit.clock import Clock
from meshkit.errors import Conflict, DataCorrupted, InvalidArgument, InvalidDocument, MeshError, NotFound, Unavailable, is_failure

from rag import ports
from rag.domain.access import HIGHEST_INDEXED
from rag.domain.document import State
from rag.steps.prepare import Prepare

log = logging.getLogger(__name__)

_POLL_S = 0.2
_AWAY_S = 1.0
_OUR_FAULT = "INTERNAL"
_REFRESHED_AT_ONCE = 100
_End = Callable[[], Awaitable[object]]


class Ingestor:
    """Runs in every ingest process."""

    def __init__(
        self,
        bench: ports.Workbench,
        prepare: Prepare,
        clock: Clock,
        *,
        owner: str,
        lease_s: float,
        parallel: int,
        attempts: int,
        standing: Callable[[bool], None],
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """``standing``: told whether this process leads. ``beside``: other work of the leader alone, begun with each term."""
        self._bench, self._prepare, self._clock = bench, prepare, clock
        self._owner, self._lease_s, self._parallel, self._attempts = owner, lease_s, parallel, attempts
        self._standing, self._beside = standing, beside

    async def run(self) -> None:
        """Lead, or wait to, for ever."""
        while True:
            try:
                epoch = await self._bench.lead(self._owner, self._lease_s, self._now_us())
            except (Conflict, Unavailable):
                self._standing(False)
                await asyncio.sleep(self._lease_s / 3)
                continue
            self._standing(True)
            await self._lead(epoch)

    async def _lead(self, epoch: int) -> None:
        """Work until the lease is lost. Raises what the work beside raises."""
        running: dict[asyncio.Task[None], int] = {}
        renewing = asyncio.create_task(self._renew(epoch))
        beside = {asyncio.create_task(self._refreshed(epoch))}
        if self._beside is not None:
            beside.add(asyncio.create_task(self._beside()))
        try:
            while not renewing.done():
                room = self._parallel - len(running)
                jobs = await self._claimed(epoch, running.values(), room) if room else []
                if jobs is None:
                    return
                running |= {asyncio.create_task(self._work(job)): job.version.version_id for job in jobs}
                done, _ = await asyncio.wait({renewing, *beside, *running}, timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {renewing}:
                    running.pop(task, None)
                    task.result()  # what dies here ends the process: nobody else would do its work, or let go what it had claimed
                beside -= done
        finally:
            for task in (renewing, *beside, *running):
                task.cancel()
            await asyncio.gather(renewing, *beside, *running, return_exceptions=True)
            with suppress(Conflict, Unavailable):  # another leads already, or the lease runs out by itself
                await self._bench.resign(epoch)

    async def _refreshed(self, epoch: int) -> None:
        """What was read in another way is read again: once a term, for settings don't change while a process runs."""
        count = 0
        while True:
            try:
                more = await self._bench.refresh(epoch, self._prepare.configuration, _REFRESHED_AT_ONCE)
            except Conflict:  # fenced: whoever leads now looks for it
                return
            except Unavailable as error:
                log.warning("what was read in another way is looked for later: %s", error.reason)
                await asyncio.sleep(_AWAY_S)
                continue
            count += more
            if not more:
                break
        if count:
            log.info("%d versions were read in another way and wait again", count)

    async def _claimed(self, epoch: int, under_way: Collection[int], limit: int) -> list[ports.Job] | None:
        try:
            return await self._bench.claim(epoch, under_way, limit, self._now_us())
        except Conflict:
            return None
        except Unavailable:
            await asyncio.sleep(_AWAY_S)
            return []

    async def _renew(self, epoch: int) -> None:
        """Return when the lease is lost, or could not be renewed for as long as it lasts."""
        renewed_s = self._clock.now_s()
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                if await self._bench.lead(self._owner, self._lease_s, self._now_us()) != epoch:
                    return
                renewed_s = self._clock.now_s()
            except Conflict:
                return
            except Unavailable:
                if self._clock.now_s() - renewed_s > self._lease_s:
                    return

    async def _work(self, job: ports.Job) -> None:
        """Bring one version to an end. A cancelled one stays claimed by a dead epoch, and waits again."""
        end = await self._end(job)
        try:
            await self._written(end)
        except BaseException as error:
            if not is_failure(error) or isinstance(error, MeshError):
                raise
            log.exception("a version could not be kept")
            await self._written(self._our_fault(job))

    async def _written(self, end: _End) -> None:
        """Write until the ledger has taken it: while this process leads, nobody else would claim the version again."""
        while True:
            try:
                await end()
            except Conflict as error:  # fenced: whoever leads now has it
                log.warning("a version waits: %s", error.reason)
            except Unavailable as error:
                log.warning("a version waits: %s", error.reason)
                await asyncio.sleep(_AWAY_S)
                continue
            return

    async def _end(self, job: ports.Job) -> _End:
        """Return what is to be written of a version."""
        version = job.version
        if version.submission.declared_grade > HIGHEST_INDEXED:
            return self._failed(job, State.QUARANTINED, "DECLARED_L4")
        if version.attempt > self._attempts:
            return self._failed(job, State.FAILED, "ATTEMPTS_EXHAUSTED")
        try:
            prepared = await self._prepare(version)
        except Unavailable as error:
            reason = error.reason
            log.warning("a version waits: %s", reason)
            await asyncio.sleep(_AWAY_S)
            return lambda: self._bench.release(job, reason, self._now_us())
        except (InvalidArgument, InvalidDocument, NotFound, DataCorrupted) as error:
            return self._failed(job, State.FAILED, error.reason)
        except BaseException as error:
            if not is_failure(error):
                raise
            log.exception("a version could not be read")
            return self._our_fault(job)
        if not prepared.chunks:
            return self._failed(job, State.FAILED, "ALL_WITHHELD")
        return lambda: self._bench.publish(job, prepared, self._now_us())

    def _our_fault(self, job: ports.Job) -> _End:
        return self._failed(job, State.FAILED if job.version.attempt >= self._attempts else State.ENROLLED, _OUR_FAULT)

    def _failed(self, job: ports.Job, state: State, reason: str) -> _End:
        return lambda: self._bench.fail(job, state, reason, self._now_us())

    def _now_us(self) -> int:
        return int(self._clock.now_s() * 1_000_000)
