"""All workers that are known, kept from their own news, and the choice among them.

Workers of one leg that serve one model share a fleet and a prefix index, whose slots are the same: one that generates stands among those
that decode, and is never fit for a ticket. Whatever might let somebody who waits go on calls ``changed``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from meshkit.breaker import CircuitBreaker, State
from meshkit.clock import Clock

from router.domain.attempts import Attempts
from router.domain.cost import DEFAULT, Weights, choose
from router.domain.fleet import Bools, Fleet, Load, Prediction, Role, Worker
from router.domain.generation import Choice
from router.domain.prefix_index import PrefixIndex, Taken

_MAX_PAIRS = 10_000
_logger = logging.getLogger(__name__)


class Nobody(Enum):
    """Why nobody was chosen."""

    FULL = "full"
    """Some could, and have no room."""
    ISOLATED = "isolated"
    """Some could, but all that could are isolated."""
    ABSENT = "absent"
    """None lives that could."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a request asks of a worker. ``tokens``: prompt and answer together; ``layout``: keys and values must have it, if it is set."""

    model_digest: bytes
    block_ids: tuple[bytes, ...]
    tokens: int
    grade: int
    rows: int
    layout: bytes = b""


@dataclass(frozen=True, slots=True)
class Seen:
    """A worker, its last word and how old that is, and the address of the service in front of it."""

    worker: Worker
    load: Load
    age_s: float
    service: str


@dataclass(slots=True)
class _Group:
    fleet: Fleet
    index: PrefixIndex = field(default_factory=PrefixIndex)


def key_of(worker: Worker) -> str:
    """Return the worker's name with its incarnation: what is excluded when it fails."""
    return f"{worker.name}@{worker.incarnation}"


def _name_of(key: str) -> str:
    return key.rpartition("@")[0]


