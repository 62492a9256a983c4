"""Is it up? One small probe per protocol, each answering True or False and never raising for a server that is not there yet.

A probe asks for what the next process needs (Kafka: a live broker in the metadata; Redis: PONG, which it refuses while
it loads its file; gRPC: SERVING), because an open socket comes seconds earlier than that.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import grpc

PROBE_TIMEOUT_S = 5.0


class Health(Protocol):
    """Answers whether a process can be used now."""

    async def probe(self) -> bool:
        """Ask once, for PROBE_TIMEOUT_S at most. Raises nothing of the network."""


async def ask(host: str, port: int, question: bytes, limit: int = 4096) -> bytes:
    """First bytes that come back for `question`; empty when nobody listens. Raises nothing of the network."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(question)
                await writer.drain()
                return await reader.read(limit)
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""


@dataclass(frozen=True, slots=True)
class RedisHealth:
    """Redis says PONG without a password, as it does once its file is loaded."""

    host: str
    port: int

    async def probe(self) -> bool:
        """Whether it said so."""
        return (await ask(self.host, self.port, b"PING\r\n")).startswith(b"+PONG")


@dataclass(frozen=True, slots=True)
class HttpHealth:
    """Status 200 for GET path, HTTP/1.1, no TLS."""

    host: str
    port: int
    path: str

    async def probe(self) -> bool:
        """Whether the status line says 200; a redirect is not ready."""
        request = f"GET {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nConnection: close\r\n\r\n"
        return (await ask(self.host, self.port, request.encode())).startswith(b"HTTP/1.1 200")


@dataclass(frozen=True, slots=True)
class MilvusHealth:
    """Milvus or Milvus Lite answers an RPC: CheckHealth, whose request is empty. It has no grpc.health.v1."""

    host: str
    port: int

    async def probe(self) -> bool:
        """Whether it answered."""
        import grpc

        if not await accepts(self.host, self.port):
            return False
        async with grpc.aio.insecure_channel(f"{self.host}:{self.port}") as channel:
            try:
                ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/milvus.proto.milvus.MilvusService/CheckHealth")
                await ask(b"", timeout=PROBE_TIMEOUT_S)
            except grpc.aio.AioRpcError:
                return False
            return True


@dataclass(frozen=True, slots=True)
class KafkaHealth:
    """The broker lists itself in the cluster's metadata; a listening port alone comes about a second too early."""

    host: str
    port: int

    async def probe(self) -> bool:
        """Whether the metadata lists a broker."""
        from aiokafka.admin import AIOKafkaAdminClient
        from aiokafka.errors import KafkaError

        if not await accepts(self.host, self.port):
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=f"{self.host}:{self.port}", request_timeout_ms=int(PROBE_TIMEOUT_S * 1000))
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()


@dataclass(frozen=True, slots=True)
class GrpcHealth:
    """grpc.health.v1 says SERVING for the whole server; with `certs` over mutual TLS as `client`."""

    host: str
    port: int
    certs: Path | None = None

    async def probe(self) -> bool:
        """Whether Check said SERVING; an error of the RPC is False, a certificate that cannot be read raises OSError."""
        import grpc
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        if not await accepts(self.host, self.port):
            return False
        async with self._channel() as channel:
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PROBE_TIMEOUT_S)
            except grpc.aio.AioRpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _channel(self) -> "grpc.aio.Channel":
        import grpc

        target = f"{self.host}:{self.port}"
        if self.certs is None:
            return grpc.aio.insecure_channel(target)
        credentials = grpc.ssl_channel_credentials(
            (self.certs / "authority.pem").read_bytes(), (self.certs / "client.key").read_bytes(), (self.certs / "client.pem").read_bytes()
        )
        return grpc.aio.secure_channel(target, credentials)


async def accepts(host: str, port: int) -> bool:
    """Somebody listens there."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            await writer.wait_closed()
            return True
    except (OSError, TimeoutError):
        return False
