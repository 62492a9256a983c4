"""One stream of inferences to a server of the Open Inference Protocol, shared by all requests to it, told apart by id (ADR 24).

Surprising: nothing on it is cancelled. What nobody wants any more is heard to its end, which its bound brings; only a death ends the
stream. At the end it is half-closed, so that the server finishes what it has. A row that says that cancelling is safe gets a stream for
each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any

from meshkit.errors import MeshError, Unavailable
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.tls import Files
from tritonclient.grpc import service_pb2, service_pb2_grpc

from backends.triton_link import FOREVER_S
from backends.writing import said_wrong

_FINAL = "triton_final_response"
_MESSAGE_BYTES = 16 * 1024 * 1024
_GOODBYE_S = 2.0
_ASK_S = 3.0


class Inference:
    """One request under way: responses as they come. Waiting for one may be given up; the inference goes on."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[Any] = asyncio.Queue()
        self.own: asyncio.Task[None] | None = None
        self._is_over = False

    async def next(self) -> Any:
        """Return the next response, None at the end. Raises what it failed with."""
        response = await self.arrived.get()
        self._is_over = response is None or isinstance(response, MeshError)
        if isinstance(response, MeshError):
            raise response
        return response

    async def drained(self) -> None:
        """Hear it to its end, however it ends."""
        with suppress(MeshError):
            while not self._is_over:
                await self.next()


class OipLink:
    """``files``: of TLS, None in clear text. ``may_cancel``: whether each request gets a stream of its own, which ends with it."""

    def __init__(self, target: str, files: Files | None, *, may_cancel: bool) -> None:
        self._channel = MeshChannel(target, files, timeout_s=FOREVER_S, message_bytes=_MESSAGE_BYTES)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._may_cancel = may_cancel
        self._waiting: dict[str, Inference] = {}
        self._outgoing: asyncio.Queue[Any] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self._own: set[asyncio.Task[None]] = set()

    async def metadata(self, model: str, version: str) -> Any:
        """Return a model's metadata. Raises Unavailable (ENGINE_LOST, ENGINE_MODEL_GONE) when it is not ready.

        These short calls are left to end by themselves, too.
        """
        ready = await self._asked(self._stub.ModelReady, service_pb2.ModelReadyRequest(name=model, version=version))
        if not ready.ready:
            raise Unavailable("the engine's model is not ready", reason="ENGINE_MODEL_GONE")
        return await self._asked(self._stub.ModelMetadata, service_pb2.ModelMetadataRequest(name=model, version=version))

    async def _asked(self, call: Any, request: Any) -> Any:
        asking = asyncio.ensure_future(_call(call, request))
        done, _ = await asyncio.wait({asking}, timeout=_ASK_S)
        if not done:
            asking.add_done_callback(lambda each: each.cancelled() or each.exception())
            raise Unavailable("the engine does not answer", reason="ENGINE_SLOW")
        try:
            return asking.result()
        except MeshError as error:
            gone = error.reason in ("NOT_FOUND", "INVALID_ARGUMENT")
            raise Unavailable("the engine cannot be asked", reason="ENGINE_MODEL_GONE" if gone else "ENGINE_LOST") from error

    def ask(self, request: Any, *, is_decoupled: bool) -> Inference:
        """Ask; the responses come to what is returned."""
        inference = Inference()
        if not is_decoupled:
            inference.own = self._alone(self._whole(request, inference))
            return inference
        request.parameters["triton_enable_empty_final_response"].bool_param = True
        self._waiting[request.id] = inference
        outgoing = asyncio.Queue[Any]()
        if self._may_cancel:
            outgoing.put_nowait(request)
            outgoing.put_nowait(None)
            inference.own = self._alone(self._read(outgoing, request.id))
            return inference
        if self._reading is None or self._reading.done():
            self._outgoing = outgoing
            self._reading = asyncio.create_task(self._read(outgoing), name="inferences")
        self._outgoing.put_nowait(request)
        return inference

    def leave(self, request: Any, inference: Inference) -> None:
        """Hear no more of it."""
        self._waiting.pop(request.id, None)
        if self._may_cancel and inference.own is not None:
            inference.own.cancel()

    def _alone(self, running: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(running, name="inference")
        self._own.add(task)
        task.add_done_callback(self._own.discard)
        return task

    async def _whole(self, request: Any, inference: Inference) -> None:
        try:
            inference.arrived.put_nowait(await self._stub.ModelInfer(request, timeout=FOREVER_S))
            inference.arrived.put_nowait(None)
        except MeshError as error:
            inference.arrived.put_nowait(_failed(error))

    async def _read(self, outgoing: asyncio.Queue[Any], only: str = "") -> None:
        """Read one stream to its end. ``only``: the request for which it was made; else it is that of all others."""
        why: MeshError = Unavailable("the engine ended the stream", reason="ENGINE_LOST")
        try:
            async for response in self._stub.ModelStreamInfer(_taken(outgoing), timeout=FOREVER_S):
                self._take(response, only)
        except MeshError as error:
            why = _failed(error)
        finally:
            for each in [only] if only else list(self._waiting):
                if (inference := self._waiting.pop(each, None)) is not None:
                    inference.arrived.put_nowait(why)

    def _take(self, response: Any, only: str) -> None:
        answer = response.infer_response
        number = only or answer.id
        inference = self._waiting.get(number)
        if response.error_message:
            error = Unavailable("the engine broke the answer off", reason="ENGINE_FAILED")
            for each in [number] if inference is not None else list(self._waiting):  # whose it is was not said: it may be anybody's
                self._waiting.pop(each).arrived.put_nowait(error)
        elif inference is not None:
            if answer.outputs:
                inference.arrived.put_nowait(answer)
            if answer.parameters[_FINAL].bool_param:
                self._waiting.pop(number).arrived.put_nowait(None)

    async def aclose(self) -> None:
        """Half-close, wait a little for what runs, close."""
        self._outgoing.put_nowait(None)
        running = {each for each in (self._reading, *self._own) if each is not None}
        if running:
            await asyncio.wait(running, timeout=_GOODBYE_S)
        await self._channel.close()
        if running:
            await asyncio.wait(running, timeout=_GOODBYE_S)


async def _call(call: Any, request: Any) -> Any:
    return await call(request, timeout=FOREVER_S)


async def _taken(outgoing: asyncio.Queue[Any]) -> AsyncIterator[Any]:
    while (request := await outgoing.get()) is not None:
        yield request


def _failed(error: MeshError) -> MeshError:
    """What a broken call means: nothing of the server's own words, which may hold the prompt."""
    if error.reason in ("RESOURCE_EXHAUSTED", "OVERLOADED", "INTERNAL", "INVALID_ARGUMENT"):
        return said_wrong("the engine did not answer well", "ENGINE_FAILED")
    return Unavailable("the call to the engine broke", reason="ENGINE_LOST")