class Pool:
    """Belongs to one event loop. ``waiting``: how many requests may wait at a prefill worker; ``open_s``: the pause of a breaker."""

    def __init__(self, clock: Clock, weights: Weights = DEFAULT, *, waiting: int = 32, open_s: float = 2.0) -> None:
        self._clock = clock
        self._weights = weights
        self._waiting = waiting
        self._open_s = open_s
        self._groups: dict[tuple[Role, bytes], _Group] = {}
        self._where: dict[str, tuple[_Group, str]] = {}  # worker -> its group, and the address of its service
        self._breakers: dict[str, CircuitBreaker] = {}
        self._tripped: set[str] = set()  # keys of breakers that may not be closed
        self._pairs: set[tuple[str, str]] = set()
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called whenever somebody who waits may look again."""
        self._listeners.append(listener)

    def changed(self) -> None:
        """Tell those who wait."""
        for listener in self._listeners:
            listener()

    # What workers tell

    def described(self, service: str, worker: Worker) -> None:
        """Take what a worker is; a new incarnation begins with nothing."""
        known = self.worker(worker.name)
        if known is not None and (known.role, known.model_digest) != (worker.role, worker.model_digest):
            self.gone(worker.name)
        group_key = worker.role.leg, worker.model_digest
        if group_key not in self._groups:
            self._groups[group_key] = _Group(Fleet(self._waiting if worker.role is Role.PREFILL else 0))
        group = self._groups[group_key]
        slot = group.fleet.join(worker)
        if group.index.next_seq(slot, worker.incarnation) is None:
            group.index.begin(slot, worker.incarnation, 1)
            self._forgive(worker.name)
        self._where[worker.name] = group, service

    def loaded(self, name: str, incarnation: str, load: Load) -> None:
        """Take a worker's word."""
        worker = self.worker(name)
        if worker is not None and worker.incarnation == incarnation:
            self._where[name][0].fleet.report(name, load, self._clock.monotonic_s())
            self.changed()

    def blocks(
        self, name: str, incarnation: str, seq: int, stored: Iterable[tuple[bytes, int]], removed: Iterable[bytes], cleared: bool
    ) -> bool:
        """Take what came into or left a prefix store; returns False when numbers are missing before it."""
        if (known := self._where.get(name)) is None or (slot := known[0].fleet.slot(name)) is None:
            return False
        return known[0].index.apply(slot, incarnation, seq, stored, removed, cleared) is not Taken.GAP

    def gone(self, name: str) -> None:
        """Forget a worker."""
        if (known := self._where.pop(name, None)) is not None and (slot := known[0].fleet.leave(name)) is not None:
            known[0].index.leave(slot)
        self._forgive(name)

    def lost(self, service: str) -> None:
        """Note that a service is not heard of: its workers get nothing until they report again."""
        for name, (group, where) in self._where.items():
            if where == service:
                group.fleet.lost(name)

    def positions(self, service: str) -> list[tuple[str, str, int]]:
        """Return (worker, incarnation, number of the last event taken) of a service's workers."""
        found = []
        for name, (group, where) in self._where.items():
            worker, slot = group.fleet.worker(name), group.fleet.slot(name)
            if where == service and worker is not None and slot is not None:
                found.append((name, worker.incarnation, (group.index.next_seq(slot, worker.incarnation) or 1) - 1))
        return found

    def _forgive(self, name: str) -> None:
        """Drop what was held against former incarnations."""
        for key in [key for key in self._breakers if _name_of(key) == name]:
            del self._breakers[key]
            self._tripped.discard(key)
        self._pairs = {pair for pair in self._pairs if not any(_name_of(key) == name for key in pair)}

    # What is known

    def worker(self, name: str) -> Worker | None:
        """Return what a worker is."""
        return known[0].fleet.worker(name) if (known := self._where.get(name)) else None

    def load(self, name: str) -> Load:
        """Return a worker's last word."""
        return (known[0].fleet.load(name) if (known := self._where.get(name)) else None) or Load()

    def all(self) -> list[Seen]:
        """Return every worker, by name."""
        now_s = self._clock.monotonic_s()
        found = []
        for name, (group, service) in sorted(self._where.items()):
            if (worker := group.fleet.worker(name)) is not None:
                found.append(Seen(worker, group.fleet.load(name) or Load(is_ready=False), group.fleet.age_s(name, now_s), service))
        return found

    def lives(self, role: Role, model_digest: bytes) -> bool:
        """Whether a worker of this role and model lives."""
        group = self._groups.get((role, model_digest))
        return group is not None and bool(group.fleet.fit(self._clock.monotonic_s()).any())

    def can_answer(self, role: Role, model_digest: bytes) -> bool:
        """Whether one lives that is not isolated."""
        group = self._groups.get((role, model_digest))
        return group is not None and bool((group.fleet.fit(self._clock.monotonic_s()) & ~group.fleet.isolated()).any())

    def is_known(self, role: Role, model_digest: bytes) -> bool:
        """Whether there is a worker, alive or not: one that is silent may be starting again."""
        group = self._groups.get((role, model_digest))
        return group is not None and any(True for _ in group.fleet)

    def longest(self, model_digest: bytes) -> int:
        """Return the tokens that the longest row of a decode worker of this model holds; 0 when none is known."""
        group = self._groups.get((Role.DECODE, model_digest))
        return max((worker.max_len_tokens for worker in group.fleet), default=0) if group else 0

    # Choice

    def pick(self, role: Role, need: Need, attempts: Attempts, *, partner: str = "") -> Choice | Nobody:
        """Return the cheapest worker that may be used; avoided ones only when there is no other.

        ``partner``: for a prefill worker, the decode worker (with its incarnation) that its keys and values would go to.
        """
        group = self._groups.get((role, need.model_digest))
        if group is None:
            return Nobody.ABSENT
        fleet, now_s = group.fleet, self._clock.monotonic_s()
        fit = fleet.fit(now_s, tokens=need.tokens, grade=need.grade, layout=need.layout)
        fit = self._without(fleet, fit, attempts.excluded | self._held_back() | self._unfit(attempts, partner))
        if not fit.any():
            return Nobody.ABSENT
        usable = fleet.without_slow(fit) & fleet.has_room(need.rows)
        if attempts.avoided and (others := self._without(fleet, usable, attempts.avoided)).any():
            usable = others
        cached = group.index.cached(need.block_ids, fleet.slots)
        choice = choose(fleet, cached, len(need.block_ids), usable, now_s, self._weights)
        return choice or (Nobody.FULL if (fit & ~fleet.isolated()).any() else Nobody.ISOLATED)

    def _unfit(self, attempts: Attempts, partner: str) -> frozenset[str]:
        return frozenset(prefill for prefill, decode in self._pairs | attempts.excluded_pairs if decode == partner)

    def _held_back(self) -> frozenset[str]:
        self._tripped = {key for key in self._tripped if self._breakers[key].state is not State.CLOSED}
        return frozenset(key for key in self._tripped if self._breakers[key].state is State.OPEN)

    @staticmethod
    def _without(fleet: Fleet, usable: Bools, keys: frozenset[str]) -> Bools:
        """Take workers out that still have the incarnation they are named with."""
        if not keys:
            return usable
        left = np.array(usable)
        for key in keys:
            worker, slot = fleet.worker(_name_of(key)), fleet.slot(_name_of(key))
            if worker is not None and slot is not None and key_of(worker) == key:
                left[slot] = False
        return left

    # What became of requests

    def predict(self, name: str, blocks: float, rows: int) -> Prediction | None:
        """Note a request that is on its way to a worker; None when the worker has just gone."""
        known = self._where.get(name)
        return known[0].fleet.predict(name, blocks, rows, self._clock.monotonic_s()) if known else None

    def taken(self, prediction: Prediction | None) -> None:
        """Note that the worker has it."""
        if prediction is not None:
            prediction.settled_s = self._clock.monotonic_s()

    def ended(self, prediction: Prediction | None) -> None:
        """Note that it is over, or came to nothing."""
        if prediction is not None and (known := self._where.get(prediction.worker)) is not None:
            known[0].fleet.ended(prediction, self._clock.monotonic_s())
            self.changed()

    def refused(self, prediction: Prediction | None) -> None:
        """Note that a worker had no room for it."""
        if prediction is not None and (known := self._where.get(prediction.worker)) is not None:
            known[0].fleet.refused(prediction, self._clock.monotonic_s())

    def breaker(self, worker: Worker) -> CircuitBreaker:
        """Return the breaker of a worker, which has one role: the other leg, and other workers, have their own."""
        key = key_of(worker)
        self._tripped.add(key)
        return self._breakers.setdefault(key, CircuitBreaker(open_s=self._open_s, clock=self._clock))

    def unfit_pair(self, prefill: str, decode: str) -> None:
        """Never again have this pair (named with incarnations) hand over: their layouts differ. An operator has to look."""
        if len(self._pairs) < _MAX_PAIRS:
            self._pairs.add((prefill, decode))
        _logger.error("layouts of two workers differ", extra={"facts": {"prefill": prefill, "decode": decode}})
