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
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import httpx2
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
from meshkit.errors import FailedPrecondition, InvalidArgument, MeshError

from backends.port import Watcher
from backends.refusals import engine_lost
from backends.vllm import metrics
from backends.vllm.answers import object_of
from backends.vllm.http import page
from backends.vllm.kv_blocks import BLOCK_TOKENS, KvBlocks
from backends.vllm.kv_events import KvSubscriber
from backends.vllm.options import VllmPair
from backends.vllm.ticket import TicketKey

LOOK_S = 0.5
ANSWER_S = 2.0
_logger = logging.getLogger("finmesh.backends")
Connect = Callable[[], httpx2.AsyncClient]


class VllmEngine:
    """``about``: what its row says of it, without incarnation and layout; ``connect``: a client with address, certificates and token."""

    def __init__(
        self, about: WorkerDescription, connect: Connect, options: VllmPair, keys: Ring[TicketKey], clock: Clock | None = None
    ) -> None:
        self._about, self._connect, self._options, self._keys = about, connect, options, keys
        self._clock = clock or SystemClock()
        self._served = options.served_model or about.model
        self._nonce = secrets.token_hex(8)
        self._client: httpx2.AsyncClient | None = None
        self._description: WorkerDescription | None = None
        self._load = WorkerLoad(state=WORKER_STATE_STARTING)
        self._watcher: Watcher | None = None
        self._blocks = KvBlocks()
        self._rates = metrics.Rates()
        self._began = ""

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
        async with self._connect() as client:
            self._client = client
            try:
                async with asyncio.TaskGroup() as group:
                    if self._options.kv_events:
                        group.create_task(self._hear())
                    while True:
                        await self._look(client)
                        await asyncio.sleep(LOOK_S)
            finally:
                self._client = None
                await self._leave()

    async def _leave(self) -> None:
        """End what runs there for this process."""

    async def _hear(self) -> None:
        subscriber = KvSubscriber(self._options.kv_events, self._options.kv_replay, self._stored, self._cleared)
        while True:
            try:
                await subscriber.run()
            except OSError as error:  # the port is somebody else's, for a moment or for ever
                _logger.warning("KV events can't be heard", extra={"facts": {"worker": self._about.worker_id, "error": str(error)}})
            await asyncio.sleep(ANSWER_S)

    async def _look(self, client: httpx2.AsyncClient) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                said = metrics.read(await page(client, "/metrics"))
                if said.began != self._began or self._description is None:
                    await self._meet(client, said)
        except TimeoutError:
            self._isolate("ENGINE_HUNG")
        except ValueError:
            self._isolate("ENGINE_WRONG")
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

    async def _meet(self, client: httpx2.AsyncClient, said: metrics.Said) -> None:
        """Learn what it is. Raises FailedPrecondition (MODEL_UNKNOWN) when it serves something else, Unavailable."""
        models = object_of(await page(client, "/v1/models")).get("data")
        served = next((each for each in models or () if isinstance(each, dict) and each.get("id") == self._served), None)
        if served is None:
            raise FailedPrecondition("the engine does not serve that model", reason="MODEL_UNKNOWN")
        version = object_of(await page(client, "/version")).get("version")
        longest = served.get("max_model_len")
        description = WorkerDescription()
        description.CopyFrom(self._about)
        description.kind, description.block_tokens = "vllm", BLOCK_TOKENS
        description.incarnation = blake2b(f"{self._nonce} {said.began}".encode(), digest_size=12).hexdigest()
        if isinstance(longest, int) and longest > 0:
            description.max_len_tokens = min(longest, description.max_len_tokens or longest)
        description.layout_digest = layout_digest(str(version), self._about.model_digest, said.number("block_size"), said.config)
        is_restarted, self._began, self._description = bool(self._began), said.began, description
        if self._watcher is not None:
            self._watcher.described(description)
        if is_restarted:
            self._blocks = KvBlocks()
        self._changed([self._blocks.cleared()])

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

    def _linked(self) -> tuple[httpx2.AsyncClient, WorkerDescription]:
        """Raises Unavailable when it cannot be asked now."""
        if self._client is None or self._description is None or self._load.state != WORKER_STATE_READY:
            raise engine_lost("the engine cannot be reached", self._load.reason or "ENGINE_LOST")
        return self._client, self._description

    def _check(self, request: PrefillRequest | DecodeRequest, description: WorkerDescription) -> None:
        """Raise FailedPrecondition (MODEL_UNKNOWN), InvalidArgument (PROMPT_EMPTY, PROMPT_TOO_LONG, NAMESPACE_INVALID)."""
        if request.model_digest != description.model_digest:
            raise FailedPrecondition("no engine here serves that model", reason="MODEL_UNKNOWN")
        if not request.prompt_tokens:
            raise InvalidArgument("the prompt is empty", reason="PROMPT_EMPTY")
        if len(request.prompt_tokens) >= description.max_len_tokens:
            raise InvalidArgument(f"{description.max_len_tokens} tokens at most, answer included", reason="PROMPT_TOO_LONG")
        if request.grammar.HasField("calls"):
            raise FailedPrecondition("the engine has no grammar of tool calls", reason="ENGINE_LACKS_GRAMMAR")
        if len(request.namespace) != 32:
            raise InvalidArgument("a namespace has 32 bytes", reason="NAMESPACE_INVALID")

    def _accelerator(self) -> str:
        return f"{self._about.vendor}/{self._about.device}"


def layout_digest(version: str, model_digest: bytes, block_size: int, config: Any) -> bytes:
    """Return what two engines must have in common to hand over: vLLM's own layout of keys and values has no name beyond this."""
    parts = ("vllm", version, model_digest.hex(), str(block_size), str(config.get("cache_dtype", "")))
    return blake2b("\x00".join(parts).encode(), digest_size=16).digest()
