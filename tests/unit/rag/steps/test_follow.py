"""Following the change log: whatever fails and whenever it dies, the index ends as the ledger says, and purges wait for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

import pytest
from meshkit.clock import FakeClock
from meshkit.errors import NotFound, Unavailable
from rag.domain.access import Access
from rag.domain.document import FOREVER, Change, ChangeKind, Chunk, NewChunk, State, Submission, Version
from rag.domain.indexing import indexed_passages
from rag.domain.ranking import IndexedChunk
from rag.steps.follow import Follow
from rag.steps.legs import LaterError

T = "bank-a"
P, S, W, X = ChangeKind.PUBLISHED, ChangeKind.SUPERSEDED, ChangeKind.WITHDRAWN, ChangeKind.PURGED


class Library:
    """The ledger's log, and the versions as they are now."""

    def __init__(self, *changes: tuple[ChangeKind, int]) -> None:
        self.log = [Change(seq, kind, T, version_id) for seq, (kind, version_id) in enumerate(changes, 1)]
        self.acknowledged: list[int] = []

    def add(self, kind: ChangeKind, version_id: int) -> None:
        self.log.append(Change(len(self.log) + 1, kind, T, version_id))

    async def changes(self, after: int, limit: int) -> list[Change]:
        return self.log[after : after + limit]

    async def version_of(self, version_id: int) -> Version:
        mine = [change for change in self.log if change.version_id == version_id]
        if any(change.kind in (W, X) for change in mine):
            raise NotFound("gone", reason="VERSION_GONE")
        ends = next((change.seq for change in mine if change.kind is S), FOREVER)
        handed_in = Submission(T, f"d{version_id}", 1, "", "text/plain", "", b"", Access(1), "desk")
        return Version(version_id, handed_in, State.VISIBLE, from_seq=mine[0].seq, to_seq=ends)

    async def indexed(self, version_id: int) -> tuple[Version, list[Chunk]]:
        chunks = [Chunk(version_id * 10 + n, version_id, 1, NewChunk(n, f"text {n}", Access(1))) for n in range(2)]
        return await self.version_of(version_id), chunks

    async def acknowledge(self, follower: str, seq: int, lease_s: float, now_us: int) -> None:
        assert (follower, lease_s) == ("mine", 60.0)
        self.acknowledged.append(seq)


class Index:
    """What is in it, by version; fails as it is told."""

    def __init__(self) -> None:
        self.settled = 0
        self.versions: dict[int, list[IndexedChunk] | str] = {}
        self.ends: dict[int, int] = {}
        self.fails: dict[int, Exception] = {}
        self.dies_at, self.calls = -1, 0

    def called(self, version_id: int = -1) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise asyncio.CancelledError
        if version_id in self.fails:
            raise self.fails[version_id]

    async def position(self) -> int:
        return self.settled

    async def write(self, tenant: str, version_id: int, passages: Sequence[IndexedChunk]) -> None:
        self.called(version_id)
        self.versions[version_id] = list(passages)
        self.ends[version_id] = passages[0].to_seq

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        self.called(version_id)
        if version_id in self.versions:
            self.ends[version_id] = to_seq

    async def hide(self, tenant: str, version_id: int) -> None:
        self.called(version_id)
        await self.delete(tenant, [version_id])

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        self.called()
        for version_id in version_ids:
            self.versions.pop(version_id, None)
            self.ends.pop(version_id, None)

    async def settle(self, seq: int) -> None:
        self.called()
        self.settled = seq


def following(library: Library, index: Index, clock: FakeClock | None = None, alarm: Callable[[int], None] = lambda _: None) -> Follow:
    return Follow(library, index, clock or FakeClock(), follower="mine", alarm=alarm)  # type: ignore[arg-type]


STORY = ((P, 1), (P, 2), (S, 1), (P, 3), (W, 2), (X, 2), (P, 4), (P, 4), (ChangeKind.FAILED, 5), (S, 3))


async def test_the_index_ends_as_the_ledger_says() -> None:
    library, index = Library(*STORY), Index()
    follow = following(library, index)
    assert not follow.caught_up
    assert await follow.turn()
    assert index.ends == {1: 3, 3: 10, 4: FOREVER}
    assert (index.settled, follow.applied, library.acknowledged, follow.caught_up) == (10, 10, [10], True)
    assert not await follow.turn()
    assert library.acknowledged == [10]


async def test_killed_before_any_call_and_begun_again_it_ends_the_same() -> None:
    whole = Index()
    await following(Library(*STORY), whole).turn()
    for dies_at in range(1, whole.calls + 1):
        index = Index()
        index.dies_at = dies_at
        with pytest.raises(asyncio.CancelledError):
            await following(Library(*STORY), index).turn()
        assert index.settled == 0
        await following(Library(*STORY), index).turn()
        assert (index.versions, index.ends, index.settled) == (whole.versions, whole.ends, 10)


