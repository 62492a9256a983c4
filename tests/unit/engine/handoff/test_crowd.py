"""Many hand-offs at once, with everything that can happen to one: each row is right or zero, and in the end nothing is held.

The crowd has a process of its own: what others in this one open and close meanwhile is no leak.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from engine.handoff.errors import PullFailed, Refused
from engine.handoff.ticket import Ticket

from tests.unit.engine.handoff.certificates import tls_ends
from tests.unit.engine.handoff.makers import KEYS, MAX_LEN, Ends, claims, content, ends, row
from tests.unit.engine.handoff.processes import peers
from tests.unit.engine.handoff.waiting import until

SOURCES = [row(seed) for seed in range(4)]
ROUNDS, CALLERS = 60, 6


def descriptors() -> set[str]:
    """What is open, each with its number; the folder that is read for this is gone by the time its name is asked for."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(f"{each.name}: {each.readlink()}")
    return found


@dataclass
class Crowd:
    """What came of a crowd. ``more``: descriptors that were not there before."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    used_bytes: int = -1
    written_blocks: int = -1
    more: set[str] = field(default_factory=set)


def crowd(pipe: Connection, folder: Path, shared: bool) -> None:
    """Say what came of a crowd of callers, after both ends were closed."""
    tls = None if shared else tls_ends(folder / "certificates")
    found, before = Crowd(), descriptors()
    with ends(folder, shared=shared, tls=tls) as both:
        _all_at_once(both, found)
        found.held = both.puller.held()
        found.used_bytes = both.publisher.arena.used_bytes
        found.written_blocks = sum(bool(both.publisher.arena.content(block, 64).any()) for block in range(16))
    with suppress(AssertionError):  # what stays is told below
        until(lambda: descriptors() <= before)
    found.more = descriptors() - before
    pipe.send(found)


def _all_at_once(both: Ends, found: Crowd) -> None:
    def caller(number: int) -> None:
        dice = random.Random(number)
        for _ in range(ROUNDS):
            try:
                found.outcomes[_one(both, found.wrong, dice)] += 1
            except Refused as refused:
                found.outcomes[refused.reason] += 1

    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(0.002):
            both.publisher.sweep()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(caller, range(CALLERS)))
        both.clock.now_s += 400.0
        until(lambda: both.publisher.held() == [])
    finally:
        ended.set()
        sweeper.join()


def _one(both: Ends, wrong: list[str], dice: random.Random) -> str:
    seed, count = dice.randrange(4), dice.randint(1, 300)
    said, landing, publisher = claims(count), row(None), both.publisher
    publisher.reserve(said.handoff_id, 1, count)
    publisher.start(said.handoff_id, 1)
    what = dice.random()
    if what < 0.1:
        publisher.abort(said.handoff_id, 1)
    ticket = Ticket.verify(publisher.publish(said, SOURCES[seed])[0], KEYS)
    if what < 0.2:
        with publisher.lock:
            publisher.machine.live()[said.handoff_id, 1].until_s = 0.0
    looks = iter(range(10))

    def cancelled() -> bool:
        look = next(looks)
        if 0.2 < what < 0.3 and look == 1:
            publisher.abort(said.handoff_id, 1)
        if 0.3 < what < 0.4 and look == 1:
            publisher.reserve(said.handoff_id, 2, 1)
        return 0.4 < what < 0.5 and look == 1

    try:
        return both.puller.pull(ticket, landing, cancelled=cancelled).commit
    except PullFailed as failed:
        if any(content(landing, 0, MAX_LEN)):
            wrong.append(f"{failed.reason} left something")
        return failed.reason
    finally:
        publisher.abort(said.handoff_id, 2)  # as the router does, when one half failed
        right = content(landing, 0, count) == content(SOURCES[seed], 0, count)
        if any(content(landing, 0, MAX_LEN)) and not right:
            wrong.append("a row is neither right nor empty")


@pytest.mark.parametrize("shared", [True, False], ids=["memfd", "tls"])
def test_nothing_is_wrong_and_nothing_is_left(tmp_path, shared: bool) -> None:
    with peers() as spawn:
        found = spawn(crowd, tmp_path, shared).hear()
    assert found.wrong == []
    assert found.held == []
    assert found.used_bytes == 0
    assert found.written_blocks == 0
    assert found.outcomes["COMMITTED"] > 50  # of 720; how many depends on who overtakes whom
    assert {"CANCELLED", "FENCED", "LEASE_EXPIRED"} <= found.outcomes.keys()
    assert found.more == set()
