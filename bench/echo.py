"""The thing beside the synchronous path: a gRPC echo with the same TLS, as a process of its own.

It answers any message with as many bytes as it was told, and does nothing else: no interceptors, no metadata, no parsing.
`python -m bench.echo CERTIFICATES PORT BYTES` serves until it is ended.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import uvloop
from localmesh.ports import LOOPBACK
from meshkit.config import TlsSettings
from meshkit.rpc.tls import channel_credentials, server_credentials

METHOD = "/bench.Echo/Echo"


def tls(certs: Path, identity: str) -> TlsSettings:
    """Files of a workload."""
    return TlsSettings(authority=certs / "authority.pem", certificate=certs / f"{identity}.pem", key=certs / f"{identity}.key")


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        async def echo(request: bytes, context: object) -> bytes:
            return self._answer

        return grpc.unary_unary_rpc_method_handler(echo) if handler_call_details.method == METHOD else None


async def _serve(certs: Path, port: int, size: int) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(bytes(size)),))
    server.add_secure_port(f"{LOOPBACK}:{port}", server_credentials(tls(certs, "gateway")))
    await server.start()
    await server.wait_for_termination()


class Echo:
    """A client of the echo; ``pid`` is its server's."""

    def __init__(self, certs: Path, port: int, pid: int) -> None:
        self.pid = pid
        self._channel = grpc.aio.secure_channel(f"{LOOPBACK}:{port}", channel_credentials(tls(certs, "simbank")))
        self._call: Any = self._channel.unary_unary(METHOD)

    async def __call__(self, request: bytes) -> bytes:
        """Send bytes, get bytes. Raises grpc.aio.AioRpcError."""
        answer: bytes = await self._call(request, timeout=5.0, wait_for_ready=True)
        return answer

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()


@asynccontextmanager
async def served(certs: Path, port: int, size: int) -> AsyncIterator[Echo]:
    """The echo answers inside."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.echo", str(certs), str(port), str(size))
    echo = Echo(certs, port, process.pid)
    try:
        await echo(b"")
        yield echo
    finally:
        await echo.close()
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