async def test_what_waits_for_the_encoder_holds_up_nobody_and_is_written_later() -> None:
    library, index, clock = Library((P, 1), (P, 2), (P, 3)), Index(), FakeClock()
    index.fails[2] = LaterError()
    follow = following(library, index, clock)
    await follow.turn()
    assert (set(index.versions), index.settled, follow.waiting) == ({1, 3}, 1, 1)
    library.add(X, 1)
    await follow.turn()
    assert (set(index.versions), index.settled, library.acknowledged) == ({3}, 1, [3, 4])
    index.fails.clear()
    clock.advance(2.0)
    await follow.turn()
    assert (set(index.versions), index.settled, follow.waiting) == ({2, 3}, 4, 0)


async def test_a_purged_version_waits_for_nothing_any_more() -> None:
    library, index = Library((P, 1), (P, 2)), Index()
    index.fails[1] = LaterError()
    follow = following(library, index)
    await follow.turn()
    library.add(X, 1)
    await follow.turn()
    assert (set(index.versions), index.settled, follow.waiting) == ({2}, 3, 0)


async def test_a_version_that_our_own_fault_keeps_out_is_set_aside_and_the_next_start_tries_it_again() -> None:
    library, index, alarms = Library((P, 1), (P, 2), (P, 3)), Index(), list[int]()
    index.fails[2] = ZeroDivisionError()
    follow = following(library, index, alarm=alarms.append)
    await follow.turn()
    assert (set(index.versions), index.settled, set(follow.set_aside), alarms) == ({1, 3}, 1, {2}, [1])
    library.add(P, 4)
    await follow.turn()
    assert (set(index.versions), index.settled, follow.applied) == ({1, 3, 4}, 1, 4)
    index.fails.clear()
    mended = following(library, index, alarm=alarms.append)
    await mended.turn()
    assert (set(index.versions), index.settled, dict(mended.set_aside)) == ({1, 2, 3, 4}, 4, {})


async def test_while_the_index_is_away_nothing_is_passed_over() -> None:
    library, index = Library((P, 1), (P, 2)), Index()
    index.fails[2] = Unavailable("away")
    follow = following(library, index)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await follow.turn()
    assert (index.settled, follow.applied, library.acknowledged, dict(follow.set_aside)) == (0, 0, [], {})
    index.fails.clear()
    await follow.turn()
    assert (set(index.versions), index.settled) == ({1, 2}, 2)


async def test_an_index_that_lost_everything_is_made_anew() -> None:
    library, index, clock = Library((P, 1), (P, 2)), Index(), FakeClock()
    follow = following(library, index, clock)
    await follow.turn()
    index.versions.clear()
    index.settled = 0
    clock.advance(30.0)
    await follow.turn()
    await follow.turn()
    assert (set(index.versions), index.settled, follow.applied) == ({1, 2}, 2, 2)


async def test_an_index_that_lost_everything_is_not_said_to_hold_it_with_the_next_change() -> None:
    library, index = Library((P, 1), (P, 2)), Index()
    follow = following(library, index)
    await follow.turn()
    index.versions.clear()
    index.settled = 0
    library.add(P, 3)  # before anybody looked
    await follow.turn()
    assert index.settled == 0
    await follow.turn()
    assert (set(index.versions), index.settled, follow.applied) == ({1, 2, 3}, 3, 3)


async def test_who_needs_a_sequence_waits_for_it_and_not_for_ever() -> None:
    library, index = Library((P, 1)), Index()
    follow = following(library, index)
    running = asyncio.create_task(follow.run())
    assert await follow.reached(1, 10.0)
    later = asyncio.create_task(follow.reached(2, 10.0))
    library.add(P, 2)
    assert await later
    assert 2 in index.versions
    assert not await follow.reached(99, 0.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_context_is_headings_and_header_and_nothing_of_what_lies_between() -> None:
    version, _ = await Library((P, 1)).indexed(1)

    def chunks(*access_ids: int) -> list[Chunk]:
        return [
            Chunk(n, 1, access_id, NewChunk(n, f"t{n}", Access(1), ("第一章",), table_header="年 | 元" if n == 0 else ""))
            for n, access_id in enumerate(access_ids)
        ]

    made = indexed_passages(version, chunks(1, 2, 1, 2, 2, 1, 1))
    assert [passage.context for passage in made if passage.access_id == 1] == [("第一章", "年 | 元"), *[("第一章",)] * 3]
    alone = [chunk for chunk in chunks(1, 2, 1, 2, 2, 1, 1) if chunk.access_id == 1]
    assert indexed_passages(version, alone) == [passage for passage in made if passage.access_id == 1]
