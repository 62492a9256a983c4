"""The door under strangers: bounded in frames, time and connections, and still there for the next one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import socket
import struct
import threading
import uuid

import pytest
from engine.handoff import wire
from engine.handoff.errors import HandoffError, PullFailed, Refused
from engine.handoff.link import Link
from engine.handoff.server import Server, ServerLimits
from engine.handoff.wire import Kind, PullRef

from tests.unit.engine.handoff.makers import LAYOUT, claims, content, ends, row
from tests.unit.engine.handoff.waiting import until

QUICK = ServerLimits(connections=3, idle_s=1.0, stall_s=1.0, io_s=1.0)


@pytest.fixture
def both(tmp_path):
    with ends(tmp_path) as made:
        yield made


def stranger(both) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(10)
    sock.connect(both.publisher.locations[0].address)
    return sock


def still_serves(both) -> None:
    landing = row(None)
    assert both.puller.pull(both.published(claims(200), row(1)), landing).commit == "COMMITTED"
    assert content(landing, 0, 200) == content(row(1), 0, 200)


def answer(sock: socket.socket) -> str:
    kind, body = wire.receive(sock, 10)
    return body.decode() if kind == Kind.REFUSED else Kind(kind).name


def ended(sock: socket.socket) -> bool:
    with contextlib.suppress(ConnectionResetError):
        return sock.recv(1) == b""
    return True


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (wire.frame(Kind.HELLO, struct.pack("!4sH16s", b"FKVP", 2, LAYOUT.digest)), "VERSION_UNKNOWN"),
        (wire.frame(Kind.HELLO, wire.hello(b"another layout!!")), "LAYOUT_MISMATCH"),
        (wire.frame(Kind.HELLO, struct.pack("!4sH16s", b"HTTP", 1, LAYOUT.digest)), "MALFORMED"),
        (wire.frame(Kind.HELLO, b""), "MALFORMED"),
        (wire.frame(Kind.GRANT, b"x" * 56), "MALFORMED"),
    ],
)
def test_who_does_not_speak_our_version_about_our_layout_is_told_so(both, frame: bytes, reason: str) -> None:
    with stranger(both) as sock:
        sock.sendall(frame)
        assert answer(sock) == reason
        assert ended(sock)
    still_serves(both)


@pytest.mark.parametrize("start", [struct.pack("!IB", 0, 1), struct.pack("!IB", (1 << 20) + 1, 1), b"GET / HTTP/1.1\r\n\r\n"])
def test_a_frame_without_bounds_ends_the_connection(both, start: bytes) -> None:
    with stranger(both) as sock:
        sock.sendall(start)
        assert ended(sock)
    still_serves(both)


def greeted(both) -> socket.socket:
    sock = stranger(both)
    sock.sendall(wire.frame(Kind.HELLO, wire.hello(LAYOUT.digest)))
    data, descriptors, _, _ = socket.recv_fds(sock, 1, 1)
    for descriptor in descriptors:
        os.close(descriptor)
    kind, body = wire.receive(sock, 10, data)
    assert (kind, body) == (Kind.WELCOME, b"incarnation-1")
    return sock


@pytest.mark.parametrize("kind", [Kind.BLOCK, Kind.HELLO, Kind.DATA, Kind.OK, 200])
def test_what_was_not_to_be_asked_ends_the_connection(both, kind: int) -> None:
    with greeted(both) as sock:
        wire.send(sock, kind, wire.block(0))
        assert answer(sock) == "MALFORMED"
        assert ended(sock)
    still_serves(both)


def test_an_unknown_hand_off_is_refused_and_the_connection_goes_on(both) -> None:
    ref = PullRef(uuid.UUID(claims().handoff_id).bytes, 1, 1, b"t" * 32).packed()
    with greeted(both) as sock:
        for kind, expected in ((Kind.GRANT, "UNKNOWN"), (Kind.HEARTBEAT, "UNKNOWN"), (Kind.COMMIT, "UNKNOWN"), (Kind.RELEASE, "OK")):
            wire.send(sock, kind, ref)
            assert answer(sock) == expected


def test_noise_of_any_kind_hurts_nobody(both) -> None:
    dice = random.Random(11)
    for _ in range(60):
        with greeted(both) if dice.random() < 0.7 else stranger(both) as sock, contextlib.suppress(OSError):
            for _ in range(dice.randint(1, 4)):
                body = dice.randbytes(dice.choice([0, 1, 4, 55, 56, 57, 300]))
                sock.sendall(wire.frame(dice.randrange(256), body) if dice.random() < 0.8 else body)
    still_serves(both)
    until(lambda: both.publisher.held() == [])


def test_silence_ends_a_connection(tmp_path) -> None:
    with ends(tmp_path, server_limits=QUICK) as both:
        for opened in (stranger(both), greeted(both)):
            with opened as sock:
                assert ended(sock)


def test_half_a_frame_is_not_waited_for(tmp_path) -> None:
    with ends(tmp_path, server_limits=QUICK) as both, greeted(both) as sock:
        sock.sendall(wire.frame(Kind.GRANT, b"x" * 56)[:20])
        assert ended(sock)


def test_so_many_connections_and_no_more(tmp_path) -> None:
    limits = dataclasses.replace(QUICK, idle_s=60.0)
    with ends(tmp_path, server_limits=limits) as both, contextlib.ExitStack() as opened:
        held = [opened.enter_context(greeted(both)) for _ in range(3)]
        with stranger(both) as fourth:
            assert answer(fourth) == "OVERLOADED"
        ticket = both.published(claims(100), row(1))
        with pytest.raises(PullFailed) as caught:
            both.puller.pull(ticket, row(None))
        assert caught.value.reason == "OVERLOADED"
        held.pop().close()
        until(lambda: len(both.server._open) == 2)
        assert both.puller.pull(ticket, row(None)).commit == "COMMITTED"


def test_a_pull_that_stalls_is_noticed_and_its_memory_kept_while_it_lives(tmp_path) -> None:
    with ends(tmp_path, server_limits=QUICK) as both:
        ticket = both.published(claims(200), row(1))
        link = Link(ticket.locations[0], LAYOUT, None, 5.0)
        ref = PullRef(uuid.UUID(ticket.handoff_id).bytes, 1, 0, ticket.access_token)
        link.ask(Kind.GRANT, ref.packed(), Kind.GRANTED)
        until(lambda: both.server.stalled == 1)
        both.clock.now_s += 31.0
        both.publisher.sweep()
        assert both.publisher.held() == [f"hand-off {ticket.handoff_id} epoch 1 EXPIRED blocks 4 readers [1]"]
        assert both.publisher.arena.content(0, 64).any()
        link.close()
        until(lambda: both.publisher.held() == [])
        assert not both.publisher.arena.content(0, 64).any()


def test_the_path_s_length_is_checked(tmp_path) -> None:
    with ends(tmp_path, shared=False) as both, pytest.raises(Refused) as caught:
        Server(both.publisher, unix_path=tmp_path / ("长" * 40))
    assert caught.value.reason == "ADDRESS_INVALID"


def test_a_socket_left_behind_by_a_dead_publisher_is_replaced(tmp_path) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(os.fspath(tmp_path / "kv"))
    left.close()
    with ends(tmp_path) as both:
        still_serves(both)
        assert (tmp_path / "kv").stat().st_mode & 0o777 == 0o600


def test_only_our_own_user_is_let_in(tmp_path) -> None:
    with ends(tmp_path, shared=False) as both:
        server = Server(both.publisher, unix_path=tmp_path / "other", users=frozenset({os.getuid() + 1}))
        try:
            with pytest.raises(HandoffError) as caught:
                Link(both.publisher.locations[0], LAYOUT, None, 5.0)
            assert caught.value.reason == "PEER_GONE"
        finally:
            server.close()


def test_closing_releases_everybody(both) -> None:
    ticket = both.published(claims(200), row(1))
    link = Link(ticket.locations[0], LAYOUT, None, 5.0)
    ref = PullRef(uuid.UUID(ticket.handoff_id).bytes, 1, 0, ticket.access_token)
    link.ask(Kind.GRANT, ref.packed(), Kind.GRANTED)
    both.server.close()
    assert both.publisher.held() == [f"hand-off {ticket.handoff_id} epoch 1 PULLING blocks 4"]
    link.close()


def test_a_machine_without_threads_turns_one_away_and_serves_the_next(tmp_path, monkeypatch) -> None:
    """Neither the listener nor the room of a connection is lost with it."""
    start, failed = threading.Thread.start, []

    def starting(thread: threading.Thread) -> None:
        if thread.name == "kv-serve" and not failed:
            failed.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    with ends(tmp_path, server_limits=ServerLimits(connections=1)) as both:
        monkeypatch.setattr(threading.Thread, "start", starting)
        with stranger(both) as turned_away:
            assert turned_away.recv(1) == b""
        with stranger(both) as served:
            wire.send(served, Kind.HELLO, b"no hello")
            kind, body = wire.receive(served, 10.0)
            assert (kind, body != b"OVERLOADED") == (Kind.REFUSED, True)
    assert failed
