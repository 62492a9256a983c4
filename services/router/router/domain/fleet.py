"""The workers of one leg that serve one model, and what they carry, as arrays by slot.

Load is the worker's own word, which several routers read. This router adds what it sent since that word was given (predictions, exact) and,
for a moment, what it chose lately (recent, decayed), so that requests that come together do not all see the same idle worker. A worker that
said nothing for ``STALE_S`` counts as saturated. Times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

STALE_S = 3.0
WORD_AGE_S = 0.05
"""How old a worker's word may be when it arrives: what ended since may still be in it."""
RECENT_TAU_S = 1.0
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Role(Enum):
    """What a worker does."""

    PREFILL = "prefill"
    DECODE = "decode"
    GENERATE = "generate"
    """Writes answers to prompts that it reads itself; takes no ticket."""

    @property
    def leg(self) -> Role:
        """Return the leg of a generation that it does."""
        return Role.DECODE if self is Role.GENERATE else self


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker is: constant for one incarnation. ``price``: of its time, 0 when unknown; ``rows``: what it can hold."""

    name: str
    incarnation: str
    role: Role
    model: str
    model_digest: bytes
    layout_digest: bytes
    rows: int
    max_len_tokens: int
    highest_grade: int = 5
    price: float = 0.0
    token_bytes: int = 0
    accelerator: str = ""
    kind: str = ""  # what is spoken with it: "triton", "vllm", "openai", "oip", "openvino"
    takes_text: bool = False  # it takes prompts as text alone
    told: bytes = b""
    """All that it said of itself, as it said it: for whoever lists workers."""

    @property
    def begins_at_decode(self) -> bool:
        """Whether a prompt that is read here yields no token: vLLM's decode side computes the first one again, and its ticket is for one
        decode worker alone.
        """
        return self.kind == "vllm"


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker says of itself. ``blocks``: what its rows hold and what it has still to read, in blocks."""

    blocks: float = 0.0
    queue: int = 0
    rows_used: int = 0
    tokens_per_s: float = 0.0
    """Prompt tokens a second while it read prompts, measured; 0: not known yet."""
    step_ms: float = 0.0
    is_ready: bool = True
    is_isolated: bool = False
    is_wrong: bool = False
    """Isolated: its service holds everything back from it, dead, hung or wrong as it is."""
    is_on_probation: bool = False
    """It was sick: one request at a time."""
    is_slow: bool = False
    """It is isolated for being slow: for those who have no other."""
    told: bytes = b""  # all that it said, as it said it


class Prediction:
    """What one routed request adds to a worker (or, when it has ended, takes away), until the worker's own word has it in."""

    __slots__ = ("blocks", "incarnation", "rows", "settled_s", "worker")

    def __init__(self, worker: str, incarnation: str, blocks: float, rows: int, settled_s: float | None = None) -> None:
        self.worker = worker
        self.incarnation = incarnation
        self.blocks = blocks
        self.rows = rows
        self.settled_s = settled_s  # when the worker took it; a word after that has it in


