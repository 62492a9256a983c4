"""Between hosts: the same hand-off over TLS 1.3, for those with the right certificate alone."""

from __future__ import annotations

import socket
import ssl
import uuid

import pytest
from engine.handoff.errors import PullFailed
from engine.handoff.link import Link, LinkBroken
from engine.handoff.puller import Puller
from engine.handoff.tls import TlsEnd
from engine.handoff.wire import Kind, PullRef

from tests.unit.engine.handoff.certificates import tls_end, tls_ends
from tests.unit.engine.handoff.makers import LAYOUT, MAX_LEN, NOW_S, claims, content, ends, row
from tests.unit.engine.handoff.waiting import until


@pytest.fixture
def certificates(tmp_path):
    return tmp_path / "证书"


@pytest.fixture
def both(tmp_path, certificates):
    with ends(tmp_path, shared=False, tls=tls_ends(certificates)) as made:
        yield made


@pytest.mark.parametrize("count", [1, 64, 200, MAX_LEN])
def test_a_row_arrives_as_it_was(both, count: int) -> None:
    source, landing = row(1), row(2)
    behind = content(landing, count, MAX_LEN)
    pulled = both.puller.pull(both.published(claims(count), source), landing)
    assert (pulled.transport, pulled.commit, pulled.size_bytes) == ("tls", "COMMITTED", count * LAYOUT.token_bytes)
    assert content(landing, 0, count) == content(source, 0, count)
    assert content(landing, count, MAX_LEN) == behind
    until(lambda: both.publisher.held() == [])


def test_a_connection_serves_pull_after_pull(both) -> None:
    for number in range(3):
        landing = row(None)
        both.puller.pull(both.published(claims(200), row(number)), landing)
        assert content(landing, 0, 200) == content(row(number), 0, 200)
    (idle,) = both.puller.links._idle.values()
    assert len(idle) == 1
    assert idle[0].alive()


def test_closing_cuts_off_who_is_idle_and_who_pulls(both) -> None:
    both.puller.pull(both.published(claims(200), row(1)), row(None))
    ((idle,),) = both.puller.links._idle.values()
    ticket = both.published(claims(200), row(1))
    pulling = both.puller.links.new(ticket.locations[0])
    pulling.ask(Kind.GRANT, PullRef(uuid.UUID(ticket.handoff_id).bytes, 1, 0, ticket.access_token).packed(), Kind.GRANTED)
    both.server.close()
    assert not idle.alive()
    assert not pulling.alive()
    assert both.server._open == {}
    pulling.close()


def test_a_tail_comes_alone(both) -> None:
    landing = row(None)
    both.puller.pull(both.published(claims(200, first_block=1), row(1)), landing, 2)
    assert content(landing, 128, 200) == content(row(1), 128, 200)
    assert not any(content(landing, 0, 128))


def test_it_is_tls_1_3(both) -> None:
    link = both.puller.links.new(both.publisher.locations[0])
    assert isinstance(link._sock, ssl.SSLSocket)
    assert link._sock.version() == "TLSv1.3"
    link.close()


def refusal(both, tls: TlsEnd | None) -> str:
    ticket = both.published(claims(100), row(1))
    puller = Puller(LAYOUT, tls, clock=both.clock, wall=lambda: NOW_S)
    with pytest.raises(PullFailed) as caught:
        puller.pull(ticket, row(None))
    puller.links.close()
    assert both.puller.pull(ticket, row(None)).commit == "COMMITTED"  # who is refused used nothing up
    return caught.value.reason


def test_who_has_no_certificate_gets_nothing(both) -> None:
    assert refusal(both, None) == "PEER_NOT_ALLOWED"


@pytest.mark.parametrize("identity", ["router", "inference-decode-2", "gateway"])
def test_another_workload_gets_nothing(both, certificates, identity: str) -> None:
    assert refusal(both, tls_end(certificates, identity, "inference-prefill")) == "PEER_GONE"


def test_a_certificate_of_another_authority_is_none(both, certificates) -> None:
    assert refusal(both, tls_end(certificates, "inference-decode", "inference-prefill", authority="else")) == "PEER_GONE"


def test_the_puller_looks_whom_it_talks_to(both, certificates) -> None:
    assert refusal(both, tls_end(certificates, "inference-decode", "inference-decode")) == "PEER_NOT_ALLOWED"


def test_older_tls_is_not_spoken(both, certificates) -> None:
    context = ssl.create_default_context(cafile=certificates / "authority.pem")
    context.check_hostname = False
    context.load_cert_chain(certificates / "inference-decode.authority.pem", certificates / "inference-decode.authority.key")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    host, _, port = both.publisher.locations[0].address.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as plain, pytest.raises(OSError, match=r"(?i)version|reset|alert"):
        context.wrap_socket(plain).close()


def test_a_renewed_certificate_needs_no_restart(both, certificates) -> None:
    """The authority is another one: what was accepted before is refused, what is new is accepted."""
    both.puller.links.close()
    old = tls_end(certificates, "inference-decode", "inference-prefill", authority="kept")
    new = tls_ends(certificates / "new")
    for name in ("inference-prefill.authority.pem", "inference-prefill.authority.key", "authority.pem"):
        (certificates / name).write_bytes((certificates / "new" / name).read_bytes())
    location = both.publisher.locations[0]
    Link(location, LAYOUT, new[1], 5.0).close()
    with pytest.raises(LinkBroken):
        Link(location, LAYOUT, old, 5.0)


def test_half_a_renewal_leaves_the_last_good_certificate(both, certificates) -> None:
    key, authority = certificates / "inference-prefill.authority.key", certificates / "authority.pem"
    whole = key.read_bytes()
    for spoil in (lambda: key.write_bytes(whole[:50]), key.unlink, lambda: authority.write_text("")):
        spoil()
        Link(both.publisher.locations[0], LAYOUT, tls_end_of(both), 5.0).close()
    with pytest.raises(OSError, match=r"(?i)no such file|pem|key"):
        tls_end_from(certificates)


def tls_end_of(both) -> TlsEnd:
    return both.puller.links._tls


def tls_end_from(certificates) -> TlsEnd:
    names = ("inference-prefill.authority.pem", "inference-prefill.authority.key", "authority.pem")
    return TlsEnd(*(certificates / name for name in names), ("inference-decode",))


def test_the_next_location_is_tried_when_the_first_leads_nowhere(tmp_path, certificates) -> None:
    with ends(tmp_path, tls=tls_ends(certificates)) as both:
        ticket = both.published(claims(200), row(1))
        assert [each.kind for each in ticket.locations] == ["memfd", "tls"]
        (tmp_path / "kv").unlink()
        landing = row(None)
        assert both.puller.pull(ticket, landing).transport == "tls"
        assert content(landing, 0, 200) == content(row(1), 0, 200)


def test_shared_memory_is_preferred_on_one_host(tmp_path, certificates) -> None:
    with ends(tmp_path, tls=tls_ends(certificates)) as both:
        assert both.puller.pull(both.published(claims(200), row(1)), row(None)).transport == "memfd"
