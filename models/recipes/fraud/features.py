"""Feature vectors for training, computed by the very script that computes them online (rule D23).

The rows are driven in order of time through a private Redis with risk-scoring's own adapter, so training and serving cannot drift. A
fraud is reported to the store when the bank came to know it, not when it happened, and a decline takes its spend back. What becomes
known within a batch is applied after it: up to one batch late, never early.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from meshkit.clock import FakeClock
from meshkit.config import RedisSettings
from risk_scoring.adapters.redis_feature_store import RedisFeatureStore
from risk_scoring.adapters.redis_link import RedisLink
from risk_scoring.domain.features import COUNT
from risk_scoring.domain.observation import Change, New, Observation

from fraud.load import Transactions

F32 = npt.NDArray[np.float32]
BATCH = 512
_HORIZON_S = 5  # vectors need not be kept: nothing is repeated here
_PRINT = bytes(16)
Progress = Callable[[int, int], None]


async def compute_features(rows: Transactions, wanted: npt.NDArray[np.bool_], redis_url: str, progress: Progress | None = None) -> F32:
    """Vectors of the `wanted` rows, (wanted, COUNT) float32; all rows pass through the store. The store must be empty and ours alone."""
    link = RedisLink(RedisSettings(url=redis_url, check_durability=False, timeout_ms=60_000), prefix="train:")
    clock = FakeClock(0.0)
    store = RedisFeatureStore(link, clock, _HORIZON_S)
    vectors = np.empty((int(wanted.sum()), COUNT), dtype=np.float32)
    try:
        await link.adopt()
        await link.publish_generation()
        filled = 0
        corrections = _Corrections(rows)
        pending: asyncio.Task[F32] | None = None
        for start, batch in _batches(rows):
            observed = await pending if pending else None
            if observed is not None:
                filled = _keep(observed, wanted, start - BATCH, vectors, filled)
            now_us = int(rows.event_time_us[start])
            clock.advance(now_us / 1e6 - clock.now_s())
            if changes := corrections.known_by(now_us):
                await store.amend(changes, "file", str(corrections.given))
            pending = asyncio.create_task(_observe(store, batch))
            await asyncio.sleep(0)  # the script runs while the next batch is built
            if progress is not None and start // BATCH % 100 == 0:
                progress(start, len(rows))
        if pending is not None:
            filled = _keep(await pending, wanted, (len(rows) - 1) // BATCH * BATCH, vectors, filled)
    finally:
        await link.aclose()
    if filled != len(vectors):
        raise RuntimeError(f"{filled} vectors of {len(vectors)} came back")
    return vectors


async def _observe(store: RedisFeatureStore, batch: list[Observation]) -> F32:
    observed = await store.observe(batch)
    if not all(isinstance(row, New) for row in observed.rows):
        raise RuntimeError("the private store knew a transaction already: it was not empty")
    return observed.vectors


def _keep(observed: F32, wanted: npt.NDArray[np.bool_], start: int, vectors: F32, filled: int) -> int:
    chosen = wanted[start : start + len(observed)]
    count = int(chosen.sum())
    vectors[filled : filled + count] = observed[chosen]
    return filled + count


def _batches(rows: Transactions) -> Iterator[tuple[int, list[Observation]]]:
    for start in range(0, len(rows), BATCH):
        yield start, _observations(rows, slice(start, start + BATCH), start)


def _observations(rows: Transactions, at: slice, first: int) -> list[Observation]:
    times = (rows.event_time_us[at] // 1_000_000).tolist()
    ids = (number.to_bytes(16, "little") for number in range(first, first + len(times)))
    columns = (rows.customer, rows.counterparty, rows.device, rows.account)
    numbers = (rows.reference_minor, rows.channel, rows.local_hour, rows.local_weekday, rows.place)
    keys = (column[at].tolist() for column in columns)
    amount, *rest = (column[at].tolist() for column in numbers)
    return list(map(Observation, ids, (_PRINT for _ in times), *keys, times, amount, *rest))


class _Corrections:
    """Confirmed frauds and declines in the order in which the bank learns of them."""

    def __init__(self, rows: Transactions) -> None:
        self._rows = rows
        frauds, declines = np.flatnonzero(rows.fraud == 1), np.flatnonzero(rows.declined)
        known_us = np.concatenate([rows.known_at_us[frauds], rows.event_time_us[declines]])
        row = np.concatenate([frauds, declines])
        order = np.argsort(known_us, kind="stable")
        self._row, self._known_us = row[order], known_us[order]
        self._is_label = order < len(frauds)
        self.given = 0

    def known_by(self, now_us: int) -> list[Change]:
        """What became known since the last call."""
        begin, self.given = self.given, int(np.searchsorted(self._known_us, now_us, side="left"))
        changes = []
        for index in range(begin, self.given):
            row = int(self._row[index])
            (observation,) = _observations(self._rows, slice(row, row + 1), row)
            if self._is_label[index]:
                changes.append(Change(kind="label", observation=observation, frauds=1, genuine=0, amount_minor=0, change_id=f"label-{row}"))
            else:
                changes.append(
                    Change(
                        kind="decline",
                        observation=observation,
                        frauds=0,
                        genuine=0,
                        amount_minor=observation.amount_minor,
                        change_id=f"decline-{row}",
                    )
                )
        return changes
