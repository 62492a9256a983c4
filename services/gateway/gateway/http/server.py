"""The HTTP server: uvicorn's HTTP/1.1, which must tell whose certificate a connection came with.

Surprising: no released ASGI server hands over the certificate (ADR 25). uvicorn makes the protocol of a connection by a class that may be
named, and gives what its ``app_state`` holds to every request, so a class of ours puts it there. The same class makes what uvicorn leaves
out: a connection on which no request begins is closed, whoever opened it; headers above the limit are 431; errors of the protocol are
told in the API's own form.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from gateway.openai.errors import protocol_error

CONNECTION = "connection"
_HANDSHAKE_S, _FAREWELL_S = 10.0, 2.0
_BUFFER_BYTES = 64 * 1024
Application = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one connection may cost."""

    header_bytes: int
    idle_s: float


@dataclass(frozen=True, slots=True)
class Connection:
    """Whose connection a request came by: the DER of the caller's certificate, empty in clear text."""

    certificate: bytes
    since_s: float  # monotonic
    abort: Callable[[], None]


class _Protocol(H11Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        tls = transport.get_extra_info("ssl_object")
        certificate = (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""
        self.app_state = {CONNECTION: Connection(certificate, time.monotonic(), transport.abort)}
        super().connection_made(transport)
        self._wait_for_a_request()

    def data_received(self, data: bytes) -> None:
        """Take bytes. Unlike uvicorn's: only a request that began ends the wait for one, not some bytes of it."""
        self.conn.receive_data(data)
        self.handle_events()

    def _wait_for_a_request(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def send_400_response(self, msg: str) -> None:
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer is under way: nothing more can be said
            self.transport.close()
            return
        headers, body = protocol_error(431 if status == 431 else 400)
        begin = h11.Response(status_code=status, headers=[*headers, (b"connection", b"close")])
        for event in (begin, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()


class HttpServer:
    """Serves an ASGI application. ``listen``: host:port."""

    def __init__(self, application: Application, listen: str, tls: ssl.SSLContext | None, bounds: Bounds) -> None:
        host, _, port = listen.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._tls = tls
        self._state = ServerState()
        self._config = uvicorn.Config(
            application,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=bounds.header_bytes,
            timeout_keep_alive=cast(int, bounds.idle_s),
        )
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Serve."""
        loop = asyncio.get_running_loop()
        handshake_s = None if self._tls is None else _HANDSHAKE_S
        self._server = await loop.create_server(
            self._made, self._host or None, self._port, ssl=self._tls, ssl_handshake_timeout=handshake_s
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _made(self) -> asyncio.Protocol:
        return _Protocol(self._config, self._state, {})

    async def stop(self, grace_s: float) -> None:
        """Take no more, let running requests finish for at most ``grace_s``, then end them: each tells its caller."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        for wait_s in (grace_s, _FAREWELL_S):
            tasks = set(self._state.tasks)
            if not tasks:
                break
            _, late = await asyncio.wait(tasks, timeout=wait_s)
            for task in late:
                task.cancel()
        for connection in list(self._state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.close()
