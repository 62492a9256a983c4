"""A puller against a publisher that says the wrong thing, too little, or nothing: it fails in its own words, in time, without a trace."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from engine.handoff import wire
from engine.handoff.claims import Location
from engine.handoff.errors import PullFailed
from engine.handoff.pack import BlockRef
from engine.handoff.puller import Puller, PullLimits
from engine.handoff.ticket import Ticket
from engine.handoff.wire import Kind

from tests.unit.engine.handoff.certificates import tls_ends
from tests.unit.engine.handoff.makers import KEY, KEYS, LAYOUT, MAX_LEN, NOW_S, claims, content, ends, row

Script = Callable[[socket.socket], None]
COUNT = 100
SIZES = [LAYOUT.token_bytes * 64, LAYOUT.token_bytes * 36]


@pytest.fixture
def ticket(tmp_path) -> Ticket:
    """A right ticket, of a publisher that is no more."""
    with ends(tmp_path) as both:
        signed = both.published(claims(COUNT), row(1)).sign(KEY)
    return Ticket.verify(signed, KEYS)


@contextmanager
def publisher(tmp_path, script: Script, *, shared: bool) -> Iterator[tuple[Location, Puller]]:
    """Speaks a script on every connection, as one that passed the door."""
    mine, theirs = tls_ends(tmp_path / "certificates")
    listener = socket.socket(socket.AF_UNIX) if shared else socket.create_server(("127.0.0.1", 0))
    if shared:
        listener.bind(os.fspath(tmp_path / "rogue"))
        location = Location("memfd", os.fspath(tmp_path / "rogue"), b"n" * 32)
    else:
        location = Location("tls", f"127.0.0.1:{listener.getsockname()[1]}")
    listener.listen()

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with plain, contextlib.suppress(OSError, EOFError):
                plain.settimeout(10)
                with plain if shared else mine.wrap(plain, server=True) as sock:
                    script(sock)

    thread = threading.Thread(target=serve)
    thread.start()
    puller = Puller(LAYOUT, theirs, limits=PullLimits(io_s=0.5), wall=lambda: NOW_S)
    try:
        yield location, puller
    finally:
        puller.links.close()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)


def failure(tmp_path, ticket: Ticket, script: Script, *, shared: bool = False) -> str:
    """Why a pull failed; it was over soon, and the row is empty."""
    landing = row(2)
    behind, before = content(landing, COUNT, MAX_LEN), time.monotonic()
    with publisher(tmp_path, script, shared=shared) as (location, puller):
        with pytest.raises(PullFailed) as caught:
            puller.pull(dataclasses.replace(ticket, locations=(location,)), landing)
        assert puller.held() == []
    assert time.monotonic() - before < 20
    assert not any(content(landing, 0, COUNT))
    assert content(landing, COUNT, MAX_LEN) == behind
    return caught.value.reason


def welcome(sock: socket.socket) -> None:
    wire.receive(sock, 10)
    wire.send(sock, Kind.WELCOME, b"incarnation-1")


def manifest(ticket: Ticket, **changes: int) -> list[BlockRef]:
    refs = [
        BlockRef(4096, size, checksum, valid)
        for size, checksum, valid in zip(SIZES, ticket.checksums, (64, 36), strict=True)
    ]  # fmt: skip
    return [dataclasses.replace(refs[0], **changes), *refs[1:]]


def granted(sock: socket.socket, ticket: Ticket) -> None:
    welcome(sock)
    wire.receive(sock, 10)
    wire.send(sock, Kind.GRANTED, wire.granted(1, manifest(ticket)))


@pytest.mark.parametrize("shared", [True, False], ids=["memfd", "tls"])
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "PEER_GONE"),
        (b"\0\0\0\0\1", "MALFORMED"),
        (b"\xff\xff\xff\xff\2", "MALFORMED"),
        (wire.frame(Kind.WELCOME, b"incarnation-1")[:9], "SHORT_READ"),
        (wire.frame(Kind.OK), "MALFORMED"),
        (wire.frame(Kind.REFUSED, b"OVERLOADED"), "OVERLOADED"),
        (wire.frame(Kind.REFUSED, b"VERSION_UNKNOWN"), "VERSION_UNKNOWN"),
        (wire.frame(Kind.WELCOME, b"another incarnation"), "PEER_GONE"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "MALFORMED"),
    ],
)
def test_a_greeting_that_is_none(tmp_path, ticket: Ticket, shared: bool, said: bytes, reason: str) -> None:
    def script(sock: socket.socket) -> None:
        wire.receive(sock, 10)
        sock.sendall(said)

    assert failure(tmp_path, ticket, script, shared=shared) == reason


def test_an_arena_that_was_not_handed_over(tmp_path, ticket: Ticket) -> None:
    assert failure(tmp_path, ticket, welcome, shared=True) == "PEER_GONE"  # no arena, no other location


def test_memory_that_is_no_arena(tmp_path, ticket: Ticket) -> None:
    def script(sock: socket.socket) -> None:
        wire.receive(sock, 10)
        loose = os.memfd_create("loose")
        try:
            socket.send_fds(sock, [wire.frame(Kind.WELCOME, b"incarnation-1")], [loose])
        finally:
            os.close(loose)

    assert failure(tmp_path, ticket, script, shared=True) == "PEER_GONE"


@pytest.mark.parametrize("changes", [{"xxh3_64": 5}, {"size_bytes": 1}, {"valid_tokens": 65}])
def test_an_offer_of_something_else_than_the_ticket_names(tmp_path, ticket: Ticket, changes: dict[str, int]) -> None:
    def script(sock: socket.socket) -> None:
        welcome(sock)
        wire.receive(sock, 10)
        wire.send(sock, Kind.GRANTED, wire.granted(1, manifest(ticket, **changes)))

    assert failure(tmp_path, ticket, script) == "GAP"


def test_an_offer_of_fewer_blocks(tmp_path, ticket: Ticket) -> None:
    def script(sock: socket.socket) -> None:
        welcome(sock)
        wire.receive(sock, 10)
        wire.send(sock, Kind.GRANTED, wire.granted(1, manifest(ticket)[:1]))

    assert failure(tmp_path, ticket, script) == "GAP"


@pytest.mark.parametrize("sent", [0, 1, SIZES[0] - 1])
def test_a_block_that_ends_too_early(tmp_path, ticket: Ticket, sent: int) -> None:
    def script(sock: socket.socket) -> None:
        granted(sock, ticket)
        wire.receive(sock, 10)
        wire.send(sock, Kind.DATA, wire.block(0))
        sock.sendall(bytes(sent))

    assert failure(tmp_path, ticket, script) in {"SHORT_READ", "PEER_GONE"}


def test_a_block_that_never_ends(tmp_path, ticket: Ticket) -> None:
    def script(sock: socket.socket) -> None:
        granted(sock, ticket)
        wire.receive(sock, 10)
        wire.send(sock, Kind.DATA, wire.block(0))
        sock.sendall(bytes(100))
        sock.recv(1)  # until the puller has gone

    assert failure(tmp_path, ticket, script) == "STALLED"


def test_bytes_of_another_prompt(tmp_path, ticket: Ticket) -> None:
    def script(sock: socket.socket) -> None:
        granted(sock, ticket)
        for size in SIZES:
            wire.receive(sock, 10)
            wire.send(sock, Kind.DATA, wire.block(0))
            sock.sendall(bytes(size))

    assert failure(tmp_path, ticket, script) == "CHECKSUM"


@pytest.mark.parametrize(("reason", "expected"), [("FENCED", "FENCED"), ("CANCELLED", "CANCELLED"), ("UNKNOWN", "UNKNOWN")])
def test_a_commit_that_is_refused_undoes_what_was_verified(tmp_path, ticket: Ticket, reason: str, expected: str) -> None:
    source = row(1)

    def script(sock: socket.socket) -> None:
        granted(sock, ticket)
        for block, valid in enumerate((64, 36)):
            wire.receive(sock, 10)
            wire.send(sock, Kind.DATA, wire.block(block))
            sock.sendall(content(source, block * 64, block * 64 + valid))
        wire.receive(sock, 10)
        wire.send(sock, Kind.REFUSED, reason.encode())
        wire.receive(sock, 10)
        wire.send(sock, Kind.OK)

    assert failure(tmp_path, ticket, script) == expected


def test_a_lost_answer_to_commit_is_asked_for_again(tmp_path, ticket: Ticket) -> None:
    """The first connection dies with the answer; on the next one the puller learns that it was fenced meanwhile."""
    source, connections = row(1), iter(range(9))

    def script(sock: socket.socket) -> None:
        if next(connections):
            welcome(sock)
            assert wire.receive(sock, 10)[0] == Kind.COMMIT
            wire.send(sock, Kind.REFUSED, b"FENCED")
            sock.recv(1)
            return
        granted(sock, ticket)
        for block, valid in enumerate((64, 36)):
            wire.receive(sock, 10)
            wire.send(sock, Kind.DATA, wire.block(block))
            sock.sendall(content(source, block * 64, block * 64 + valid))
        wire.receive(sock, 10)

    assert failure(tmp_path, ticket, script) == "FENCED"
