"""The publisher's door: a Unix socket that hands the arena over, and TLS that sends its bytes. A thread a connection, so many and no more.

A connection carries one pull at a time, and its end is the puller's end: what it was granted is released then. Surprising: over the
Unix socket a silent puller that lives is waited for, however long, because it can read what it mapped; over TLS it can read nothing that
is not sent, and is cut off. The hand-off's lease runs out meanwhile either way.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.handoff import wire
from engine.handoff.claims import Location
from engine.handoff.errors import Refused
from engine.handoff.publisher import Publisher
from engine.handoff.serving import Serving
from engine.handoff.tls import TlsEnd

_LONGEST_PATH_BYTES = 107


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """``idle_s``: a connection without a pull; ``stall_s``: a pull that asks for nothing; ``io_s``: a frame, or no progress."""

    connections: int = 64
    idle_s: float = 300.0
    stall_s: float = 15.0
    io_s: float = 5.0


class Server:
    """``unix_path``: for pullers of this host that run as one of ``users`` (default: ours); ``tls``: with ``address``, for all others."""

    def __init__(
        self,
        publisher: Publisher,
        *,
        unix_path: Path | None = None,
        users: frozenset[int] | None = None,
        tls: TlsEnd | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        advertised: str = "",
        limits: ServerLimits | None = None,
    ) -> None:
        self.limits = limits or ServerLimits()
        self.stalled = 0
        self._publisher, self._tls = publisher, tls
        self._users = frozenset({os.getuid()}) if users is None else users
        self._room = threading.BoundedSemaphore(self.limits.connections)
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._closing = False
        self._listeners: list[tuple[socket.socket, threading.Thread]] = []
        locations = []
        if unix_path is not None:
            locations.append(self._listen_unix(unix_path))
        if tls is not None:
            locations.append(self._listen_tcp(address, advertised))
        publisher.locations = tuple(locations)
        for _, thread in self._listeners:
            thread.start()

    def _listen_unix(self, path: Path) -> Location:
        if len(os.fsencode(path)) > _LONGEST_PATH_BYTES:
            raise Refused("ADDRESS_INVALID", f"a Unix socket's path has at most {_LONGEST_PATH_BYTES} bytes")
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        self._listen(listener, shared=True)
        return Location(
            "memfd", os.fsencode(path).decode("utf-8"), self._publisher.arena.nonce
        )  # inside Triton a path is ASCII in disguise

    def _listen_tcp(self, address: tuple[str, int], advertised: str) -> Location:
        listener = socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self._listen(listener, shared=False)
        return Location("tls", f"{advertised or address[0]}:{listener.getsockname()[1]}")

    def _listen(self, listener: socket.socket, *, shared: bool) -> None:
        listener.listen(self.limits.connections)
        self._listeners.append((listener, threading.Thread(target=self._accept, args=(listener, shared), name="kv-accept", daemon=True)))

    def _accept(self, listener: socket.socket, shared: bool) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                if self._closing:
                    return
                continue
            if not self._room.acquire(blocking=False):
                with closing(sock), suppress(OSError):
                    sock.settimeout(self.limits.io_s)
                    wire.send(sock, wire.Kind.REFUSED, b"OVERLOADED")
                continue
            thread = threading.Thread(target=self._serve, args=(sock, shared), name="kv-serve", daemon=True)
            with self._lock:
                self._open[thread] = sock
            try:
                thread.start()
            except RuntimeError:  # the machine has no thread left: this peer is turned away, and whoever comes next is not
                with closing(sock), self._lock:
                    del self._open[thread]
                self._room.release()

    def _serve(self, sock: socket.socket, shared: bool) -> None:
        try:
            with closing(sock):
                sock.settimeout(self.limits.io_s)
                with closing(self._checked(sock, shared)) as checked:
                    self._in_use(checked)
                    serving = Serving(self._publisher, checked, self.limits, self._stalled, shared=shared)
                    serving.run()
        except (OSError, EOFError, Refused):
            pass  # the peer is gone, or not one of ours: what it was granted is released
        finally:
            with self._lock:
                self._open.pop(threading.current_thread(), None)
            self._room.release()

    def _in_use(self, sock: socket.socket) -> None:
        """Have the connection of this thread cut off by `close`: TLS takes the descriptor out of the socket that was accepted."""
        with self._lock:
            if self._closing:
                raise Refused("PEER_GONE")
            self._open[threading.current_thread()] = sock

    def _stalled(self) -> None:
        self.stalled += 1

    def _checked(self, sock: socket.socket, shared: bool) -> socket.socket:
        if not shared:
            assert self._tls is not None
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._tls.wrap(sock, server=True)
        if user_of(sock) not in self._users:
            raise Refused("PEER_NOT_ALLOWED")
        return sock

    def close(self) -> None:
        """Take nothing more, cut everybody off, and wait until their pulls are released."""
        self._closing = True
        for listener, thread in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(self.limits.io_s)
        with self._lock:
            left = list(self._open.items())
        for _, sock in left:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # that of TLS would let its thread go on in the clear meanwhile
        for thread, _ in left:
            thread.join(self.limits.io_s)


def user_of(sock: socket.socket) -> int:
    """Return the user that a peer on a Unix socket ran as when it connected, by the kernel's word."""
    form = struct.Struct("3i")
    _, user, _ = form.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size))
    return int(user)
