"""Keys of tickets and certificates are replaced while engines run: hand-offs go on, and what is no longer accepted is refused."""

from __future__ import annotations

import datetime as dt
import os
import signal

import pytest
from finmesh.inference.v1.worker_pb2 import WORKER_STATE_READY
from meshkit.crypto.derive import DEVELOPMENT_ID, TICKETS
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import FailedPrecondition
from provisioning import keys
from provisioning.certificates import ensure_certificates

from tests.engines import Engines, until

from .asking import answer, prompt, to_decode, to_prefill, to_reserve
from .conftest import Pair

pytestmark = pytest.mark.stack


async def handed_over(pair: Pair, length: int, ticket: bytes = b"") -> str:
    """Hand one prompt over and return how its blocks came."""
    tokens, reservation_id = prompt(length), uuid7()
    ticket = ticket or (await pair.prefill.prefill(to_prefill(pair, tokens), 10.0)).response.ticket
    await pair.decode.reserve(reservation_id, to_reserve(pair, tokens))
    try:
        events, rest = await answer(pair, to_decode(pair, tokens, ticket=ticket, reservation_id=reservation_id))
    finally:
        await pair.decode.release(reservation_id)
    assert [index for index, _ in rest] == list(range(1, 12))
    return str(events[0].committed.transport)


async def test_ticket_keys_rotate_by_add_promote_and_retire(triton: Pair, engines: Engines) -> None:
    folder = engines.places.keys
    before = (await triton.prefill.prefill(to_prefill(triton, prompt(70)), 10.0)).response.ticket
    late = (await triton.prefill.prefill(to_prefill(triton, prompt(71)), 10.0)).response.ticket
    keys.add(folder, TICKETS, "next")
    keys.promote(folder, TICKETS, "next")
    assert await handed_over(triton, 70, before), "signed by the key before, which is still accepted"
    assert await handed_over(triton, 72)
    keys.retire(folder, TICKETS, DEVELOPMENT_ID)
    assert await handed_over(triton, 73)
    with pytest.raises(FailedPrecondition) as caught:
        await handed_over(triton, 71, late)
    assert caught.value.reason == "TICKET_REFUSED"


async def connect_anew(pair: Pair, engines: Engines) -> None:
    """A decode engine keeps its connections for the next hand-off; one that was started again has none."""
    before = pair.decode.description.incarnation
    os.kill(engines.server("decode"), signal.SIGKILL)
    await until(lambda: pair.decode.description.incarnation != before and pair.decode.load.state == WORKER_STATE_READY)


async def test_without_the_socket_blocks_come_over_tls_by_the_certificates_of_now(triton: Pair, engines: Engines) -> None:
    """As for an engine on another host: nobody answers at the path that tickets name. The prefill engine runs on all the time."""
    usual, running = await handed_over(triton, 80), triton.prefill.description.incarnation
    aside = engines.socket.with_name("aside")
    engines.socket.rename(aside)
    try:
        await connect_anew(triton, engines)
        assert await handed_over(triton, 81) == "tls" != usual
        (engines.places.certs / "authority.pem").unlink()  # a new authority, and so new certificates of everybody
        ensure_certificates(engines.places.certs, dt.datetime.now(dt.UTC))
        await connect_anew(triton, engines)
        assert await handed_over(triton, 82) == "tls"
    finally:
        aside.rename(engines.socket)
    await connect_anew(triton, engines)
    assert await handed_over(triton, 83) == usual
    assert triton.prefill.description.incarnation == running
