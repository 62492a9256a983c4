"""The thread that steps the engine, and the count of its turns by which others see that it lives.

Surprising: nothing restarts it. A step that raises is a bug or a broken device; the traceback goes to Triton's log, the count stands
still, and whoever watches ends the process with everything that it holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.llm.generation import Event

IDLE_S = 0.4
"""How long an idle turn takes at most: the count goes on at least twice a second."""


class Steps(Protocol):
    """The engine as its loop sees it."""

    def step(self) -> list[Event]:
        """Do what there is to do now; return what came of it."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Wait for something to do."""
        ...


class Loop:
    """``told`` is handed what came of each turn, on the loop's thread."""

    def __init__(self, engine: Steps, told: Callable[[Sequence[Event]], None]) -> None:
        self._engine, self._told = engine, told
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.turns = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the step that runs; give up waiting for it after ``timeout_s``."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            events = self._engine.step()
            self.turns += 1
            if events:
                self._told(events)
            else:
                self._engine.wait(IDLE_S)
