"""How long a partition waits before it reads on: not at all in a backlog, shortly when little comes, longer the more there was."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from meshkit.events.partition_worker import PartitionWorker

PLACE = TopicPartition("in", 0)


class Reader:
    """One fetch after the other, of so many records each; `left` behind the last one."""

    def __init__(self, counts: list[int], left: int) -> None:
        self._counts, self._left, self._paused, self._at = iter(counts), left, False, 0

    def paused(self) -> set[TopicPartition]:
        return {PLACE} if self._paused else set()

    def pause(self, place: TopicPartition) -> None:
        self._paused = True

    def resume(self, place: TopicPartition) -> None:
        self._paused = False

    def last_stable_offset(self, place: TopicPartition) -> int:
        return self._at + self._left

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[SimpleNamespace]]:
        count = next(self._counts, None)
        if count is None:
            raise asyncio.CancelledError
        records = [SimpleNamespace(offset=self._at + n) for n in range(count)]
        self._at += count
        return {PLACE: records}


async def pauses(monkeypatch: pytest.MonkeyPatch, counts: list[int], left: int = 0, busy_s: float = 0.024) -> list[float]:
    """What the worker's loop waited before each fetch but the first."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def answered(*_: object) -> dict[tuple[str, int], int]:
        return {}

    async def committed(*_: object) -> None:
        pass

    monkeypatch.setattr("meshkit.events.partition_worker.asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(PartitionWorker, "_answered_in_the_end", answered)
    monkeypatch.setattr("meshkit.events.partition_worker.backoff.end_if_cancelled", lambda: None)
    work = SimpleNamespace(linger_s=0.004, busy_linger_s=busy_s, max_batch=512, handler=SimpleNamespace(committed=committed))
    with pytest.raises(asyncio.CancelledError):
        await PartitionWorker(work, PLACE)._loop(Reader(counts, left), None)
    return waited


async def test_the_more_came_the_longer_the_next_batch_gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await pauses(monkeypatch, [1, 4, 16, 64, 400, 3]) == pytest.approx([0.004, 0.004, 0.004, 0.016, 0.024, 0.004])


async def test_a_backlog_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await pauses(monkeypatch, [512, 512, 512], left=9) == []


async def test_who_wants_no_longer_pause_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await pauses(monkeypatch, [64, 400], busy_s=0.0) == pytest.approx([0.004, 0.004])
