"""The one thread that runs an encoder, and the door to it.

Surprising: a run that fails is failed for its requests alone; whatever else waits is run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from engine.encoder.waiting import Row, Waiting, Work

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
RUN_PIECES = 256
MOST_WAITING_PIECES = 65_536


class BusyError(Exception):
    """Too much waits; whoever asks again later may be let in."""


class Loop:
    """``encode``: rows of ids to vectors, (n, dimension)."""

    def __init__(
        self, encode: Callable[[list[I64]], F32], *, run_pieces: int = RUN_PIECES, most_waiting_pieces: int = MOST_WAITING_PIECES
    ) -> None:
        self._encode, self._run_pieces, self._most_waiting = encode, run_pieces, most_waiting_pieces
        self._waiting = Waiting()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="encoder", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> None:
        """Queue a request of at least one row. Raises BusyError, or when it is closed."""
        with self._changed:
            if self._is_closed or (self._waiting.pieces and self._waiting.pieces + work.pieces > self._most_waiting):
                raise BusyError("too much waits for the encoder")
            self._waiting.add(work)
            self._changed.notify()

    def close(self) -> None:
        """End; what waits is failed."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()
        for work in self._waiting.everything():
            work.answer(BusyError("the encoder ends"))

    def _work(self) -> None:
        while run := self._next():
            try:
                vectors = self._encode([row.ids for row in run])
            except Exception as error:
                self._fail(run, error)
            else:
                _hand_out(run, vectors)

    def _next(self) -> list[Row]:
        """The next run; empty when it is closed."""
        with self._changed:
            while not self._is_closed:
                if run := self._waiting.next_run(self._run_pieces):
                    return run
                self._changed.wait()
        return []

    def _fail(self, run: list[Row], error: Exception) -> None:
        for work in dict.fromkeys(row.work for row in run):
            with self._changed:
                self._waiting.drop(work)
            work.answer(error)


def _hand_out(run: list[Row], vectors: F32) -> None:
    for row, vector in zip(run, vectors, strict=True):
        row.work.vectors[row.at] = vector
        row.work.left -= 1
        if not row.work.left:
            row.work.answer(np.stack([each for each in row.work.vectors if each is not None]))
