"""H15 to H18. Who is let in, and how far."""

from __future__ import annotations

import dataclasses
import os
import socket
import struct
import tempfile
import uuid
from contextlib import closing
from pathlib import Path

from engine.handoff import arena as arenas
from engine.handoff import wire
from engine.handoff.arena import Arena, Mapping
from engine.handoff.errors import HandoffError, PullFailed, Refused
from engine.handoff.link import Link
from engine.handoff.publisher import Publisher
from engine.handoff.server import Server, ServerLimits
from engine.handoff.serving import Serving
from engine.handoff.tls import TlsEnd
from engine.handoff.wire import Kind, PullRef

from tests.protocol.mutants import assert_fails_without, rewritten, swapped
from tests.unit.engine.handoff.certificates import tls_end, tls_ends
from tests.unit.engine.handoff.makers import LAYOUT, claims, content, ends, row
from tests.unit.engine.handoff.waiting import until


async def test_h15_shared_memory_is_for_one_host_and_read_only() -> None:
    def check() -> None:
        here, other = Arena(LAYOUT, 4096 + LAYOUT.block_bytes), Arena(LAYOUT, 4096 + LAYOUT.block_bytes)
        try:
            try:
                Mapping(os.dup(here.descriptor), LAYOUT, other.nonce).close()
            except Refused as refused:
                assert refused.reason == "NOT_THIS_HOST"
            else:
                raise AssertionError("another arena was mapped")
            try:
                os.pwrite(here.descriptor, b"x", 5000)
            except PermissionError:
                return
            raise AssertionError("who was handed the arena can write")
        finally:
            here.close()
            other.close()

    await assert_fails_without(
        "H15",
        check,
        rewritten(Mapping, "__init__", "not secrets.compare_digest(found, nonce)", "False"),
        swapped(arenas, "SEALS", 0),
    )


async def test_h15_the_door_is_for_our_own_user() -> None:
    def check() -> None:
        with tempfile.TemporaryDirectory() as folder, ends(Path(folder), shared=False) as here:
            server = Server(here.publisher, unix_path=Path(folder) / "kv", users=frozenset({os.getuid() + 1}))
            try:
                Link(here.publisher.locations[0], LAYOUT, None, 5.0).close()
            except HandoffError:
                return
            finally:
                server.close()
            raise AssertionError("another user was let in")

    await assert_fails_without("H15", check, rewritten(Server, "_checked", "user_of(sock) not in self._users", "False"))


async def test_h16_between_hosts_both_ends_show_who_they_are() -> None:
    def check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            certificates = Path(folder) / "certificates"
            with ends(Path(folder), shared=False, tls=tls_ends(certificates)) as here:
                location = here.publisher.locations[0]
                for mine in (tls_end(certificates, "router", "inference-prefill"), tls_end(certificates, "inference-decode", "router")):
                    try:
                        Link(location, LAYOUT, mine, 5.0).close()
                    except HandoffError:
                        continue
                    raise AssertionError("the wrong workload was talked to")

    await assert_fails_without("H16", check, rewritten(TlsEnd, "wrap", "if peer(wrapped) not in self._allowed:", "if False:"))


async def test_h17_a_wrong_token_opens_nothing() -> None:
    def check() -> None:
        with tempfile.TemporaryDirectory() as folder, ends(Path(folder)) as here:
            ticket, landing = here.published(claims(200), row(1)), row(None)
            try:
                here.puller.pull(dataclasses.replace(ticket, access_token=b"x" * 32), landing)
            except PullFailed as failed:
                assert failed.reason == "UNKNOWN"
                assert not any(content(landing, 0, 200))
                return
            raise AssertionError("pulled with a wrong token")

    await assert_fails_without(
        "H17", check, rewritten(Publisher, "_authorise", "not hmac.compare_digest(held.token, token)", "False")
    )  # fmt: skip


async def test_h18_a_frame_has_bounds() -> None:
    def check() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(struct.pack("!IB", wire.LARGEST_FRAME_BYTES + 1, 1))
            try:
                wire.receive(ours, 0.05)
            except Refused as refused:
                assert refused.reason == "MALFORMED"
            except TimeoutError as error:
                raise AssertionError("it was waited for") from error

    await assert_fails_without("H18", check, rewritten(wire, "receive", "if not 1 <= length <= LARGEST_FRAME_BYTES:", "if False:"))


async def test_h18_a_pull_that_stalls_is_counted() -> None:
    def check() -> None:
        limits = ServerLimits(stall_s=0.1)
        with tempfile.TemporaryDirectory() as folder:
            certificates = Path(folder) / "certificates"
            mine = tls_ends(certificates)
            with ends(Path(folder), shared=False, tls=mine, server_limits=limits) as here:
                ticket = here.published(claims(200), row(1))
                with closing(Link(ticket.locations[0], LAYOUT, mine[1], 5.0)) as link:
                    ref = PullRef(uuid.UUID(ticket.handoff_id).bytes, 1, 0, ticket.access_token)
                    link.ask(Kind.GRANT, ref.packed(), Kind.GRANTED)
                    until(lambda: here.server._open == {})
                    assert here.server.stalled == 1
                    assert "readers" not in here.publisher.held()[0]

    await assert_fails_without("H18", check, rewritten(Serving, "_request", "self._stalled()", "pass"))
