"""How a parser's process and the service talk: a kind (one byte), a length (four, big endian), so many bytes. The length is checked before
anything is read, against what that kind may have: whoever sends is not trusted."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping

REQUEST, IMAGE, LINES, RESULT, ERROR = b"Q", b"I", b"L", b"R", b"E"
"""What shall be done; a page's image to be read; its lines; the document; why there is none."""
_HEAD = struct.Struct(">cI")
SMALL = 1 << 16
"""Bytes of an error or a request."""


class BrokenFrame(ValueError):
    """An unknown kind, or more bytes than the kind may have."""


def _length(head: bytes | bytearray, most: Mapping[bytes, int]) -> tuple[bytes, int]:
    kind, length = _HEAD.unpack(head)
    if length > most.get(kind, -1):
        raise BrokenFrame(f"a frame {kind!r} of {length} bytes")
    return kind, length


def send(channel: socket.socket, kind: bytes, payload: bytes) -> None:
    """Blocking. OSError when nobody is there."""
    channel.sendall(_HEAD.pack(kind, len(payload)))
    channel.sendall(payload)


def receive(channel: socket.socket, most: Mapping[bytes, int]) -> tuple[bytes, bytes]:
    """Blocking. EOFError when the other end is closed; BrokenFrame."""
    kind, length = _length(_exactly(channel, _HEAD.size), most)
    return kind, bytes(_exactly(channel, length))


def _exactly(channel: socket.socket, length: int) -> bytearray:
    whole = bytearray(length)
    view = memoryview(whole)
    while view:
        count = channel.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return whole


async def send_async(writer: asyncio.StreamWriter, kind: bytes, payload: bytes) -> None:
    """ConnectionError when nobody is there."""
    writer.write(_HEAD.pack(kind, len(payload)))
    writer.write(payload)
    await writer.drain()


async def receive_async(reader: asyncio.StreamReader, most: Mapping[bytes, int]) -> tuple[bytes, bytes]:
    """asyncio.IncompleteReadError or ConnectionError when the other end is closed; BrokenFrame."""
    kind, length = _length(await reader.readexactly(_HEAD.size), most)
    return kind, await reader.readexactly(length)
