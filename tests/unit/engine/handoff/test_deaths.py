"""Either end dies or stops in the middle of a transfer, on one host and between two: kill -9 and SIGSTOP of real processes."""

from __future__ import annotations

import os
import signal

import pytest

from tests.unit.engine.handoff.makers import new_id
from tests.unit.engine.handoff.processes import PATIENCE_S, Peer, peers, publish, pull
from tests.unit.engine.handoff.waiting import until

BOTH = pytest.mark.parametrize("shared", [True, False], ids=["memfd", "tls"])


@pytest.fixture
def spawn():
    with peers() as made:
        yield made


def publisher(spawn, folder, shared: bool, *, stall_s: float = PATIENCE_S) -> Peer:
    return spawn(publish, folder, shared, stall_s)


def fresh() -> dict[str, str]:
    import time

    return {"handoff_id": new_id(int(time.time() * 1000))}


def middle(spawn, folder, shared: bool, signed: bytes, io_s: float = PATIENCE_S) -> Peer:
    """A puller that holds still in the middle of its transfer."""
    puller = spawn(pull, folder, signed, shared, True, io_s)
    assert puller.hear() == "middle"
    return puller


@BOTH
def test_nobody_dies(spawn, tmp_path, shared: bool) -> None:
    p = publisher(spawn, tmp_path, shared)
    d = middle(spawn, tmp_path, shared, p.ask("publish", 1, fresh()))
    assert d.ask("go on") == ("COMMITTED", 1, True, False)
    until(lambda: p.ask("held") == [])
    assert p.ask("used") == (0, 0)


def test_the_publisher_dies_and_what_was_mapped_is_still_pulled(spawn, tmp_path) -> None:
    p = publisher(spawn, tmp_path, True)
    d = middle(spawn, tmp_path, True, p.ask("publish", 1, fresh()))
    p.kill()
    assert d.ask("go on") == ("PEER_GONE", 1, True, False)


def test_the_publisher_dies_and_nothing_is_left_of_what_was_streamed(spawn, tmp_path) -> None:
    p = publisher(spawn, tmp_path, False)
    d = middle(spawn, tmp_path, False, p.ask("publish", 1, fresh()))
    p.kill()
    assert d.ask("go on") == ("PEER_GONE", 0, False, True)


def test_another_publisher_in_its_place_is_not_taken_for_it(spawn, tmp_path) -> None:
    p = publisher(spawn, tmp_path, True)
    signed = p.ask("publish", 1, fresh())
    p.kill()
    again = publisher(spawn, tmp_path, True)
    assert again.ask("held") == []
    d = spawn(pull, tmp_path, signed, True, False)
    assert d.hear() == ("PEER_GONE", 0, False, True)


@BOTH
def test_the_puller_dies_and_the_ticket_goes_to_another(spawn, tmp_path, shared: bool) -> None:
    p = publisher(spawn, tmp_path, shared)
    signed = p.ask("publish", 1, fresh())
    d = middle(spawn, tmp_path, shared, signed)
    assert "readers [1]" in p.ask("held")[0]
    d.kill()
    until(lambda: "readers" not in p.ask("held")[0])
    other = spawn(pull, tmp_path, signed, shared, False)
    assert other.hear() == ("COMMITTED", 1, True, False)
    until(lambda: p.ask("held") == [])
    assert p.ask("used") == (0, 0)


@BOTH
def test_the_puller_dies_and_the_lease_is_the_backstop(spawn, tmp_path, shared: bool) -> None:
    p = publisher(spawn, tmp_path, shared)
    signed = p.ask("publish", 1, fresh())
    middle(spawn, tmp_path, shared, signed).kill()
    p.ask("pass", 31.0)
    until(lambda: p.ask("held") == [])
    assert p.ask("used") == (0, 0)
    assert spawn(pull, tmp_path, signed, shared, False).hear() == ("LEASE_EXPIRED", 0, False, True)


