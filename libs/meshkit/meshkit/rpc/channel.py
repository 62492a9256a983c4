"""Client channels: mutual TLS, balancing, keepalive, retries, deadline and trace propagation, typed errors on the way back.

``MeshChannel`` goes into generated stubs. It wraps each multicallable directly: gRPC's own client interceptors build a task and three
objects a call. ``server_name`` pins the workload: its certificate must carry that DNS name, so another service's certificate at that
address is refused.

Calls go round robin over every address of the target. gRPC reads certificates once, so the channel inside is made anew when its files
change: new calls take the new one, running calls end on the old one, which then closes (ADR 15).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import grpc
from grpc import aio

from meshkit.config import TlsSettings
from meshkit.rpc import deadline, status
from meshkit.rpc import tls as rpc_tls
from meshkit.rpc.responses import Responses
from meshkit.telemetry.rpc import ClientCall

MARGIN_S = 0.002
LOOK_S = 1.0
"""How often a call looks at the files."""

_CONNECT_MS = 1_000  # gRPC names it otherwise: how long a connection may take, handshake included; 100 were too few for a busy machine
_DNS_INTERVAL_MS = 5_000  # gRPC's own 30 s would hide a new instance for as long


def service_config(idempotent: Sequence[str]) -> str:
    """Return a gRPC service config: round robin; for the named services or methods (``pkg.Service[/Method]``) what another instance may
    answer is retried: UNAVAILABLE, and CANCELLED, which a server says of calls that it could not end before it had to stop.

    Retries stop while more than 500 calls have failed that ten times as many good ones have not made up for: when an instance dies with all
    its calls they pass, when all are dead they end.
    """
    names = [dict(zip(("service", "method"), name.split("/"), strict=False)) for name in idempotent]
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.02s",
        "maxBackoff": "0.2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
    }
    return json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "methodConfig": [{"name": names, "retryPolicy": policy}] if names else [],
            "retryThrottling": {"maxTokens": 1000, "tokenRatio": 0.1},
        }
    )


class _Connected:
    """A channel of gRPC's own, and how many of our calls run on it."""

    __slots__ = ("channel", "running")

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.running = 0


class _Outgoing:
    """One call: entered, it completes the call's arguments and gives the channel to make it on; left, it maps gRPC's errors."""

    __slots__ = ("_arguments", "_channel", "_connected", "_span")

    def __init__(self, channel: MeshChannel, method: str, arguments: dict[str, Any]) -> None:
        self._channel, self._arguments = channel, arguments
        self._span = ClientCall(method, channel.target)

    def __enter__(self) -> _Connected:
        arguments, channel = self._arguments, self._channel
        limit_s = arguments.get("timeout")
        arguments["timeout"] = deadline.budget_s(channel.timeout_s if limit_s is None else limit_s, margin_s=MARGIN_S, min_s=0.001)
        connected = self._connected = channel.newest()
        arguments["metadata"] = (*(arguments.get("metadata") or ()), *self._span.begin())
        connected.running += 1
        return connected

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._channel.leave(self._connected)
        if isinstance(error, aio.AioRpcError):
            typed = status.from_rpc_error(error)
            self._span.end(typed)
            raise typed from None
        self._span.end(error)


