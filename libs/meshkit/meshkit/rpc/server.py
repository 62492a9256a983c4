"""One gRPC server as all services run it: chain, health, reflection, channelz, limits, mutual TLS.

Generated ``add_XServicer_to_server(servicer, server)`` functions take it as it is. Without TLS it refuses to listen anywhere but on
loopback.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc
from grpc import aio
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from meshkit.addresses import grpc_hosts, is_local
from meshkit.config import ServiceConfig, TlsSettings
from meshkit.rpc import tls as rpc_tls
from meshkit.rpc.chain import Chain, Middleware
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.peer import Peers, Refused
from meshkit.telemetry.rpc import ServerTelemetry

CONNECTION_AGE_S = 300.0
_GRACE_BEYOND_MS = 5_000  # an answer at the last moment still travels


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may cost."""

    message_bytes: int = 4 * 1024 * 1024
    metadata_bytes: int = 16 * 1024
    streams_per_connection: int = 1000
    concurrent_calls: int | None = None
    keepalive_ms: int = 30_000
    min_ping_interval_ms: int = 10_000
    connection_idle_ms: int = 600_000
    slow_reader_s: float = 30.0  # one message of a stream may wait so long for its reader

    def options(self, age_s: float, longest_call_s: float) -> list[tuple[str, Any]]:
        """Return gRPC channel arguments. Metadata above the limit is refused by gRPC with RESOURCE_EXHAUSTED.

        A connection older than ``age_s`` (gRPC varies it by a tenth, so that not all end at once) takes no new calls; those that run have
        as long as the longest may take.
        """
        return [
            ("grpc.max_receive_message_length", self.message_bytes),
            ("grpc.max_send_message_length", 16 * 1024 * 1024),
            ("grpc.max_metadata_size", self.metadata_bytes),
            ("grpc.absolute_max_metadata_size", self.metadata_bytes),
            ("grpc.max_concurrent_streams", self.streams_per_connection),
            ("grpc.keepalive_time_ms", self.keepalive_ms),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.min_ping_interval_without_data_ms", self.min_ping_interval_ms),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.max_connection_idle_ms", self.connection_idle_ms),
            ("grpc.max_connection_age_ms", round(age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", round(longest_call_s * 1000) + _GRACE_BEYOND_MS),
            ("grpc.so_reuseport", 0),
            ("grpc.enable_channelz", 1),
        ]


class MeshServer:
    """A grpc.aio server with everything a finmesh service shows. ``port`` is readable after construction; port 0 picks a free one.

    ``callers``: workloads that may call when TLS is on; ``refused`` is told of calls of others.
    ``middlewares`` run inside telemetry, deadline and peer check, before the handler.
    ``connection_age_s``: clients connect anew after it, and so find new instances and show their newest certificate.
    ``allow_clear_text``: serve other hosts without TLS, whose callers then nobody here knows.
    Raises ValueError for a clear-text address that is not loopback, OSError when the address is taken.
    """

    def __init__(
        self,
        listen: str,
        tls: TlsSettings | None = None,
        *,
        callers: Collection[str] = (),
        deadlines: Deadlines | None = None,
        middlewares: Sequence[Middleware] = (),
        limits: Limits | None = None,
        connection_age_s: float = CONNECTION_AGE_S,
        allow_clear_text: bool = False,
        refused: Refused | None = None,
    ) -> None:
        tls = tls or TlsSettings()
        limits = limits or Limits()
        deadlines = deadlines or Deadlines()
        secure = rpc_tls.is_configured(tls)
        if not (secure or allow_clear_text or all(is_local(host) for host in grpc_hosts(listen, "0.0.0.0"))):  # noqa: S104  no host: everywhere
            raise ValueError(f"refusing to listen on {listen} without TLS: only loopback is served in clear text")
        peers: list[Middleware] = [Peers(callers, refused)] if secure else []
        chain = Chain([ServerTelemetry(), *peers, deadlines, *middlewares], limits.slow_reader_s)
        self.options = limits.options(connection_age_s, deadlines.longest_s)
        self._server = aio.server(interceptors=[chain], options=self.options, maximum_concurrent_rpcs=limits.concurrent_calls)
        self._health = health.aio.HealthServicer()
        self._names: list[str] = []
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        channelz.add_channelz_servicer(self._server)
        try:
            if secure:
                self.port = self._server.add_secure_port(listen, rpc_tls.server_credentials(tls))
            else:
                self.port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {listen}: {error}") from None
        self.address = f"{listen.rpartition(':')[0]}:{self.port}"

    @classmethod
    def of(
        cls,
        config: ServiceConfig,
        callers: Collection[str],
        deadlines: Deadlines | None = None,
        limits: Limits | None = None,
        refused: Refused | None = None,
    ) -> Self:
        """Return the server of a service, as its settings say."""
        return cls(
            config.listen,
            config.tls,
            callers=callers,
            deadlines=deadlines,
            limits=limits,
            connection_age_s=config.connection_age_s,
            allow_clear_text="grpc" in config.allow_clear_text,
            refused=refused,
        )

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Take the handlers of a service (called by generated code)."""
        handlers = tuple(generic_rpc_handlers)
        self._names += [name for handler in handlers if (name := getattr(handler, "service_name", lambda: "")())]
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Take registered handlers (called by generated code)."""
        self._server.add_registered_method_handlers(service_name, dict(method_handlers))

    async def start(self) -> None:
        """Serve. Health says NOT_SERVING until ``set_health``."""
        shown = [*self._names, health.SERVICE_NAME, "grpc.channelz.v1.Channelz", reflection.SERVICE_NAME]
        reflection.enable_server_reflection(shown, self._server)
        for name in ("", *self._names):
            await self.set_health(name, serving=False)
        await self._server.start()

    async def set_health(self, name: str, *, serving: bool) -> None:
        """Set the state of the whole (``""``, which also sets every service served here) or of one named component."""
        state = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for each in (name, *self._names) if name == "" else (name,):
            await self._health.set(each, state)

    async def stop(self, grace_s: float) -> None:
        """Say NOT_SERVING, refuse new calls, let running ones finish for at most ``grace_s``."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
