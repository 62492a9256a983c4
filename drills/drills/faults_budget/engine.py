"""`python -m drills.faults_budget.engine --model NAME --digest HEX`: an engine that computes nothing, served as inference-decode does.

Its tokens are drawn from the request's seed, a few at a time, so that streams last long enough to be broken off. To routers it is a decode
worker that reads prompts itself. Nobody kills it: the campaign is about those who count.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from finmesh.inference.v1 import decode_service_pb2 as decode_pb
from finmesh.inference.v1 import decode_service_pb2_grpc as decode_grpc
from finmesh.inference.v1 import generation_pb2 as pb
from finmesh.inference.v1 import worker_pb2
from finmesh.inference.v1 import worker_service_pb2 as worker_service_pb
from finmesh.inference.v1 import worker_service_pb2_grpc as worker_grpc
from meshkit.config import ServiceConfig
from meshkit.errors import NotFound
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config, run

NAME = "decode-0"
_TOKENS = range(3, 300)  # of the tiny model, no control token among them
_TOGETHER, _PAUSE_S, _TELL_S = 4, 0.004, 0.5
_LONG_S = 300.0


class Config(ServiceConfig):
    """Where it listens, and whom it answers."""

    callers: frozenset[str] = frozenset({"router"})


class Engine(decode_grpc.DecodeServiceServicer, worker_grpc.WorkerServiceServicer):
    """Both services of one worker."""

    def __init__(self, model: str, digest: bytes) -> None:
        self._model, self._digest = model, digest
        self._incarnation = uuid4().hex
        self._rooms: set[str] = set()

    async def WatchWorkers(self, request: Any, context: object) -> AsyncIterator[Any]:  # noqa: N802 - gRPC's name
        """Tell of the one worker."""
        del request
        described = worker_pb2.WorkerDescription(
            worker_id=NAME, incarnation=self._incarnation, role=worker_pb2.WORKER_ROLE_DECODE, vendor="none", device="drill",
            model=self._model, model_digest=self._digest, layout_digest=b"layout-of-16-byt", block_tokens=64, token_bytes=1024,
            max_len_tokens=2048, rows=256, highest_grade=5, kind="triton",
        )  # fmt: skip
        yield self._message(description=described)
        while True:
            load = worker_pb2.WorkerLoad(state=worker_pb2.WORKER_STATE_READY, step_ms=5, prefill_tokens_per_s=10_000)
            yield self._message(load=load)
            await asyncio.sleep(_TELL_S)

    def _message(self, **news: Any) -> Any:
        return worker_service_pb.WatchWorkersResponse(worker_id=NAME, incarnation=self._incarnation, **news)

    async def Reserve(self, request: Any, context: object) -> Any:  # noqa: N802 - gRPC's name
        """There is always room."""
        del request
        reservation = uuid4().hex
        self._rooms.add(reservation)
        return decode_pb.ReserveResponse(reservation_id=reservation, worker_id=NAME, incarnation=self._incarnation)

    async def RenewReservation(self, request: Any, context: object) -> Any:  # noqa: N802 - gRPC's name
        """Nothing ends here by itself."""
        return decode_pb.RenewReservationResponse()

    async def ReleaseReservation(self, request: Any, context: object) -> Any:  # noqa: N802 - gRPC's name
        """Give a room back."""
        self._rooms.discard(request.reservation_id)
        return decode_pb.ReleaseReservationResponse()

    async def Decode(self, request: Any, context: object) -> AsyncIterator[Any]:  # noqa: N802 - gRPC's name
        """Write answers, as long as was asked for."""
        if request.reservation_id not in self._rooms:
            raise NotFound("no such reservation", reason="RESERVATION_LOST")
        self._rooms.discard(request.reservation_id)
        yield decode_pb.DecodeResponse(committed=decode_pb.Committed(worker_id=NAME, incarnation=self._incarnation))
        longest, choices = request.bounds.max_output_tokens, max(1, request.sampling.choices)
        for choice in range(choices):
            drawn = random.Random(f"{request.sampling.seed} {choice}").choices(_TOKENS, k=longest)
            for begin in range(0, longest, _TOGETHER):
                await asyncio.sleep(_PAUSE_S)
                piece = enumerate(drawn[begin : begin + _TOGETHER], begin)
                tokens = [pb.Token(choice=choice, index=index, token_id=token) for index, token in piece]
                yield decode_pb.DecodeResponse(tokens=decode_pb.Tokens(tokens=tokens))
            ended = pb.ChoiceFinished(choice=choice, reason=pb.FINISH_REASON_LENGTH, output_tokens=longest)
            yield decode_pb.DecodeResponse(finished=ended)
        usage = pb.UsageFacts(prompt_tokens=len(request.prompt_tokens), output_tokens=longest * choices, accelerator="none/drill")
        yield decode_pb.DecodeResponse(ended=decode_pb.DecodeEnded(usage=usage))


async def main(model: str, digest: bytes) -> None:
    """Serve until SIGTERM."""
    config = load_config(Config)
    async with Service(config, "inference-decode") as service:
        long = {f"/finmesh.inference.v1.{name}": _LONG_S for name in ("WorkerService/WatchWorkers", "DecodeService/Decode")}
        server = MeshServer.of(config, config.callers, Deadlines(maximum_s=long))
        engine: Any = Engine(model, digest)
        decode_grpc.add_DecodeServiceServicer_to_server(engine, server)  # type: ignore[arg-type]
        worker_grpc.add_WorkerServiceServicer_to_server(engine, server)  # type: ignore[arg-type]
        await service.run(server)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--digest", required=True)
    told = arguments.parse_args()
    run(main(told.model, bytes.fromhex(told.digest)))