class MeshChannel(aio.Channel):  # type: ignore[misc, unused-ignore]
    """A channel to one service. ``target``: host:port (by DNS), or a list ``ipv4:a:1,b:2``.

    ``timeout_s`` bounds calls that name no timeout; the current call's deadline bounds both. Calls raise typed errors of
    ``meshkit.errors``. ``idempotent`` names what may be retried. ``tls``: mutual, or files of a server that is not ours.
    """

    def __init__(
        self,
        target: str,
        tls: TlsSettings | rpc_tls.Files | None = None,
        *,
        server_name: str | None = None,
        timeout_s: float = 10.0,
        idempotent: Sequence[str] = (),
        message_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        if isinstance(tls, TlsSettings):
            tls = rpc_tls.watched(tls, rpc_tls.checked) if rpc_tls.is_configured(tls) else None
        self._files = tls
        self.timeout_s = timeout_s
        self.target = target
        self._options: list[tuple[str, Any]] = [
            ("grpc.service_config", service_config(idempotent)),
            ("grpc.dns_min_time_between_resolutions_ms", _DNS_INTERVAL_MS),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", _CONNECT_MS),
            ("grpc.max_reconnect_backoff_ms", 500),
            ("grpc.max_receive_message_length", message_bytes),
            ("grpc.max_send_message_length", message_bytes),
        ]
        if tls is not None and server_name is not None:
            self._options.append(("grpc.ssl_target_name_override", server_name))
        self._look_again_s = time.monotonic() + LOOK_S
        self._live = self._opened()
        self._retired: set[_Connected] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def _opened(self) -> _Connected:
        if self._files is None:
            return _Connected(aio.insecure_channel(self.target, self._options))
        return _Connected(aio.secure_channel(self.target, rpc_tls.client_credentials(self._files.value), self._options))

    def newest(self) -> _Connected:
        """Return the channel that new calls take: made anew when its files changed."""
        if self._files is not None and time.monotonic() >= self._look_again_s:
            self._renew()
        return self._live

    def leave(self, connected: _Connected) -> None:
        """Note that a call on this channel ended."""
        connected.running -= 1
        if connected is not self._live:
            self._close_unused(connected)

    def _renew(self) -> None:
        self._look_again_s = time.monotonic() + LOOK_S
        if self._files is not None and self._files.refresh():
            old, self._live = self._live, self._opened()
            self._retired.add(old)
            self._close_unused(old)

    def _close_unused(self, connected: _Connected) -> None:
        """Close a retired channel when its last call has ended."""
        if connected.running == 0 and connected in self._retired:
            self._retired.remove(connected)
            closing = asyncio.get_running_loop().create_task(connected.channel.close(), name=f"retired channel to {self.target}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    @staticmethod
    def _bound(shape: str, method: str, args: Any, kwargs: Any) -> Callable[[_Connected], Any]:
        """Return a function that gives the method's multicallable on a channel."""
        made_on: _Connected | None = None
        inner: Any = None

        def on(connected: _Connected) -> Any:
            nonlocal made_on, inner
            if connected is not made_on:
                made_on, inner = connected, getattr(connected.channel, shape)(method, *args, **kwargs)
            return inner

        return on

    def _single(self, shape: str, method: str, args: Any, kwargs: Any) -> Callable[..., Any]:
        on = self._bound(shape, method, args, kwargs)

        async def call(request: Any, **arguments: Any) -> Any:
            with _Outgoing(self, method, arguments) as connected:
                return await on(connected)(request, **arguments)

        return call

    def _many(self, shape: str, method: str, args: Any, kwargs: Any) -> Callable[..., Responses]:
        on = self._bound(shape, method, args, kwargs)

        def call(request: Any, **arguments: Any) -> Responses:
            return Responses(_Outgoing(self, method, arguments), lambda connected: on(connected)(request, **arguments))

        return call

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return an async function from request to response."""
        return self._single("unary_unary", method, args, kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return an async function from an iterator of requests to a response."""
        return self._single("stream_unary", method, args, kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return a function from request to an async iterator of responses."""
        return self._many("unary_stream", method, args, kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return a function from an iterator of requests to an async iterator of responses."""
        return self._many("stream_stream", method, args, kwargs)

    async def __aenter__(self) -> Self:
        """Return the channel; it connects with the first call."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close."""
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close; calls under way get ``grace`` seconds."""
        retired, self._retired = self._retired, set()
        await asyncio.gather(*(each.channel.close(grace) for each in (self._live, *retired)), *self._closing)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the connection's state."""
        return self._live.channel.get_state(try_to_connect)

    async def connected(self, within_s: float) -> bool:
        """Connect unless that is done already, trying again for so long. Who may not repeat a call asks before it is made."""
        try:
            async with asyncio.timeout(within_s):
                while (state := self.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
                    await self.wait_for_state_change(state)
        except TimeoutError:
            return False
        return True

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state is another."""
        await self._live.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the channel is connected."""
        await self._live.channel.channel_ready()
