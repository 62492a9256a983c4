"""A process that uses a decode engine and is then killed or stopped: `python -m tests.ports.backends.service URL MODEL_DIGEST`.

It holds a reservation, a queued prompt and a running answer, prints "running", and reads on for ever.
"""

from __future__ import annotations

import asyncio
import sys

from backends.feed import Feed
from backends.triton_engine import TritonEngine
from finmesh.inference.v1 import decode_service_pb2, generation_pb2
from finmesh.inference.v1.worker_pb2 import WORKER_STATE_READY


async def main(url: str, digest: bytes) -> None:
    engine = TritonEngine(url, "llm_decode", buffer_tokens=100_000)
    engine.watch(Feed(asyncio.Event()))
    running = asyncio.create_task(engine.run())
    while engine.load.state != WORKER_STATE_READY:
        await asyncio.sleep(0.05)
    await engine.reserve("held", decode_service_pb2.ReserveRequest(model_digest=digest, prompt_tokens=9, choices=1, ttl_ms=60_000))
    while True:
        request = decode_service_pb2.DecodeRequest(
            request_id="r",
            model_digest=digest,
            prompt_tokens=range(3, 103),
            namespace=bytes(range(32)),
            grade=1,
            tenant_digest=bytes(32),
            bounds=generation_pb2.Bounds(max_output_tokens=400, ignore_end=True),
        )
        async for _ in engine.decode(request, 10.0):
            print("running", flush=True)
    await running


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], bytes.fromhex(sys.argv[2])))
