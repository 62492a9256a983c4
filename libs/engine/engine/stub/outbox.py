"""What leaves the stub: answers to operations, and the events of each owner. One thread packs and sends all of it.

Surprising:

- Sending a response takes Triton's backend 0.2 ms; the loop hands over plain values and goes on with its next step.
- What waits for an owner is sent as one response, so a service that reads late gets fewer and larger ones. More than `MOST_WAITING`
  values and the owner is given up: it does not read.
- An owner whose connection is gone is found at a send, one that says nothing for `SILENT_S` by the clock. Both are told to ``lost``,
  once, from this thread; its long inference is ended here, since Triton waits for it."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from engine.stub.pack import Item, pack

SILENT_S = 5.0
MOST_WAITING = 65_536
_LOOK_S = 0.5


class Answer(Protocol):
    """One inference of Triton, to be answered."""

    @property
    def is_cancelled(self) -> bool:
        """Whether whoever asked is gone."""
        ...

    def send(self, content: bytes, *, is_last: bool = False) -> None:
        """Send a response."""
        ...

    def end(self) -> None:
        """Say that no more comes."""
        ...


@dataclass(slots=True, eq=False)
class Owner:
    """A service's connection, from `events` to its end. ``heard_s``: when it last said something. ``leaving``: why it ends."""

    name: str
    events: Answer
    heard_s: float
    waiting: list[Item] = field(default_factory=list)
    leaving: str = ""


class Outbox:
    """Thread-safe. ``head``: incarnation and turn of the loop, for each response."""

    def __init__(
        self, head: Callable[[], tuple[str, int]], lost: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._head, self._lost, self._clock = head, lost, clock
        self._owners: dict[str, Owner] = {}
        self._answers: list[tuple[Answer, bytes]] = []
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def join(self, name: str, events: Answer) -> None:
        """Begin to tell an owner. Raises ValueError for a name that is told already: names are drawn."""
        with self._changed:
            if name in self._owners:
                raise ValueError(f"owner {name} has its events already")
            self._owners[name] = Owner(name, events, self._clock())

    def heard(self, name: str) -> bool:
        """Note that an owner lives; False when it is not known (any more)."""
        with self._changed:
            owner = self._owners.get(name)
            if owner is not None:
                owner.heard_s = self._clock()
            return owner is not None

    def leave(self, name: str, reason: str) -> None:
        """Tell an owner what waits for it, then no more. Harmless when it is not known."""
        with self._changed:
            owner = self._owners.get(name)
            if owner is not None:
                owner.leaving = owner.leaving or reason
                self._changed.notify()

    def answer(self, answer: Answer, content: bytes) -> None:
        """Send the one response of an operation."""
        with self._changed:
            self._answers.append((answer, content))
            self._changed.notify()

    def put(self, name: str, item: Item) -> None:
        """Tell one owner; nobody when it is not known."""
        with self._changed:
            owner = self._owners.get(name)
            if owner is not None:
                owner.waiting.append(item)
                self._changed.notify()

    def put_all(self, items: list[Item]) -> None:
        """Tell every owner."""
        with self._changed:
            for owner in self._owners.values():
                owner.waiting += items
            self._changed.notify()

    def owners(self) -> list[str]:
        """Return who is told."""
        with self._changed:
            return list(self._owners)

    def close(self) -> None:
        """End every owner and the thread, when what waits is sent."""
        for name in self.owners():
            self.leave(name, "ENGINE_STOPPING")
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        look_s = self._clock() + _LOOK_S
        while True:
            with self._changed:
                if not (self._closing or self._answers or self._ready()):
                    self._changed.wait(max(0.0, look_s - self._clock()))
                answers, self._answers = self._answers, []
                ready, closing = self._ready(), self._closing
            for answer, content in answers:
                _sent(answer, content, is_last=True)
            for owner in ready:
                self._send(owner)
            if closing and not answers and not ready:
                return
            if self._clock() >= look_s:
                look_s = self._clock() + _LOOK_S
                self._look()

    def _ready(self) -> list[Owner]:
        return [owner for owner in self._owners.values() if owner.waiting or owner.leaving]

    def _send(self, owner: Owner) -> None:
        with self._changed:
            items, owner.waiting = owner.waiting, []
        failed = "OWNER_TOO_SLOW" if len(items) > MOST_WAITING else ""
        if owner.events.is_cancelled:
            failed = "OWNER_GONE"
        elif items and not failed:
            incarnation, turn = self._head()
            failed = "" if _sent(owner.events, pack(incarnation, turn, items), is_last=False) else "OWNER_GONE"
        with self._changed:
            owner.leaving = owner.leaving or failed
            is_over = bool(owner.leaving) and (bool(failed) or not owner.waiting)  # else what came meanwhile goes out first
            if is_over:
                del self._owners[owner.name]
        if is_over:
            self._lost(owner.name, owner.leaving)
            with suppress(Exception):  # whoever asked is gone, and Triton knows
                owner.events.end()

    def _look(self) -> None:
        """Find who is gone."""
        now = self._clock()
        with self._changed:
            owners = list(self._owners.values())
        for owner in owners:
            if owner.events.is_cancelled:
                self.leave(owner.name, "OWNER_GONE")
            elif now - owner.heard_s >= SILENT_S:
                self.leave(owner.name, "OWNER_SILENT")


def _sent(answer: Answer, content: bytes, *, is_last: bool) -> bool:
    """Send; False when Triton does not take it, which is the end of this answer and of no other."""
    try:
        answer.send(content, is_last=is_last)
    except Exception as error:
        traceback.print_exception(error)
        return False
    return True
