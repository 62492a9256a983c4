"""A router that answers at once, as a process of its own: what is left is the gateway.

`python -m bench.door_router CERTIFICATES PORT` serves until it is ended. A request for `IDLE_TOKENS` gets its first token and then
nothing more.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as pb
from finmesh.router.v1 import router_service_pb2_grpc as pb_grpc
from localmesh.ports import LOOPBACK
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import Limits, MeshServer

from bench.echo import tls

IDLE_TOKENS = 7
"""Of a request that asks for so many tokens the answer does not end."""
_ADMITTED = pb.GenerateResponse(
    admitted=pb.Admitted(generation_id="g", prompt_tokens=12, max_output_tokens=16, choices=1, model="scripted", release="ab" * 32)
)
_TEXTS = [pb.GenerateResponse(delta=pb.Delta(text=text, output_tokens=number)) for number, text in enumerate(("你好", "，世界"), 1)]
_END = [
    pb.GenerateResponse(finished=generation.ChoiceFinished(reason=generation.FINISH_REASON_STOP, output_tokens=2)),
    pb.GenerateResponse(ended=pb.Ended(usage=generation.UsageFacts(prompt_tokens=12, output_tokens=2))),
]


class _Router(pb_grpc.RouterServiceServicer):
    async def Generate(self, request: pb.GenerateRequest, context: object) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        yield _ADMITTED
        yield _TEXTS[0]
        if request.max_output_tokens == IDLE_TOKENS:
            await asyncio.Event().wait()
        for part in (_TEXTS[1], *_END):
            yield part


async def _serve(certs: Path, port: int) -> None:
    limits = Limits(streams_per_connection=2_000, concurrent_calls=2_000)
    server: Any = MeshServer(f"{LOOPBACK}:{port}", tls(certs, "router"), callers={"gateway"}, deadlines=Deadlines(600.0), limits=limits)
    service: Any = _Router
    pb_grpc.add_RouterServiceServicer_to_server(service(), server)
    await server.start()
    await asyncio.Event().wait()


@asynccontextmanager
async def served(certs: Path, port: int) -> AsyncIterator[None]:
    """It answers inside."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.door_router", str(certs), str(port))
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
