"""Client channels: mutual TLS, keepalive, retries, deadline and trace propagation, typed errors on the way back.

``MeshChannel`` goes into generated stubs. It wraps each multicallable directly: gRPC's own client interceptors build a task and three
objects a call. ``server_name`` pins the workload: its certificate must carry that DNS name, so another service's certificate at that
address is refused.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import contextmanager
from typing import Any, Self

import grpc
from grpc import aio

from meshkit.config import TlsSettings
from meshkit.rpc import deadline, status
from meshkit.rpc import tls as rpc_tls
from meshkit.telemetry.rpc import client_span

MARGIN_S = 0.002


def service_config(idempotent: Sequence[str]) -> str:
    """Return a gRPC service config that retries UNAVAILABLE for the named services or methods (``pkg.Service[/Method]``)."""
    names = [dict(zip(("service", "method"), name.split("/"), strict=False)) for name in idempotent]
    policy = {
        "maxAttempts": 3,
        "initialBackoff": "0.02s",
        "maxBackoff": "0.2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps(
        {
            "methodConfig": [{"name": names, "retryPolicy": policy}] if names else [],
            "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1},
        }
    )


class MeshChannel(aio.Channel):  # type: ignore[misc, unused-ignore]
    """A channel to one service.

    ``timeout_s`` bounds calls that name no timeout; the current call's deadline bounds both. Calls raise typed errors of
    ``meshkit.errors``. ``idempotent`` names what may be retried on UNAVAILABLE.
    """

    def __init__(
        self,
        target: str,
        tls: TlsSettings | None = None,
        *,
        server_name: str | None = None,
        timeout_s: float = 10.0,
        idempotent: Sequence[str] = (),
        message_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        tls = tls or TlsSettings()
        self._timeout_s = timeout_s
        self._target = target
        options: list[tuple[str, Any]] = [
            ("grpc.service_config", service_config(idempotent)),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
            ("grpc.max_receive_message_length", message_bytes),
            ("grpc.max_send_message_length", message_bytes),
        ]
        if rpc_tls.is_configured(tls):
            if server_name is not None:
                options.append(("grpc.ssl_target_name_override", server_name))
            self._channel = aio.secure_channel(target, rpc_tls.channel_credentials(tls), options)
        else:
            self._channel = aio.insecure_channel(target, options)

    @contextmanager
    def _outgoing(self, method: str, arguments: dict[str, Any]) -> Any:
        limit_s = arguments.get("timeout")
        arguments["timeout"] = deadline.budget_s(self._timeout_s if limit_s is None else limit_s, margin_s=MARGIN_S, least_s=0.001)
        with client_span(method, self._target) as headers:
            arguments["metadata"] = (*(arguments.get("metadata") or ()), *headers)
            try:
                yield
            except aio.AioRpcError as error:
                raise status.from_rpc_error(error) from None

    def _single(self, method: str, inner: Any) -> Callable[..., Any]:
        async def call(request: Any, **arguments: Any) -> Any:
            with self._outgoing(method, arguments):
                return await inner(request, **arguments)

        return call

    def _many(self, method: str, inner: Any) -> Callable[..., Any]:
        async def call(request: Any, **arguments: Any) -> AsyncIterator[Any]:
            with self._outgoing(method, arguments):
                async for response in inner(request, **arguments):
                    yield response

        return call

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return an async function from request to response."""
        return self._single(method, self._channel.unary_unary(method, *args, **kwargs))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return an async function from an iterator of requests to a response."""
        return self._single(method, self._channel.stream_unary(method, *args, **kwargs))

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return an async generator function from request to responses."""
        return self._many(method, self._channel.unary_stream(method, *args, **kwargs))

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return an async generator function from an iterator of requests to responses."""
        return self._many(method, self._channel.stream_stream(method, *args, **kwargs))

    async def __aenter__(self) -> Self:
        """Return the channel; it connects with the first call."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close."""
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close; calls under way get ``grace`` seconds."""
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the connection's state."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state is another."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the channel is connected."""
        await self._channel.channel_ready()
