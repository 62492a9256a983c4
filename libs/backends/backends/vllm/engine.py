"""One vLLM server, kept in touch with: what it is, how busy it is, what it has cached. What it is asked stands in `prefill` and `decode`.

Surprising:

- It has no link that breaks: whether it lives is asked, twice a second. Its metrics are served by a process beside the engine's own, so an
  engine that hangs still answers here; its count of iterations stands still while rows are used, and `health` judges that.
- Its incarnation is ours as much as its own: drawn at each start of THIS process and of the server, because what was spent is only
  remembered here (`ticket`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from hashlib import blake2b
from typing import Any

from finmesh.inference.v1.decode_service_pb2 import DecodeRequest
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest
from finmesh.inference.v1.worker_pb2 import (
    WORKER_STATE_ISOLATED,
    WORKER_STATE_READY,
    WORKER_STATE_STARTING,
    KvEvent,
    WorkerDescription,
    WorkerLoad,
)
from meshkit.clock import Clock, SystemClock
from meshkit.crypto.ring import Ring
from meshkit.errors import InvalidArgument, MeshError, Unavailable

from backends.accelerators import VllmRow
from backends.foreign import BLOCK_TOKENS, described
from backends.http_link import METRICS_BYTES, HttpLink, parsed
from backends.lacking import check_prompt, lacks
from backends.port import Watcher
from backends.refusals import engine_lost
from backends.vllm import metrics
from backends.vllm.kv_blocks import KvBlocks
from backends.vllm.kv_events import KvSubscriber
from backends.vllm.ticket import TicketKey

LOOK_S = 0.5
ANSWER_S = 2.0
_logger = logging.getLogger("finmesh.backends")
NAMESPACE_BYTES = 32


class VllmEngine:
    """``row``, ``role``: its row in one of its roles; ``keys``: of the ring "tickets"."""

    def __init__(self, row: VllmRow, role: str, keys: Ring[TicketKey], clock: Clock | None = None) -> None:
        self._row, self._options, self._keys = row, row.options, keys
        self._about = described(row, role)
        self._link = HttpLink(row, row.options.connect_s)
        self._clock = clock or SystemClock()
        self._served = row.options.served_model or row.model
        self._nonce = secrets.token_hex(8)
        self._description: WorkerDescription | None = None
        self._load = WorkerLoad(state=WORKER_STATE_STARTING)
        self._watcher: Watcher | None = None
        self._blocks = KvBlocks()
        self._rates = metrics.Rates()
        self._began = ""
        self._restarted = asyncio.Event()

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
        """Look at it until cancelled; then end what runs there for this process."""
        try:
            async with asyncio.TaskGroup() as group:
                if self._options.kv_events:
                    group.create_task(self._hear())
                while True:
                    await self._look()
                    await asyncio.sleep(LOOK_S)
        finally:
            self._isolate("ENGINE_LOST")
            await self._leave()
            await self._link.aclose()

    async def _leave(self) -> None:
        """End what runs there for this process."""

    async def _hear(self) -> None:
        """Hear what it caches; from the beginning at each start of its."""
        while True:
            subscriber = KvSubscriber(self._options.kv_events, self._options.kv_replay, self._stored, self._cleared)
            hearing, restarted = asyncio.ensure_future(subscriber.run()), asyncio.ensure_future(self._restarted.wait())
            try:
                await asyncio.wait({hearing, restarted}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (hearing, restarted):
                    task.cancel()
                await asyncio.wait({hearing, restarted})
            if self._restarted.is_set():
                self._restarted.clear()
                continue
            error = None if hearing.cancelled() else hearing.exception()
            if error is not None:  # somebody else has the port, for a while or for ever
                _logger.warning("KV events can't be heard", extra={"facts": {"worker": self._about.worker_id, "error": str(error)}})
                await asyncio.sleep(ANSWER_S)

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._link.refresh()
                said = metrics.read((await self._link.get("/metrics", METRICS_BYTES)).decode("utf-8", "replace"))
                if said.began != self._began or self._description is None:
                    await self._meet(said)
        except TimeoutError:
            self._isolate("ENGINE_HUNG")
        except ValueError:
            self._isolate("ENGINE_PROTOCOL")
        except MeshError as error:
            self._isolate(error.reason)
        else:
            self._rates.look(said, self._clock.monotonic_s())
            load = metrics.load(
                said,
                self._rates,
                rows_used=self._rows_used(),
                prefill_tokens=self._prefill_tokens(),
                cached_blocks=self._blocks.held,
                block_tokens=BLOCK_TOKENS,
            )
            load.state = WORKER_STATE_READY
            self._loaded(load)

    def _rows_used(self) -> int:
        """Rows that this process uses there."""
        return 0

    def _prefill_tokens(self) -> int:
        """Tokens of prompts that wait or are being read there."""
        return 0

    async def _meet(self, said: metrics.Said) -> None:
        """Learn what it is. Raises Unavailable (ENGINE_MODEL_GONE when it serves something else)."""
        models = parsed(await self._link.get("/v1/models")).get("data")
        listed = models if isinstance(models, list) else []
        served = next((each for each in listed if isinstance(each, dict) and each.get("id") == self._served), None)
        if served is None:
            raise Unavailable("the engine does not serve the row's model", reason="ENGINE_MODEL_GONE")
        version = parsed(await self._link.get("/version")).get("version")
        longest = served.get("max_model_len")
        description = WorkerDescription()
        description.CopyFrom(self._about)
        description.incarnation = blake2b(f"{self._nonce} {said.began}".encode(), digest_size=12).hexdigest()
        if isinstance(longest, int) and longest > 0:
            description.max_len_tokens = min(longest, description.max_len_tokens)
        description.layout_digest = layout_digest(str(version), self._about.model_digest, said.number("block_size"), said.config)
        if self._began:
            self._blocks = KvBlocks()
            self._restarted.set()
        self._began, self._description = said.began, description
        if self._watcher is not None:
            self._watcher.described(description)
        self._changed([self._blocks.whole()])  # it may have told of them before we knew its name

    def _isolate(self, reason: str) -> None:
        if reason != self._load.reason:
            _logger.warning("engine away", extra={"facts": {"worker": self._about.worker_id, "reason": reason}})
        load = WorkerLoad()
        load.CopyFrom(self._load)
        load.state = WORKER_STATE_ISOLATED if self._description is not None else WORKER_STATE_STARTING
        load.reason = reason
        self._loaded(load)

    def _loaded(self, load: WorkerLoad) -> None:
        self._load = load
        if self._watcher is not None and self._description is not None:
            self._watcher.loaded(self._about.worker_id, load)

    # what it has cached

    def _stored(self, events: list[Any]) -> None:
        self._changed(self._blocks.taken(events))

    def _cleared(self) -> None:
        self._changed([self._blocks.cleared()])

    def _changed(self, events: list[KvEvent]) -> None:
        if self._watcher is not None and self._description is not None:
            for event in events:
                self._watcher.changed(self._about.worker_id, event)

    # what it is asked

    def _here(self) -> WorkerDescription:
        """What it is. Raises Unavailable when it cannot be asked now."""
        if self._description is None or self._load.state != WORKER_STATE_READY:
            raise engine_lost("the engine cannot be reached", self._load.reason or "ENGINE_LOST")
        return self._description

    def _check(self, request: PrefillRequest | DecodeRequest, description: WorkerDescription) -> None:
        """Raise for what is no request to this engine, and for what it lacks (ENGINE_LACKS_GRAMMAR): before any work."""
        check_prompt(request, self._row.digest, description.max_len_tokens, self._row.grade)
        if request.grammar.HasField("calls"):
            raise lacks("GRAMMAR", "the engine has no grammar of tool calls")
        if len(request.namespace) != NAMESPACE_BYTES:
            raise InvalidArgument(f"a namespace has {NAMESPACE_BYTES} bytes", reason="NAMESPACE_INVALID")

    def _accelerator(self) -> str:
        return f"{self._about.vendor}/{self._about.device}"


def layout_digest(version: str, model_digest: bytes, block_size: int, config: Any) -> bytes:
    """Return what two engines must have in common to hand over: vLLM's own layout of keys and values has no name beyond this."""
    parts = ("vllm", version, model_digest.hex(), str(block_size), str(config.get("cache_dtype", "")))
    return blake2b("\x00".join(parts).encode(), digest_size=16).digest()
