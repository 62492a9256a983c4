"""Our own engine inside Triton, behind the port: one link at a time, works told apart by number, liveness by turns.

Surprising: nothing is resumed. A link that is lost fails everything that ran on it, and the next one is another owner to the engine,
which ends what the lost one held. An engine that is dead or hung is isolated, and its tritonserver killed when a file names it: whoever
started it starts it again, as another incarnation.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path

from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1.decode_service_pb2 import DecodeRequest, ReserveRequest
from finmesh.inference.v1.generation_pb2 import UsageFacts
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest
from finmesh.inference.v1.worker_pb2 import (
    WORKER_STATE_ISOLATED,
    WORKER_STATE_READY,
    WORKER_STATE_STARTING,
    KvEvent,
    WorkerDescription,
    WorkerLoad,
)
from meshkit.errors import MeshError
from meshkit.telemetry import metrics

from backends.block_news import BlockNews
from backends.liveness import PROBE_S, Liveness, end_process
from backends.port import DecodeEvent, Published, Running, Watcher
from backends.refusals import engine_lost
from backends.streams import Stream
from backends.triton_events import deliver
from backends.triton_link import ANSWER_S, FOREVER_S, TritonLink

AGAIN_S = 0.2
FIRST_S = 10.0
"""How long the first answer of an engine may take: nothing is known of its pace yet."""
BUFFER_TOKENS = 512
_logger = logging.getLogger("finmesh.backends")


class TritonEngine:
    """``url``: its Triton's gRPC endpoint; ``model``: "llm_prefill" or "llm_decode"; ``pid_file``: names its tritonserver."""

    def __init__(
        self,
        url: str,
        model: str,
        pid_file: Path | None = None,
        *,
        buffer_tokens: int = BUFFER_TOKENS,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._model, self._pid_file, self._monotonic_s = url, model, pid_file, monotonic_s
        self._buffer_tokens = buffer_tokens
        self._link: TritonLink | None = None
        self._description: WorkerDescription | None = None
        self._load = WorkerLoad(state=WORKER_STATE_STARTING)
        self._watcher: Watcher | None = None
        self._news = BlockNews()
        self._streams: dict[str, Stream] = {}
        self._prompts: dict[str, asyncio.Future[Published]] = {}
        self._numbers = itertools.count(1)
        self._killed = metrics.meter().create_counter(
            "finmesh.inference.engines_killed", description="tritonservers killed because their engine was dead or hung; an alarm"
        )

    @property
    def description(self) -> WorkerDescription | None:
        """What it is; None until it was reached once."""
        return self._description

    @property
    def load(self) -> WorkerLoad:
        """How busy it was, and its state now."""
        return self._load

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher from now on."""
        self._watcher = watcher

    # keeping in touch

    async def run(self) -> None:
        """Link, probe, link again, until cancelled."""
        while True:
            with suppress(MeshError):
                await self._linked()
            await asyncio.sleep(AGAIN_S)

    async def _linked(self) -> None:
        """One link, from its beginning to its end. Raises why it ended."""
        owner = secrets.token_hex(12)
        liveness = Liveness(self._monotonic_s())
        link = TritonLink(self._url, self._model, owner, self._told)
        async with link:
            why: MeshError = engine_lost("the engine was left")
            try:
                await self._meet(link)
                self._link = link
                await self._attend(link, liveness)
            except MeshError as error:
                why = error
                if error.reason in ("ENGINE_DEAD", "ENGINE_HUNG"):
                    link.is_deaf = True
                    self._kill(error.reason)
                self._isolate(error.reason)
                raise
            finally:  # before the goodbye, which takes its time where nobody listens
                self._link = None
                self._fail_all(why)

    async def _meet(self, link: TritonLink) -> None:
        """Learn what it is and what it holds. Raises Unavailable ENGINE_HUNG when it says nothing."""
        try:
            answer = await link.ask("describe", pb.OwnerOperation(owner=link.owner), FIRST_S)
            description = pb.DescribeResponse.FromString(answer).description
            before = self._description
            is_same = before is not None and before.incarnation == description.incarnation
            self._description = description
            if self._watcher is not None:
                self._watcher.described(description)
            await self._catch_up(link, is_same)
        except MeshError as error:
            if error.reason != "ENGINE_SLOW":
                raise
            raise engine_lost(error.message, "ENGINE_HUNG") from None

    async def _attend(self, link: TritonLink, liveness: Liveness) -> None:
        """Ask whether it lives, again and again. Raises why that is over: what the link was lost of, or Unavailable ENGINE_HUNG.

        An answer that comes late counts when it comes: a busy machine is no reason to kill.
        """
        asking: asyncio.Future[bytes] | None = None
        try:
            while True:
                asking = asking or asyncio.ensure_future(link.ask("alive", pb.OwnerOperation(owner=link.owner), FOREVER_S))
                await asyncio.wait({asking}, timeout=PROBE_S)
                is_answered = asking.done()
                if is_answered:
                    load = WorkerLoad.FromString(asking.result())
                    asking, load.state = None, WORKER_STATE_READY
                    liveness.heard(load.steps, load.step_ms, self._monotonic_s())
                    self._loaded(load)
                if liveness.is_hung(self._monotonic_s()):
                    raise engine_lost(f"the engine stood still for more than {liveness.limit_s:g} s", "ENGINE_HUNG")
                if self._news.is_behind:
                    await self._catch_up(link, is_same=True)
                if is_answered:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(link.lost.wait(), PROBE_S)
                        raise link.why or engine_lost("the engine cannot be reached")
        finally:
            if asking is not None:
                asking.cancel()

    async def _catch_up(self, link: TritonLink, is_same: bool) -> None:
        """Ask for the blocks that changed, all of them for another incarnation than was known."""
        answer = await link.ask("blocks", pb.BlocksOperation(after_seq=self._news.begin(is_same)))
        self._changed(self._news.caught_up(list(pb.BlocksResult.FromString(answer).events)))

    def _kill(self, reason: str) -> None:
        pid = end_process(self._pid_file) if self._pid_file is not None else None
        if pid is not None:
            self._killed.add(1, {"reason": reason})
        _logger.error("engine isolated", extra={"facts": {"worker": self._name, "reason": reason, "killed_pid": pid or 0}})

    @property
    def _name(self) -> str:
        return self._description.worker_id if self._description is not None else self._url

    def _isolate(self, reason: str) -> None:
        load = WorkerLoad()
        load.CopyFrom(self._load)
        load.state, load.reason = WORKER_STATE_ISOLATED, reason
        if self._description is None:
            load.state = WORKER_STATE_STARTING
        self._loaded(load)

    def _loaded(self, load: WorkerLoad) -> None:
        self._load = load
        if self._watcher is not None and self._description is not None:
            self._watcher.loaded(self._description.worker_id, load)

    # what it tells

    def _told(self, events: pb.Events) -> None:
        for number in deliver(events, self._streams, self._prompts, self._named):
            self._end_work(number, "READER_TOO_SLOW")
        if events.kv:
            self._changed(self._news.told(list(events.kv)))

    def _changed(self, events: list[KvEvent]) -> None:
        if self._watcher is not None and self._description is not None:
            for event in events:
                self._watcher.changed(self._description.worker_id, event)

    def _named(self) -> tuple[str, str]:
        assert self._description is not None
        return self._description.worker_id, self._description.incarnation

    def _fail_all(self, why: MeshError) -> None:
        for stream in self._streams.values():
            stream.fail(why)
        for prompt in self._prompts.values():
            if not prompt.done():
                prompt.set_exception(why)
                prompt.exception()
        self._streams.clear()
        self._prompts.clear()

    # what it is asked

    def _linked_now(self) -> TritonLink:
        if self._link is None:
            raise engine_lost("the engine cannot be reached", self._load.reason or "ENGINE_LOST")
        return self._link

    async def reserve(self, reservation_id: str, request: ReserveRequest) -> int:
        """Hold room; return how many blocks it has already."""
        link = self._linked_now()
        asked = pb.ReserveOperation(request=request, reservation_id=reservation_id, owner=link.owner)
        return pb.ReserveResult.FromString(await link.ask("reserve", asked)).first_block

    async def renew(self, reservation_id: str, ttl_ms: int) -> None:
        """Prolong a reservation."""
        await self._linked_now().ask("renew", pb.ReservationOperation(reservation_id=reservation_id, ttl_ms=ttl_ms))

    async def release(self, reservation_id: str) -> None:
        """Give a reservation back."""
        if self._link is not None:
            self._link.tell("release", pb.ReservationOperation(reservation_id=reservation_id))

    async def abort(self, handoff_id: str, epoch: int) -> None:
        """End a hand-off."""
        if self._link is not None:
            self._link.tell("abort", pb.AbortOperation(handoff_id=handoff_id, epoch=epoch, owner=self._link.owner, reason="CANCELLED"))

    async def held(self) -> list[str]:
        """Return what is held there by whom: for those who look for leaks."""
        answer = await self._linked_now().ask("held", pb.OwnerOperation())
        return list(pb.HeldResult.FromString(answer).held)

    async def prefill(self, request: PrefillRequest, timeout_s: float) -> Published:
        """Read a prompt."""
        link, number = self._linked_now(), str(next(self._numbers))
        prompt: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
        self._prompts[number] = prompt
        asked = pb.PrefillOperation(request=request, owner=link.owner, timeout_ms=round(timeout_s * 1000), work_id=number)
        try:
            await link.ask("prefill", asked, min(timeout_s, ANSWER_S))
            return await prompt
        except MeshError as error:
            if error.reason == "ENGINE_SLOW":
                await self.abort(request.handoff_id, request.epoch)
            raise  # what is refused is not held
        except BaseException:  # the ticket may be on its way: the hand-off is ended, and not this work alone
            await self.abort(request.handoff_id, request.epoch)
            raise
        finally:
            self._prompts.pop(number, None)

    async def decode(self, request: DecodeRequest, timeout_s: float, hold_s: float = 0.0) -> AsyncGenerator[DecodeEvent, None]:
        """Write an answer."""
        link, number = self._linked_now(), str(next(self._numbers))
        stream = self._streams[number] = Stream(self._buffer_tokens)
        asked = pb.DecodeOperation(request=request, owner=link.owner, timeout_ms=round(timeout_s * 1000), work_id=number)
        try:
            await link.ask("decode", asked, min(timeout_s, ANSWER_S))
            event = await stream.next()
            while True:
                yield event
                if isinstance(event, UsageFacts):
                    return
                event = await stream.next(0.0 if isinstance(event, Running) else hold_s)
        finally:
            if self._streams.pop(number, None) is not None and not stream.is_over:
                self._end_work(number, "CANCELLED")

    def _end_work(self, number: str, reason: str) -> None:
        if self._link is not None:
            self._link.tell("abort", pb.AbortOperation(work_id=number, owner=self._link.owner, reason=reason))
