"""The puller's end of a connection: over a Unix socket with the arena mapped, or over TLS.

Surprising: a mapping lives no longer than the connections that use it, so that the memory of a dead publisher is let go with its sockets.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from engine.handoff import wire
from engine.handoff.arena import Mapping
from engine.handoff.claims import Location
from engine.handoff.errors import HandoffError, Refused
from engine.handoff.layout import Layout
from engine.handoff.mappings import Key, Mappings
from engine.handoff.pack import Source, Timing, land
from engine.handoff.rows import Bytes, RowView
from engine.handoff.server import user_of
from engine.handoff.tls import TlsEnd
from engine.handoff.wire import Kind

Result = TypeVar("Result")


class LinkBroken(HandoffError):
    """The connection is of no more use: PEER_GONE, STALLED, SHORT_READ, MALFORMED, NOT_THIS_HOST, PEER_NOT_ALLOWED."""


class Link:
    """One connection to one publisher; for one thread."""

    def __init__(self, location: Location, layout: Layout, tls: TlsEnd | None, io_s: float, mappings: Mappings | None = None) -> None:
        """Connect and say what we speak. Raises LinkBroken; Refused with the publisher's reason (LAYOUT_MISMATCH, OVERLOADED, …)."""
        self.location, self._layout, self._io_s = location, layout, io_s
        self._mappings = Mappings() if mappings is None else mappings
        self._mapped: Key | None = None
        self._mapping: Mapping | None = None
        self.closed = False
        self._sock = _guarded(lambda: _connected(location, tls, io_s))
        try:
            kind, body = _guarded(self._greet)
            if kind != Kind.WELCOME:
                raise _refusal(kind, body)
            if (self._mapping is None) == (location.kind == "memfd"):
                raise LinkBroken("NOT_THIS_HOST", "no arena was handed over")
        except HandoffError:
            self.close()
            raise
        self.incarnation = body.decode("utf-8", "replace")

    def _greet(self) -> tuple[int, bytes]:
        with suppress(BrokenPipeError, ConnectionResetError):  # an overloaded server says so and closes, whatever was sent
            wire.send(self._sock, Kind.HELLO, wire.hello(self._layout.digest))
        if self.location.kind == "tls":
            return wire.receive(self._sock, self._io_s)
        head, descriptors, _, _ = socket.recv_fds(self._sock, 1, 1)
        if not head:
            raise EOFError
        try:
            kind, body = wire.receive(self._sock, self._io_s, head)
            if descriptors:
                self._mapped, self._mapping = self._mappings.take(descriptors.pop(), self._layout, self.location.nonce)
            return kind, body
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def ask(self, kind: Kind, body: bytes, expected: Kind) -> bytes:
        """Send a request, return the body of its answer. Raises Refused with the publisher's reason, LinkBroken."""
        answer, content = _guarded(lambda: self._exchange(kind, body))
        if answer != expected:
            raise _refusal(answer, content)
        return content

    def _exchange(self, kind: Kind, body: bytes) -> tuple[int, bytes]:
        wire.send(self._sock, kind, body)
        return wire.receive(self._sock, self._io_s)

    def land(self, number: int, offset: int, row: RowView, block: int, valid_tokens: int, timing: Timing) -> int:
        """Bring a granted block into its place in the row and return the xxh3 of what stands there. Raises Refused, LinkBroken."""
        if self.closed:
            raise LinkBroken("SHORT_READ", "the connection was closed")
        if (mapping := self._mapping) is not None:
            source: Source = _Mapped(_guarded(lambda: mapping.content(offset, valid_tokens)))
        else:
            self.ask(Kind.BLOCK, wire.block(number), Kind.DATA)
            source = _Streamed(self._sock)
        return _guarded(lambda: land(source, row, self._layout, block, valid_tokens, timing))

    def alive(self) -> bool:
        """Whether an idle connection still stands: a publisher says nothing unasked, so that anything to read is its end."""
        self._sock.settimeout(0)
        try:
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        finally:
            self._sock.settimeout(self._io_s)
        return False

    def close(self) -> None:
        """End the connection: to the publisher that is the end of a pull."""
        if not self.closed:
            self.closed = True
            self._sock.close()
            self._mapping = None
            if self._mapped is not None:
                self._mappings.drop(self._mapped)


class _Mapped:
    def __init__(self, content: Bytes) -> None:
        self._content = content

    def fill(self, stripe: int, target: Bytes) -> None:
        target[...] = self._content[stripe]


class _Streamed:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fill(self, stripe: int, target: Bytes) -> None:
        """A head's tokens lie side by side in the row, so that they come from the socket into their final place."""
        for head in target:
            left = head.data.cast("B")
            while left.nbytes:
                got = self._sock.recv_into(left)
                if not got:
                    raise Refused("SHORT_READ", "the publisher ended inside a block")
                left = left[got:]


def _connected(location: Location, tls: TlsEnd | None, io_s: float) -> socket.socket:
    if location.kind == "memfd":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(io_s)
            sock.connect(location.address.encode())
            if user_of(sock) != os.getuid():
                raise Refused("PEER_NOT_ALLOWED")
        except BaseException:
            sock.close()
            raise
        return sock
    if tls is None:
        raise Refused("PEER_NOT_ALLOWED", "no certificate to show")
    host, _, port = location.address.rpartition(":")
    sock = socket.create_connection((host.strip("[]"), int(port)), io_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return tls.wrap(sock, server=False)
    except BaseException:
        sock.close()
        raise


def _guarded(action: Callable[[], Result]) -> Result:
    """Do something with a socket; whatever goes wrong, the connection is broken."""
    try:
        return action()
    except EOFError:
        raise LinkBroken("PEER_GONE") from None
    except TimeoutError as error:
        raise LinkBroken("STALLED") from error
    except (OSError, ValueError, OverflowError) as error:
        raise LinkBroken("PEER_GONE", type(error).__name__) from error
    except Refused as refused:
        raise LinkBroken(refused.reason, refused.message) from refused


def _refusal(kind: int, body: bytes) -> HandoffError:
    if kind != Kind.REFUSED:
        return LinkBroken("MALFORMED", f"frame {kind} was not asked for")
    return Refused(body[:64].decode("ascii", "replace"))