def test_a_stopped_puller_that_mapped_the_arena_keeps_its_bytes_until_it_dies(spawn, tmp_path) -> None:
    p = publisher(spawn, tmp_path, True, stall_s=1.0)
    d = middle(spawn, tmp_path, True, p.ask("publish", 1, fresh()))
    os.kill(d.pid, signal.SIGSTOP)
    p.ask("pass", 31.0)
    until(lambda: p.ask("stalled") == 1)
    until(lambda: "EXPIRED" in p.ask("held")[0])
    assert p.ask("used")[1] == 8
    d.kill()
    until(lambda: p.ask("held") == [])
    assert p.ask("used") == (0, 0)


def test_a_stopped_puller_on_another_host_is_cut_off(spawn, tmp_path) -> None:
    p = publisher(spawn, tmp_path, False, stall_s=2.0)
    d = middle(spawn, tmp_path, False, p.ask("publish", 1, fresh()))
    os.kill(d.pid, signal.SIGSTOP)
    p.ask("pass", 31.0)
    until(lambda: p.ask("held") == [])
    assert (p.ask("used"), p.ask("stalled")) == ((0, 0), 1)
    os.kill(d.pid, signal.SIGCONT)
    assert d.ask("go on") == ("LEASE_EXPIRED", 0, False, True)


def test_a_late_puller_whose_lease_ran_out_goes_on_with_what_it_verified(spawn, tmp_path) -> None:
    """It mapped the bytes, nobody else was granted them, and they are its own until it says so."""
    p = publisher(spawn, tmp_path, True)
    d = middle(spawn, tmp_path, True, p.ask("publish", 1, fresh()))
    p.ask("pass", 31.0)
    until(lambda: "EXPIRED" in p.ask("held")[0])
    assert d.ask("go on") == ("EXPIRED", 1, True, False)
    until(lambda: p.ask("held") == [])
    assert p.ask("used") == (0, 0)


def test_a_stopped_publisher_is_as_good_as_gone(spawn, tmp_path) -> None:
    p = publisher(spawn, tmp_path, True)
    d = middle(spawn, tmp_path, True, p.ask("publish", 1, fresh()), 2.0)
    os.kill(p.pid, signal.SIGSTOP)
    assert d.ask("go on") == ("PEER_GONE", 1, True, False)


def test_a_stopped_publisher_on_another_host_is_not_waited_for(spawn, tmp_path) -> None:
    p = publisher(spawn, tmp_path, False)
    d = middle(spawn, tmp_path, False, p.ask("publish", 1, fresh()), 2.0)
    os.kill(p.pid, signal.SIGSTOP)
    assert d.ask("go on") == ("STALLED", 0, False, True)


@BOTH
def test_who_is_overtaken_in_the_middle_does_not_go_on(spawn, tmp_path, shared: bool) -> None:
    p = publisher(spawn, tmp_path, shared)
    signed = p.ask("publish", 1, fresh())
    slow = middle(spawn, tmp_path, shared, signed)
    assert spawn(pull, tmp_path, signed, shared, False).hear() == ("COMMITTED", 1, True, False)
    assert slow.ask("go on") == ("FENCED", 0, False, True)
    until(lambda: p.ask("held") == [])
    assert p.ask("used") == (0, 0)


@BOTH
def test_a_higher_epoch_stops_the_lower_in_the_middle(spawn, tmp_path, shared: bool) -> None:
    p = publisher(spawn, tmp_path, shared)
    said = fresh()
    d = middle(spawn, tmp_path, shared, p.ask("publish", 1, said))
    second = p.ask("publish", 1, said | {"epoch": 2})
    assert d.ask("go on") == ("FENCED", 0, False, True)
    assert spawn(pull, tmp_path, second, shared, False).hear() == ("COMMITTED", 1, True, False)
    until(lambda: p.ask("held") == [])
    assert p.ask("used") == (0, 0)