class Fleet:
    """``waiting``: how many requests may wait at a worker beside those in its rows. Slots of workers that left are given out again."""

    def __init__(self, waiting: int = 0) -> None:
        self._waiting = waiting
        self._names: list[str | None] = []
        self._workers: dict[str, tuple[int, Worker]] = {}
        self._loads: dict[str, Load] = {}
        self._predictions: dict[str, list[Prediction]] = {}
        self._recent_s = 0.0
        self._numbers = np.zeros((_ROWS, 0), np.float64)
        self._scale = np.ones(0, np.float64)
        self._layouts: dict[bytes, int] = {}

    @property
    def slots(self) -> int:
        """Return how many slots there are, empty ones included."""
        return len(self._names)

    def __iter__(self) -> Iterator[Worker]:
        """Iterate over the workers that are here."""
        return iter([worker for _, worker in self._workers.values()])

    def slot(self, name: str) -> int | None:
        """Return the slot of a worker, None when it is not here."""
        return known[0] if (known := self._workers.get(name)) else None

    def name(self, slot: int) -> str:
        """Return the worker of a taken slot."""
        return self._names[slot] or ""

    def worker(self, name: str) -> Worker | None:
        """Return what a worker is."""
        return known[1] if (known := self._workers.get(name)) else None

    def load(self, name: str) -> Load | None:
        """Return a worker's last word, None before its first."""
        return self._loads.get(name)

    def age_s(self, name: str, now_s: float) -> float:
        """Return how old its last word is; infinite before its first."""
        return now_s - float(self._numbers[_REPORTED_S, self._workers[name][0]])

    def join(self, worker: Worker) -> int:
        """Return a worker's slot. A new incarnation carries nothing; until it reports it is stale."""
        known = self._workers.get(worker.name)
        if known is not None and known[1].incarnation == worker.incarnation:
            return known[0]
        slot = known[0] if known is not None else next((at for at, name in enumerate(self._names) if name is None), len(self._names))
        if slot == len(self._names):
            self._names.append(None)
            self._numbers = np.concatenate((self._numbers, np.zeros((_ROWS, 1))), axis=1)
        self._names[slot] = worker.name
        self._workers[worker.name] = slot, worker
        self._forget(slot, worker.name)
        self._numbers[_MAX_LEN, slot], self._numbers[_GRADE, slot] = worker.max_len_tokens, worker.highest_grade
        self._numbers[_PRICE, slot] = worker.price
        self._numbers[_LAYOUT, slot] = self._layouts.setdefault(worker.layout_digest, len(self._layouts))
        self._rescale()
        return slot

    def leave(self, name: str) -> int | None:
        """Give up a worker's slot and return it."""
        known = self._workers.pop(name, None)
        if known is None:
            return None
        self._names[known[0]] = None
        self._forget(known[0], name)
        self._rescale()
        return known[0]

    def _forget(self, slot: int, name: str) -> None:
        self._predictions.pop(name, None)
        self._loads.pop(name, None)
        self._numbers[:, slot] = 0.0
        self._numbers[_REPORTED_S, slot] = -math.inf

    def report(self, name: str, load: Load, now_s: float) -> None:
        """Take a worker's word. Predictions that it took before are in it."""
        if (known := self._workers.get(name)) is None:
            return
        slot, worker = known
        self._loads[name] = load
        left = [each for each in self._predictions.get(name, ()) if each.settled_s is None or each.settled_s >= now_s]
        self._predictions[name] = left
        numbers = self._numbers
        is_faster = load.tokens_per_s != numbers[_SPEED, slot]
        numbers[_BLOCKS, slot], numbers[_QUEUE, slot], numbers[_REPORTED_S, slot] = load.blocks, load.queue, now_s
        numbers[_ROOM, slot] = self._room(worker, load)
        numbers[_TAKES, slot], numbers[_SLOW, slot] = load.is_ready, load.is_slow
        numbers[_PREDICTED, slot] = sum(each.blocks for each in left)
        numbers[_SENT, slot] = sum(each.rows for each in left)
        numbers[_SPEED, slot] = load.tokens_per_s
        numbers[_ISOLATED, slot] = load.is_isolated
        if is_faster:
            self._rescale()

    def _room(self, worker: Worker, load: Load) -> int:
        if not load.is_ready:
            return 0
        if load.is_on_probation:
            return max(1 - load.rows_used - load.queue, 0)
        return max(worker.rows - load.rows_used, 0) + max(self._waiting - load.queue, 0)

    def predict(self, name: str, blocks: float, rows: int, now_s: float) -> Prediction:
        """Note a request that is on its way to a worker."""
        slot, worker = self._workers[name]
        made = Prediction(name, worker.incarnation, blocks, rows)
        self._add(slot, made)
        self.recent(now_s)[slot] += blocks
        return made

    def ended(self, prediction: Prediction, now_s: float) -> None:
        """Take back what did not come true or has ended: what the worker's last word has in is taken off until its next."""
        known = self._workers.get(prediction.worker)
        if known is None or known[1].incarnation != prediction.incarnation:
            return
        slot, held = known[0], self._predictions.get(prediction.worker, [])
        if prediction in held:
            held.remove(prediction)
            self._numbers[_PREDICTED, slot] -= prediction.blocks
            self._numbers[_SENT, slot] -= prediction.rows
        else:
            over = Prediction(prediction.worker, prediction.incarnation, -prediction.blocks, -prediction.rows, now_s + WORD_AGE_S)
            self._add(slot, over)

    def _add(self, slot: int, prediction: Prediction) -> None:
        self._predictions.setdefault(prediction.worker, []).append(prediction)
        self._numbers[_PREDICTED, slot] += prediction.blocks
        self._numbers[_SENT, slot] += prediction.rows

    def refused(self, prediction: Prediction, now_s: float) -> None:
        """Note that a worker has no room: nothing more is sent until it reports, or something that runs there ends."""
        self.ended(prediction, now_s)
        if (known := self._workers.get(prediction.worker)) is not None:
            self._numbers[_ROOM, known[0]] = self._numbers[_SENT, known[0]]

    def lost(self, name: str) -> None:
        """Note that nobody answers for a worker: it is stale from now on."""
        if (known := self._workers.get(name)) is not None:
            self._numbers[_REPORTED_S, known[0]] = -math.inf

    def blocks(self) -> Floats:
        """Return by slot what a worker carries, predictions included."""
        carried: Floats = self._numbers[_BLOCKS] + self._numbers[_PREDICTED]
        return carried

    def recent(self, now_s: float) -> Floats:
        """Return by slot the blocks sent lately, decayed to ``now_s``."""
        recent: Floats = self._numbers[_RECENT]
        if now_s > self._recent_s:
            recent *= math.exp((self._recent_s - now_s) / RECENT_TAU_S)
            self._recent_s = now_s
        return recent

    def queue(self) -> Floats:
        """Return by slot how many requests wait there or are on their way, a row each."""
        waiting: Floats = self._numbers[_QUEUE] + self._numbers[_SENT]
        return waiting

    def scale(self) -> Floats:
        """Return by slot price over throughput, each beside the greatest of the fleet; what is not known counts as that."""
        return self._scale

    def fit(self, now_s: float, *, tokens: int = 0, grade: int = 0, layout: bytes = b"") -> Bools:
        """Return by slot whether a worker lives and could serve a request if it had room. ``layout``: of keys and values, if it matters."""
        numbers = self._numbers
        fit: Bools = (numbers[_MAX_LEN] >= tokens) & (numbers[_GRADE] >= grade) & (numbers[_REPORTED_S] >= now_s - STALE_S)
        return fit & (numbers[_LAYOUT] == self._layouts.get(layout, -1)) if layout else fit

    def isolated(self) -> Bools:
        """Return by slot whether a worker is isolated."""
        held: Bools = self._numbers[_ISOLATED] > 0
        return held

    def without_slow(self, fit: Bools) -> Bools:
        """Return ``fit`` without the slow ones, unless they are all that take anything."""
        well: Bools = fit & (self._numbers[_TAKES] > 0) & (self._numbers[_SLOW] == 0)
        return fit & (self._numbers[_SLOW] == 0) if well.any() else fit

    def has_room(self, rows: int = 1) -> Bools:
        """Return by slot whether a worker takes so many rows more, beside what is on its way."""
        room: Bools = self._numbers[_ROOM] - self._numbers[_SENT] >= rows
        return room

    def _rescale(self) -> None:
        self._scale = _beside_greatest(self._numbers[_PRICE]) / _beside_greatest(self._numbers[_SPEED])


_BLOCKS, _QUEUE, _ROOM, _SPEED, _PRICE, _REPORTED_S, _MAX_LEN, _GRADE, _LAYOUT, _PREDICTED, _SENT, _RECENT = range(12)
_ISOLATED, _TAKES, _SLOW, _ROWS = range(12, 16)


def _beside_greatest(values: Floats) -> Floats:
    greatest = values.max(initial=0.0)
    return np.where(values > 0, values / greatest, 1.0) if greatest > 0 else np.ones_like(values)
