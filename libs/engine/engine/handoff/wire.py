"""The frames between a puller and a publisher's server: bounded, fixed forms, the same over a Unix socket and over TLS.

A frame is its length (u32, type included), its type, its body; all numbers big-endian. Blocks travel behind a DATA frame as raw bytes of
the length that both ends know from the ticket. A peer that sends anything else, or too little, is cut off: nothing is resynchronised.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from engine.handoff.errors import Refused
from engine.handoff.pack import BlockRef

VERSION = 1
LARGEST_FRAME_BYTES = 1 << 20
_HEAD = struct.Struct("!IB")
_HELLO = struct.Struct("!4sH16s")
_PULL = struct.Struct("!16sII32s")  # hand-off, epoch, number of the pull, access token
_BLOCK = struct.Struct("!I")
_REF = struct.Struct("!QIIQ")  # offset, bytes, valid tokens, xxh3
MAGIC = b"FKVP"


class Kind(IntEnum):
    """Of a frame. The puller asks, the server answers OK, DATA, WELCOME, GRANTED or REFUSED."""

    HELLO = 1
    WELCOME = 2
    GRANT = 3
    GRANTED = 4
    BLOCK = 5
    DATA = 6
    HEARTBEAT = 7
    COMMIT = 8
    RELEASE = 9
    OK = 10
    REFUSED = 11


@dataclass(frozen=True, slots=True)
class PullRef:
    """Names a pull to the server. In GRANT, ``number`` is that of the try before."""

    handoff_id: bytes
    epoch: int
    number: int
    token: bytes

    def packed(self) -> bytes:
        """Return its form in a frame."""
        return _PULL.pack(self.handoff_id, self.epoch, self.number, self.token)


def hello(layout_digest: bytes) -> bytes:
    """Return the body of a HELLO."""
    return _HELLO.pack(MAGIC, VERSION, layout_digest)


def check_hello(body: bytes, layout_digest: bytes) -> None:
    """Raise Refused (MALFORMED, VERSION_UNKNOWN, LAYOUT_MISMATCH) unless the puller speaks this version about this layout."""
    magic, version, digest = _unpacked(_HELLO, body)
    if magic != MAGIC:
        raise Refused("MALFORMED")
    if version != VERSION:
        raise Refused("VERSION_UNKNOWN", f"version {version}, {VERSION} is spoken here")
    if digest != layout_digest:
        raise Refused("LAYOUT_MISMATCH")


def pull_ref(body: bytes) -> PullRef:
    """Return what a GRANT, HEARTBEAT, COMMIT or RELEASE names. Raises Refused (MALFORMED)."""
    return PullRef(*_unpacked(_PULL, body))


def block_number(body: bytes) -> int:
    """Return which of the granted blocks a BLOCK asks for. Raises Refused (MALFORMED)."""
    (number,) = _unpacked(_BLOCK, body)
    return int(number)


def block(number: int) -> bytes:
    """Return the body of a BLOCK."""
    return _BLOCK.pack(number)


def granted(number: int, refs: Sequence[BlockRef]) -> bytes:
    """Return the body of a GRANTED: the manifest."""
    return _BLOCK.pack(number) + b"".join(_REF.pack(ref.offset, ref.size_bytes, ref.valid_tokens, ref.xxh3_64) for ref in refs)


def manifest(body: bytes) -> tuple[int, list[tuple[int, int, int, int]]]:
    """Return number and (offset, bytes, valid tokens, xxh3) of each block of a GRANTED. Raises Refused (MALFORMED)."""
    if len(body) < _BLOCK.size or (len(body) - _BLOCK.size) % _REF.size:
        raise Refused("MALFORMED")
    (number,) = _BLOCK.unpack_from(body)
    return number, list(_REF.iter_unpack(body[_BLOCK.size :]))


def _unpacked(form: struct.Struct, body: bytes) -> tuple[Any, ...]:
    if len(body) != form.size:
        raise Refused("MALFORMED")
    return form.unpack(body)


def send(sock: socket.socket, kind: Kind, body: bytes = b"") -> None:
    """Send one frame. Raises OSError, TimeoutError among them."""
    sock.sendall(frame(kind, body))


def frame(kind: Kind, body: bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    return _HEAD.pack(len(body) + 1, kind) + body


def receive(sock: socket.socket, io_s: float, first: bytes = b"") -> tuple[int, bytes]:
    """Return kind and body of the next frame. Waits for its first byte as long as the socket's own timeout says, for the rest ``io_s``.

    ``first``: the first byte, if it was read already.
    Raises EOFError at an orderly end before a frame, Refused (SHORT_READ, MALFORMED), OSError.
    """
    first = first or sock.recv(1)
    if not first:
        raise EOFError
    head = bytearray(_HEAD.size)
    head[:1] = first
    receive_into(sock, memoryview(head)[1:], io_s)
    length, kind = _HEAD.unpack(head)
    if not 1 <= length <= LARGEST_FRAME_BYTES:
        raise Refused("MALFORMED", f"a frame of {length} bytes")
    body = bytearray(length - 1)
    receive_into(sock, memoryview(body), io_s)
    return kind, bytes(body)


def receive_into(sock: socket.socket, target: memoryview, io_s: float) -> None:
    """Fill ``target``. Raises Refused (SHORT_READ) when the peer ends before, TimeoutError when it is not full after ``io_s``, OSError."""
    before, over = sock.gettimeout(), time.monotonic() + io_s
    try:
        while target.nbytes:
            if (left := over - time.monotonic()) <= 0:
                raise TimeoutError("the peer is too slow")
            sock.settimeout(left)
            got = sock.recv_into(target)
            if not got:
                raise Refused("SHORT_READ", f"{target.nbytes} bytes are missing")
            target = target[got:]
    finally:
        sock.settimeout(before)
