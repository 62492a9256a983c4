"""vLLM reads a prompt and keeps keys and values for the decode engine that is named; we give a ticket out, and nothing of its token.

Surprising: asked for one greedy token and for no decode engine (as those who look whether it is well do), it keeps nothing and tells the
token. What was read and is never fetched can't be given back. vLLM has no call for that; it frees it when its own lease is over
(`kv_lease_duration`, 30 s). A call that is given up while the prompt is read is ended by hanging up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Never

from finmesh.inference.v1.decode_service_pb2 import DecodeRequest, ReserveRequest
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, UsageFacts
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest, PrefillResponse
from finmesh.inference.v1.worker_pb2 import WorkerDescription
from meshkit.addresses import is_local
from meshkit.clock import Clock
from meshkit.crypto.ring import Ring
from meshkit.errors import DeadlineExceeded, FailedPrecondition, MeshError

from backends.accelerators import VllmRow
from backends.port import DecodeEvent, Phase, Published
from backends.vllm.answers import PATH, Asked, cached_tokens, part_of, protocol
from backends.vllm.engine import VllmEngine
from backends.vllm.requests import prefill_body, read_body
from backends.vllm.spent import Epochs
from backends.vllm.ticket import SKEW_MS, Ticket, TicketKey, prompt_digest

_NAMED = ("remote_engine_id", "remote_request_id", "remote_host", "remote_port", "remote_block_ids")


class VllmPrefill(VllmEngine):
    """See `backends.port.Backend`; it writes no answers."""

    def __init__(self, row: VllmRow, keys: Ring[TicketKey], clock: Clock | None = None) -> None:
        super().__init__(row, "prefill", keys, clock)
        self._epochs = Epochs(row.options.engine_lease_s + SKEW_MS / 1000)
        self._reading: dict[tuple[str, int], int] = {}

    def _rows_used(self) -> int:
        return len(self._reading)

    def _prefill_tokens(self) -> int:
        return sum(self._reading.values())

    async def held(self) -> list[str]:
        """Return what is being read: for those who look for leaks."""
        return [f"prompt {handoff_id} {epoch}" for handoff_id, epoch in self._reading]

    async def prefill(self, request: PrefillRequest, timeout_s: float) -> Published:
        """Read a prompt."""
        description = self._here()
        self._check(request, description)
        is_handed_on = bool(request.decode_worker_id and request.decode_incarnation)
        if not is_handed_on and (request.bounds.max_output_tokens != 1 or request.sampling.temperature > 0):
            raise FailedPrecondition("a prompt is read for one decode engine, and none is named", reason="DECODE_UNNAMED")
        self._epochs.begin(request.handoff_id, request.epoch, self._clock.monotonic_s())
        key, begun_s, start_ns = (request.handoff_id, request.epoch), time.monotonic(), time.time_ns()
        self._reading[key] = len(request.prompt_tokens)
        try:
            body = (prefill_body if is_handed_on else read_body)(request, self._served, priorities=self._options.priorities)
            told, published_ms = await self._read(body, timeout_s)
            rows = len(self._reading)
        finally:
            del self._reading[key]
        response = PrefillResponse(worker_id=description.worker_id, incarnation=description.incarnation)
        response.usage.CopyFrom(self._usage(request, told, (time.monotonic() - begun_s) / rows))
        if is_handed_on:
            response.ticket = self._ticket(request, description, told, published_ms).sign(self._keys.primary)
            response.lease_ms = round(self._options.lease_s * 1000)
        else:
            asked = Asked(choice=0, top=request.sampling.top_logprobs if request.sampling.logprobs else None)
            response.first_tokens.extend(part_of(told, asked, 0).tokens)
            response.finished.add(reason=FINISH_REASON_LENGTH, output_tokens=1)
        return Published(response, (Phase("prefill", start_ns, time.time_ns()),))

    def _usage(self, request: PrefillRequest, told: dict[str, Any], busy_s: float) -> UsageFacts:
        return UsageFacts(
            prompt_tokens=len(request.prompt_tokens),
            cached_tokens=cached_tokens(told),
            accelerator=self._accelerator(),
            busy_ms=busy_s * 1000,
        )

    async def _read(self, body: dict[str, Any], timeout_s: float) -> tuple[dict[str, Any], int]:
        """Return what it answers, and when its lease begins: when it answered, not when this process came to read that."""
        try:
            async with asyncio.timeout(timeout_s):
                told, date = await self._link.dated(PATH, body)
        except TimeoutError:
            raise DeadlineExceeded("the prompt was not read in time", reason="QUEUE_EXPIRED") from None
        return told, min(round(self._clock.now_s() * 1000), _answered_ms(date))

    def _ticket(self, request: PrefillRequest, description: WorkerDescription, told: dict[str, Any], published_ms: int) -> Ticket:
        """Raises Unavailable (PROTOCOL) for an engine that hands nothing on, or something else than was asked."""
        transfer = told.get("kv_transfer_params")
        if not isinstance(transfer, dict) or not transfer.get("do_remote_prefill") or not all(transfer.get(each) for each in _NAMED):
            raise protocol("hands nothing on: does it run with a KV connector?")
        if self._options.network == "host" and not is_local(str(transfer["remote_host"])):
            raise protocol("would have keys and values fetched from another host, in clear")
        if transfer.get("remote_num_tokens") not in (None, len(request.prompt_tokens)):
            raise protocol("read another number of tokens")
        return Ticket(
            handoff_id=request.handoff_id,
            epoch=request.epoch,
            request_id=request.request_id,
            model_digest=request.model_digest,
            layout_digest=description.layout_digest,
            tenant_digest=request.tenant_digest,
            namespace=request.namespace,
            grade=request.grade,
            prompt_digest=prompt_digest(request.prompt_tokens),
            prompt_tokens=len(request.prompt_tokens),
            decode_worker=request.decode_worker_id,
            decode_incarnation=request.decode_incarnation,
            published_unix_ms=published_ms,
            lease_ms=round(self._options.lease_s * 1000),
            transfer=transfer,
        )

    async def abort(self, handoff_id: str, epoch: int) -> None:
        """Fence it: no lower or equal epoch is read any more. What was read is freed by the engine's own lease."""
        with suppress(MeshError):
            self._epochs.begin(handoff_id, epoch, self._clock.monotonic_s())

    # what it can't do

    async def reserve(self, reservation_id: str, request: ReserveRequest) -> int:
        """It writes no answers."""
        _no_answers()

    async def renew(self, reservation_id: str, ttl_ms: int) -> None:
        """It writes no answers."""
        _no_answers()

    async def release(self, reservation_id: str) -> None:
        """It writes no answers, so there is nothing to give back."""

    def decode(self, request: DecodeRequest, timeout_s: float, hold_s: float = 0.0) -> AsyncGenerator[DecodeEvent, None]:
        """It writes no answers."""
        _no_answers()


def _no_answers() -> Never:
    raise FailedPrecondition("this engine reads prompts and writes no answers", reason="ROLE_MISMATCH")


def _answered_ms(date: str) -> int:
    """When the head of an answer was sent, by its own clock, the end of that second; without a date: now is as good as any."""
    try:
        return round((parsedate_to_datetime(date).timestamp() + 1) * 1000)
    except ValueError:
        return 1 << 62
