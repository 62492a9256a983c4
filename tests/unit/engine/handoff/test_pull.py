"""Publishing and pulling, both ends in one process over a Unix socket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from engine.handoff.errors import PullFailed, Refused, TicketRefused
from engine.handoff.layout import Layout
from engine.handoff.ticket import Ticket

from tests.unit.engine.handoff.makers import KEYS, LAYOUT, MAX_LEN, claims, content, ends, row
from tests.unit.engine.handoff.waiting import until


@pytest.fixture
def both(tmp_path):
    with ends(tmp_path) as made:
        yield made


def failure(both, ticket, landing, *arguments) -> str:
    with pytest.raises(PullFailed) as caught:
        both.puller.pull(ticket, landing, *arguments)
    return caught.value.reason


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 128, 200, MAX_LEN])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_row_arrives_as_it_was_and_nothing_else_is_touched(tmp_path, count: int, dtype: str) -> None:
    layout = Layout(dtype, 2, 2, 8, 64, b"d" * 16)
    source, landing = row(1, layout), row(2, layout)
    behind = content(landing, count, MAX_LEN)
    with ends(tmp_path, layout=layout) as both:
        pulled = both.puller.pull(both.published(claims(count), source), landing)
        until(lambda: both.publisher.held() == [])
        assert both.publisher.arena.used_bytes == 0
    assert (pulled.size_bytes, pulled.pulls, pulled.transport, pulled.commit) == (count * layout.token_bytes, 1, "memfd", "COMMITTED")
    assert content(landing, 0, count) == content(source, 0, count)
    assert content(landing, count, MAX_LEN) == behind


@pytest.mark.parametrize("first_block", [0, 1, 3])
def test_only_the_tail_is_pulled_when_the_prefix_is_held(both, first_block: int) -> None:
    source, landing = row(1), row(2)
    prefix = content(landing, 0, first_block * 64)
    pulled = both.puller.pull(both.published(claims(200), source), landing, first_block)
    assert pulled.size_bytes == (200 - first_block * 64) * LAYOUT.token_bytes
    assert content(landing, 0, first_block * 64) == prefix
    assert content(landing, first_block * 64, 200) == content(source, first_block * 64, 200)


def test_only_the_tail_is_published_when_the_prefix_is_known_to_be_held(both) -> None:
    source, landing = row(1), row(None)
    ticket = both.published(claims(200, first_block=2), source)
    assert len(ticket.checksums) == 2
    assert both.publisher.arena.used_bytes == 2 * both.publisher.arena.stride_bytes
    assert failure(both, ticket, landing, 1) == "GAP"
    both.puller.pull(ticket, landing, 2)
    assert content(landing, 128, 200) == content(source, 128, 200)
    assert not any(content(landing, 0, 128))


def test_a_prompt_held_whole_leaves_nothing_to_pull(both) -> None:
    assert failure(both, both.published(claims(200), row()), row(None), 4) == "GAP"


def test_what_is_zeroed_is_what_is_given_out_again(both) -> None:
    ticket = both.published(claims(MAX_LEN), row(1))
    assert both.publisher.arena.content(0, 64).any()
    both.puller.pull(ticket, row(None))
    until(lambda: both.publisher.held() == [])
    assert not any(both.publisher.arena.content(block, 64).any() for block in range(16))


def test_a_ticket_is_used_once(both) -> None:
    ticket = both.published(claims(200), row(1))
    landing = row(None)
    both.puller.pull(ticket, landing)
    before = content(landing, 0, MAX_LEN)
    assert failure(both, ticket, landing) == "SPENT"
    assert content(landing, 0, MAX_LEN) == before


def test_a_ticket_of_another_layout_is_not_tried(both) -> None:
    ticket = both.published(claims(200), row(1))
    with ends_of_another_layout(both) as reason:
        assert reason(ticket) == "LAYOUT_MISMATCH"


def ends_of_another_layout(both):
    from contextlib import contextmanager

    from engine.handoff.puller import Puller

    @contextmanager
    def made():
        puller = Puller(Layout("float32", 2, 2, 8, 64, b"another layout!!"))
        try:
            yield lambda ticket: failure(type("", (), {"puller": puller}), ticket, row(None))
        finally:
            puller.links.close()

    return made()


def test_a_lower_epoch_is_fenced_where_a_higher_one_was_pulled(both) -> None:
    said = claims(200)
    first = both.published(said, row(1))
    second = both.published(claims(200, handoff_id=said.handoff_id, epoch=2), row(2))
    landing = row(None)
    both.puller.pull(second, landing)
    assert failure(both, first, row(None)) == "FENCED"
    assert content(landing, 0, 200) == content(row(2), 0, 200)


def test_reserving_more_than_there_is_refuses_admission(both) -> None:
    for _ in range(2):
        both.publisher.reserve(claims().handoff_id, 1, MAX_LEN)
    said = claims()
    with pytest.raises(Refused) as caught:
        both.publisher.reserve(said.handoff_id, 1, 1)
    assert caught.value.reason == "OVERLOADED"
    both.clock.now_s += 61.0
    both.publisher.sweep()
    both.publisher.reserve(said.handoff_id, 1, 1)  # an admission that was refused used nothing up


def test_an_id_is_not_reserved_twice_and_nothing_is_held_for_it(both) -> None:
    said = claims(200)
    both.published(said, row())
    used = both.publisher.arena.used_bytes
    with pytest.raises(Refused) as caught:
        both.publisher.reserve(said.handoff_id, 1, 200)
    assert caught.value.reason == "ID_REUSED"
    assert both.publisher.arena.used_bytes == used


@pytest.mark.parametrize(("count", "first_block"), [(0, 0), (64, 1), (64, -1)])
def test_nothing_to_publish_is_refused(both, count: int, first_block: int) -> None:
    with pytest.raises(Refused):
        both.publisher.reserve(claims().handoff_id, 1, count, first_block=first_block)
    assert both.publisher.held() == []


def test_claims_that_cannot_be_signed_leave_nothing_behind(both) -> None:
    said = claims(200, grade=9)
    with pytest.raises(TicketRefused):
        both.published(said, row())
    both.publisher.sweep()
    assert both.publisher.held() == []


def test_another_length_than_reserved_is_refused(both) -> None:
    said = claims(200)
    both.publisher.reserve(said.handoff_id, 1, 100)
    both.publisher.start(said.handoff_id, 1)
    with pytest.raises(Refused) as caught:
        both.publisher.publish(said, row())
    assert caught.value.reason == "GAP"
    both.publisher.sweep()
    assert both.publisher.held() == []


def test_a_cancelled_pull_lets_go_on_both_sides(both) -> None:
    ticket, landing, looks = both.published(claims(200), row(1)), row(None), iter([False, True])
    assert failure(both, ticket, landing, 0, lambda: next(looks, True)) == "CANCELLED"
    assert not any(content(landing, 0, MAX_LEN))
    assert both.puller.held() == []
    until(lambda: "readers" not in both.publisher.held()[0])
    both.publisher.abort(ticket.handoff_id, 1)
    assert both.publisher.held() == []


def test_a_hand_off_cancelled_by_the_publisher_fails_the_pull(both) -> None:
    ticket = both.published(claims(200), row(1))
    both.publisher.abort(ticket.handoff_id, 1)
    assert failure(both, ticket, row(None)) == "CANCELLED"


def test_an_expired_lease_is_told_and_its_bytes_are_gone(both) -> None:
    ticket = both.published(claims(200), row(1))
    both.clock.now_s += 30.0
    both.publisher.sweep()
    assert both.publisher.held() == []
    assert not both.publisher.arena.content(0, 64).any()
    assert failure(both, ticket, row(None)) == "LEASE_EXPIRED"


def test_a_heartbeat_before_the_pull_keeps_the_lease(both) -> None:
    ticket = both.published(claims(200), row(1))
    both.clock.now_s += 25.0
    both.puller.heartbeat(ticket)
    both.clock.now_s += 19.0
    assert both.puller.pull(ticket, row(None)).commit == "COMMITTED"


def test_a_wrong_access_token_is_as_good_as_none(both) -> None:
    import dataclasses

    ticket = both.published(claims(200), row(1))
    forged = dataclasses.replace(ticket, access_token=b"x" * 32)
    assert failure(both, forged, row(None)) == "UNKNOWN"
    assert both.puller.pull(ticket, row(None)).commit == "COMMITTED"


def test_connections_wait_for_the_next_pull_and_pruning_lets_dead_ones_go(both) -> None:
    for _ in range(3):
        both.puller.pull(both.published(claims(100), row(1)), row(None))
    (idle,) = both.puller.links._idle.values()
    assert len(idle) == 1
    both.puller.links.prune()
    assert len(both.puller.links._idle) == 1
    both.server.close()
    both.puller.links.prune()
    assert both.puller.links._idle == {}


@pytest.mark.parametrize("count", [1, 64, 200, 256])
@pytest.mark.parametrize("first_block", [0, 1])
def test_packing_ahead_gives_the_same_ticket_and_the_same_bytes(both, count: int, first_block: int) -> None:
    if first_block >= LAYOUT.blocks(count):
        return
    source, landing = row(1), row(None)
    said, again = claims(count, first_block=first_block), claims(count, first_block=first_block)
    both.publisher.reserve(said.handoff_id, 1, count, first_block=first_block)
    both.publisher.start(said.handoff_id, 1)
    for read in range(1, count, 37):
        both.publisher.pack_ahead(said.handoff_id, 1, source, read)
    signed, _ = both.publisher.publish(said, source)
    ticket = Ticket.verify(signed, KEYS)
    assert ticket.checksums == both.published(again, source).checksums
    both.puller.pull(ticket, landing, first_block)
    assert content(landing, first_block * 64, count) == content(source, first_block * 64, count)


def test_packing_ahead_packs_whole_blocks_once(both) -> None:
    source, said = row(1), claims(200)
    both.publisher.reserve(said.handoff_id, 1, 200)
    both.publisher.start(said.handoff_id, 1)
    both.publisher.pack_ahead(said.handoff_id, 1, source, 130)
    assert [both.publisher.arena.content(block, 64).any() for block in range(4)] == [True, True, False, False]
    for stripe in source.stripes:
        stripe[:, :128] = 0  # what was packed is not read again
    both.publisher.pack_ahead(said.handoff_id, 1, source, 128)
    landing = row(None)
    both.puller.pull(Ticket.verify(both.publisher.publish(said, source)[0], KEYS), landing)
    assert content(landing, 0, 128) == content(row(1), 0, 128)


def test_packing_ahead_for_nobody_is_refused_and_leaves_nothing(both) -> None:
    source, said = row(1), claims(200)
    both.publisher.reserve(said.handoff_id, 1, 200)
    with pytest.raises(Refused):
        both.publisher.pack_ahead(said.handoff_id, 1, source, 128)  # not begun
    both.publisher.start(said.handoff_id, 1)
    both.publisher.pack_ahead(said.handoff_id, 1, source, 128)
    both.publisher.abort(said.handoff_id, 1)
    with pytest.raises(Refused):
        both.publisher.pack_ahead(said.handoff_id, 1, source, 200)
    assert both.publisher.held() == []
    assert not both.publisher.arena.content(0, 64).any()


def test_the_ticket_is_all_that_is_needed(both) -> None:
    said = claims(200)
    both.publisher.reserve(said.handoff_id, 1, 200)
    both.publisher.start(said.handoff_id, 1)
    signed, timing = both.publisher.publish(said, row(1))
    assert timing.pack_s > 0
    landing = row(None)
    both.puller.pull(Ticket.verify(signed, KEYS), landing)
    assert content(landing, 0, 200) == content(row(1), 0, 200)


def test_publishing_waits_for_a_thread_that_packs_ahead(both) -> None:
    source, landing, said = row(1), row(None), claims(200)
    both.publisher.reserve(said.handoff_id, 1, 200)
    both.publisher.start(said.handoff_id, 1)
    held = both.publisher._held[said.handoff_id, 1]
    with ThreadPoolExecutor(3) as pool:
        with held.packing:
            ahead = [pool.submit(both.publisher.pack_ahead, said.handoff_id, 1, source, 150) for _ in range(2)]
            published = pool.submit(both.publisher.publish, said, source)
            assert not published.done()
        signed, _ = published.result(20)
        for each in ahead:
            with suppress(Refused):  # what comes behind the ticket is out of order
                each.result(20)
    both.puller.pull(Ticket.verify(signed, KEYS), landing)
    assert content(landing, 0, 200) == content(source, 0, 200)
