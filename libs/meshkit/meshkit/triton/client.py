"""Inference on Triton (KServe v2 over gRPC) with typed errors, deadlines and a circuit breaker.

It sends Triton's own generated messages through ``MeshChannel``: the stock client builds an object per tensor and knows neither our
deadlines nor our errors. Tensors travel as raw contents; outputs are read-only views of the response's bytes. An inference that is
late is left to end by itself: tritonserver 2.51 was seen to crash after its clients cancelled calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import np_to_triton_dtype, triton_to_np_dtype

from meshkit.breaker import CircuitBreaker
from meshkit.errors import DeadlineExceeded, InvalidArgument, MeshError, Unavailable
from meshkit.rpc import deadline
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.tls import Files

_LINGER_S = 30.0  # how long a late inference may go on unheard before it is cancelled after all
Tensors = Mapping[str, NDArray[Any]]


class TritonClient:
    """Client of one Triton server; ``url`` is its gRPC target, ``files`` (`meshkit.rpc.tls.of_triton`) those of TLS."""

    def __init__(
        self, url: str, files: Files | None = None, *, breaker: CircuitBreaker | None = None, message_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self._channel = MeshChannel(url, files, message_bytes=message_bytes)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self.breaker = breaker or CircuitBreaker()
        self._calls: set[asyncio.Future[Any]] = set()

    async def __aenter__(self) -> Self:
        """Return the client; it connects with the first call."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the connection."""
        await self._channel.close()

    async def infer(
        self, model: str, version: str, inputs: Tensors, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return every output of one inference; ``version`` empty: the server's choice. Arrays are C-ordered, without object dtype.

        Raises Unavailable (CIRCUIT_OPEN, MODEL_SHAPE, or the server is down or the model is not loaded), DeadlineExceeded, InvalidArgument.
        """
        request = service_pb2.ModelInferRequest(model_name=model, model_version=version)
        for name, array in inputs.items():
            request.inputs.add(name=name, datatype=_datatype(array), shape=array.shape)
            request.raw_input_contents.append(array.tobytes())
        with self.breaker.guard():
            budget_s = deadline.budget_s(timeout_s, margin_s=0.001, min_s=0.001)
            metadata = tuple((headers or {}).items())
            call = asyncio.ensure_future(self._stub.ModelInfer(request, timeout=timeout_s + _LINGER_S, metadata=metadata))
            self._calls.add(call)
            call.add_done_callback(self._ended)
            await asyncio.wait({call}, timeout=budget_s)
            if not call.done():
                # A caller in a hurry says nothing about Triton.
                reason = "DEADLINE_TOO_NEAR" if budget_s < timeout_s else None
                raise DeadlineExceeded("the model server did not answer in time", reason=reason)
            try:
                response = call.result()
            except MeshError as error:
                raise _as_unavailable(error) from None
        try:
            return {
                output.name: np.frombuffer(raw, dtype=np.dtype(_types(output.datatype))).reshape(tuple(output.shape))
                for output, raw in zip(response.outputs, response.raw_output_contents, strict=True)
            }
        except ValueError as error:
            raise Unavailable("the model server's answer is no tensor", reason="MODEL_SHAPE") from error

    def _ended(self, call: asyncio.Future[Any]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # whoever waited was told; nobody may wait any more

    async def ready(self, model: str, version: str = "", timeout_s: float = 1.0) -> bool:
        """Return whether the model answers inference requests; False when the server does not answer."""
        request = service_pb2.ModelReadyRequest(name=model, version=version)
        try:
            response = await self._stub.ModelReady(request, timeout=timeout_s)
        except MeshError:
            return False
        return bool(response.ready)


def _types(datatype: str) -> Any:
    found = triton_to_np_dtype(datatype)
    if found is None:
        raise ValueError(f"no array of datatype {datatype!r}")
    return found


def _datatype(array: NDArray[Any]) -> str:
    datatype = np_to_triton_dtype(array.dtype)
    if datatype is None or datatype == "BYTES":
        raise InvalidArgument(f"no raw tensor of dtype {array.dtype}", reason="TENSOR_TYPE")
    return str(datatype)


def _as_unavailable(error: MeshError) -> MeshError:
    """Return what a Triton error means: an untyped one (a failing backend) is Unavailable, the rest stays."""
    if type(error) is MeshError:
        return Unavailable("the model server failed", reason="MODEL_SERVER_FAILED")
    return error
