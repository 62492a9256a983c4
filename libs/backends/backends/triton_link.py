"""The one call to an engine's Triton: operations and their answers, and the long inference `events`, all on it (ADR 24).

Surprising: nothing on this call is ever cancelled. A caller that stops waiting for an answer leaves it to come; the call ends when the
engine has said goodbye, or when it breaks. It is made in a task of its own, because a call takes over the deadline of whoever makes it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Self

from finmesh.engine.v1 import engine_pb2 as pb
from google.protobuf.message import DecodeError, Message
from meshkit.errors import MeshError
from meshkit.rpc.channel import MeshChannel
from tritonclient.grpc import service_pb2, service_pb2_grpc

from backends.refusals import engine_lost, error_of

FOREVER_S = 3.0e8
ANSWER_S = 5.0
GOODBYE_S = 1.0
SILENT_S = 5.0  # whom the stub has not heard for so long, it ends
_EVENTS = "events"
_FINAL = "triton_final_response"
_REFUSED = 1
_DEAD = "not healthy"  # what Triton says when a stub's process is gone
_MESSAGE_BYTES = 64 * 1024 * 1024


class TritonLink:
    """Use as ``async with``; ``told`` is handed each Events, ``lost`` is set when the call is over.

    ``is_deaf``: set by whoever found out that nobody listens at the other end, and that waiting for its goodbye is in vain.
    """

    def __init__(self, url: str, model: str, owner: str, told: Callable[[pb.Events], None]) -> None:
        self.owner = owner
        self.lost = asyncio.Event()
        self.why: MeshError | None = None
        self.is_deaf = False
        self._model, self._told = model, told
        self._channel = MeshChannel(url, timeout_s=FOREVER_S, message_bytes=_MESSAGE_BYTES)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._outgoing: asyncio.Queue[Any] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[bytes]] = {}
        self._numbers = itertools.count(1)
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Make the call and ask for events."""
        self._put(_EVENTS, pb.OwnerOperation(owner=self.owner), _EVENTS)
        self._reading = asyncio.create_task(self._read(), name=f"events of {self._model}")
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Say goodbye, read to the end, close. What has not ended when the engine would have ended it is closed with its connection."""
        assert self._reading is not None
        if not self.lost.is_set():
            self._put("leave", pb.OwnerOperation(owner=self.owner), "")
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self.lost.wait()
        self._outgoing.put_nowait(None)
        await asyncio.wait({self._reading}, timeout=GOODBYE_S if self.is_deaf else SILENT_S + GOODBYE_S)
        await self._channel.close()
        await asyncio.wait({self._reading})

    async def ask(self, name: str, operation: Message, timeout_s: float = ANSWER_S) -> bytes:
        """Return what an operation brings. Raises what it was refused with, or Unavailable (ENGINE_LOST, ENGINE_DEAD, ENGINE_SLOW)."""
        if self.lost.is_set():
            raise self.why or engine_lost("the engine cannot be reached")
        number = str(next(self._numbers))
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._put(name, operation, number)
        try:
            async with asyncio.timeout(timeout_s):
                content = await answer
        except TimeoutError:
            raise engine_lost("the engine does not answer", "ENGINE_SLOW") from None
        finally:
            self._answers.pop(number, None)
        if content[:1] == bytes([_REFUSED]):
            raise error_of(pb.Refusal.FromString(content[1:]))
        return content[1:]

    def tell(self, name: str, operation: Message) -> None:
        """Send an operation whose answer nobody needs."""
        if not self.lost.is_set():
            self._put(name, operation, "")

    def _put(self, name: str, operation: Message, number: str) -> None:
        request = service_pb2.ModelInferRequest(model_name=self._model, id=number)
        encoded, body = name.encode(), operation.SerializeToString()
        request.inputs.add(name="OP", datatype="BYTES", shape=[1])
        request.inputs.add(name="BODY", datatype="UINT8", shape=[len(body)])
        request.raw_input_contents.append(len(encoded).to_bytes(4, "little") + encoded)
        request.raw_input_contents.append(body)
        if number == _EVENTS:
            request.parameters["triton_enable_empty_final_response"].bool_param = True
        self._outgoing.put_nowait(request)

    async def _requests(self) -> AsyncIterator[Any]:
        while (request := await self._outgoing.get()) is not None:
            yield request

    async def _read(self) -> None:
        try:
            async for response in self._stub.ModelStreamInfer(self._requests(), timeout=FOREVER_S):
                self._take(response)
            self._broken(engine_lost("the engine ended the call"))
        except MeshError as error:
            self._broken(engine_lost(f"the call to the engine broke: {error.reason}"))
        except DecodeError:
            self._broken(engine_lost("the engine says what nobody understands"))

    def _take(self, response: Any) -> None:
        answer = response.infer_response
        if response.error_message:
            is_dead = _DEAD in response.error_message
            self._broken(engine_lost("Triton cannot reach the engine", "ENGINE_DEAD" if is_dead else "ENGINE_LOST"))
        elif answer.id == _EVENTS:
            if answer.raw_output_contents:
                content = answer.raw_output_contents[0]
                if content[:1] == bytes([_REFUSED]):
                    self._broken(error_of(pb.Refusal.FromString(content[1:])))
                else:
                    self._told(pb.Events.FromString(content))
            if answer.parameters[_FINAL].bool_param:
                self._broken(engine_lost("the engine tells no more"))
        elif (waiting := self._answers.get(answer.id)) is not None and not waiting.done():
            waiting.set_result(answer.raw_output_contents[0] if answer.raw_output_contents else b"")

    def _broken(self, why: MeshError) -> None:
        """The call is of no use any more."""
        if self.lost.is_set():
            return
        self.why = why
        self.lost.set()
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(why)
                waiting.exception()  # whoever waits is told; nobody may
