"""One connection of the publisher's server: who it is has been checked, what it asks is answered in turn."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.handoff import wire
from engine.handoff.errors import Refused
from engine.handoff.pack import BlockRef
from engine.handoff.publisher import Publisher
from engine.handoff.wire import Kind, PullRef

if TYPE_CHECKING:
    from engine.handoff.server import ServerLimits


@dataclass(frozen=True, slots=True)
class _Grant:
    ref: PullRef
    blocks: list[BlockRef]


class Serving:
    """``shared``: the peer is on this host and is handed the arena; else it is sent bytes."""

    def __init__(
        self, publisher: Publisher, sock: socket.socket, limits: ServerLimits, stalled: Callable[[], None], *, shared: bool
    ) -> None:  # fmt: skip
        self._publisher, self._sock, self._limits, self._shared = publisher, sock, limits, shared
        self._stalled = stalled
        self._grant: _Grant | None = None

    def run(self) -> None:
        """Serve until the peer ends. Raises EOFError, OSError, Refused (MALFORMED, VERSION_UNKNOWN, …); the pull is released then."""
        try:
            self._welcome()
            while True:
                kind, body = self._request()
                try:
                    self._answer(kind, body)
                except Refused as refused:
                    wire.send(self._sock, Kind.REFUSED, refused.reason.encode())
                    if refused.reason == "MALFORMED":
                        raise
        finally:
            self._end_pull()

    def _request(self) -> tuple[int, bytes]:
        """Return the next request. A silent pull counts as stalled; over TLS it ends the connection."""
        self._sock.settimeout(self._limits.stall_s if self._grant else self._limits.idle_s)
        try:
            if self._shared:
                self._wait_shared()
            request = wire.receive(self._sock, self._limits.io_s)
        except TimeoutError:
            if self._grant is not None:
                self._stalled()
            raise
        self._sock.settimeout(self._limits.io_s)
        return request

    def _wait_shared(self) -> None:
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            if self._grant is None:
                raise
            self._stalled()
            self._sock.settimeout(None)
            self._sock.recv(1, socket.MSG_PEEK)

    def _welcome(self) -> None:
        kind, body = wire.receive(self._sock, self._limits.io_s)
        try:
            if kind != Kind.HELLO:
                raise Refused("MALFORMED")
            wire.check_hello(body, self._publisher.layout.digest)
        except Refused as refused:
            wire.send(self._sock, Kind.REFUSED, refused.reason.encode())
            raise
        frame = wire.frame(Kind.WELCOME, self._publisher.incarnation.encode())
        if self._shared:
            socket.send_fds(self._sock, [frame], [self._publisher.arena.descriptor])
        else:
            self._sock.sendall(frame)

    def _answer(self, kind: int, body: bytes) -> None:
        if kind == Kind.GRANT:
            self._begin(wire.pull_ref(body))
        elif kind == Kind.BLOCK and not self._shared:
            self._send_block(wire.block_number(body))
        elif kind == Kind.HEARTBEAT:
            ref = wire.pull_ref(body)
            self._publisher.heartbeat(_id(ref), ref.epoch, ref.token, ref.number)
            wire.send(self._sock, Kind.OK)
        elif kind == Kind.COMMIT:
            ref = wire.pull_ref(body)
            self._publisher.commit(_id(ref), ref.epoch, ref.token, ref.number)
            wire.send(self._sock, Kind.OK)
            if self._grant is not None and self._grant.ref == ref:
                self._grant = None
            self._publisher.sweep()
        elif kind == Kind.RELEASE:
            self._end_pull()
            wire.send(self._sock, Kind.OK)
        else:
            raise Refused("MALFORMED")

    def _begin(self, ref: PullRef) -> None:
        self._end_pull()
        number, blocks = self._publisher.grant(_id(ref), ref.epoch, ref.token, ref.number)
        self._grant = _Grant(PullRef(ref.handoff_id, ref.epoch, number, ref.token), blocks)
        wire.send(self._sock, Kind.GRANTED, wire.granted(number, blocks))

    def _send_block(self, number: int) -> None:
        if self._grant is None or number >= len(self._grant.blocks):
            raise Refused("GAP")
        ref, block = self._grant.ref, self._grant.blocks[number]
        self._publisher.check(_id(ref), ref.epoch, ref.number)
        content = self._publisher.arena.at(block.offset, block.valid_tokens)
        wire.send(self._sock, Kind.DATA, wire.block(number))
        try:
            self._sock.sendall(content.data.cast("B"))
        except TimeoutError:
            self._stalled()
            raise

    def _end_pull(self) -> None:
        if self._grant is not None:
            ref, self._grant = self._grant.ref, None
            self._publisher.released(_id(ref), ref.epoch, ref.number)
            self._publisher.sweep()


def _id(ref: PullRef) -> str:
    return str(uuid.UUID(bytes=ref.handoff_id))
