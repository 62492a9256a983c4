"""The port `Lexical`: ranks follow from what may be read and from nothing else, whatever happens to folder and process."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from meshkit.errors import FailedPrecondition, Unavailable
from rag.adapters.numpy_lexical import CONTEXT_WEIGHT, NumpyLexical
from rag.domain.document import AsOf
from rag.domain.ranking import IndexedChunk

from tests.ports.rag.passages import TENANT, passage, passages, questions, where, words

IDS = list(range(1, 13))
OF_10_000 = 10_000


def opened(folder: Path, identity: str = "words 1") -> NumpyLexical:
    return NumpyLexical(folder, words, identity)


@pytest.fixture
async def lexical(tmp_path: Path) -> AsyncIterator[NumpyLexical]:
    async with opened(tmp_path / "index") as index:
        yield index


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[NumpyLexical]:
    async with opened(tmp_path / "other") as index:
        yield index


def by_the_book(readable: Sequence[IndexedChunk], terms: Mapping[str, float]) -> dict[int, float]:
    """BM25 over two fields, written down as in the literature."""
    scores: dict[int, float] = {}

    def around(n: int) -> str:
        beside = [readable[m] for m in (n - 2, n - 1, n + 1, n + 2) if 0 <= m < len(readable)]
        return " ".join([*readable[n].context, *(c.text for c in beside if c.version_id == readable[n].version_id)])

    for field, weight in (("text", 1.0), ("context", CONTEXT_WEIGHT)):
        documents = {c.chunk_id: Counter(words(c.text if field == "text" else around(n))) for n, c in enumerate(readable)}
        average = sum(d.total() for d in documents.values()) / len(documents)
        for term, wanted in terms.items():
            frequency = sum(term in d for d in documents.values())
            idf = math.log1p((len(documents) - frequency + 0.5) / (frequency + 0.5))
            for chunk_id, d in documents.items():
                if times := d[term]:
                    saturated = times * 2.2 / (times + 1.2 * (0.25 + 0.75 * d.total() / average))
                    scores[chunk_id] = scores.get(chunk_id, 0.0) + wanted * weight * idf * saturated
    return scores


async def test_scores_are_those_of_the_book_over_the_readable_passages(lexical: NumpyLexical) -> None:
    all_of_them = passages(600, IDS, seed=1)
    await lexical.upsert(TENANT, all_of_them)
    readable = [chunk for chunk in all_of_them if chunk.access_id in (2, 3, 7)]
    for terms in questions(30, seed=2):
        expected = by_the_book(readable, terms)
        hits = await lexical.search(terms, where(2, 3, 7), 1_000)
        assert {hit.chunk_id: hit.score for hit in hits} == pytest.approx(expected, rel=1e-12)
        assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))


async def test_neighbours_are_of_one_version_and_access_id_and_end_with_it(lexical: NumpyLexical) -> None:
    texts = ["alpha", "beta", "gamma", "delta", "epsilon"]
    await lexical.upsert(TENANT, [passage(n, 1, text, version_id=1) for n, text in enumerate(texts)])
    await lexical.upsert(TENANT, [passage(10, 1, "zeta", version_id=2), passage(11, 2, "eta", version_id=2)])

    async def found(word: str) -> tuple[int, list[int]]:
        first, *others = [hit.chunk_id for hit in await lexical.search({word: 1.0}, where(1, 2), 9)]
        return first, sorted(others)

    expected = [(0, [1, 2]), (1, [0, 2, 3]), (2, [0, 1, 3, 4]), (3, [1, 2, 4]), (4, [2, 3]), (10, []), (11, [])]
    assert [await found(word) for word in (*texts, "zeta", "eta")] == expected
    await lexical.upsert(TENANT, [passage(2, 2, "gamma", version_id=1)])  # another demand: it stands beside nobody here
    assert [await found(word) for word in texts] == [(0, [1]), (1, [0]), (2, []), (3, [4]), (4, [3])]


async def test_a_hundred_rankings_are_those_of_one_index_of_the_readable(lexical: NumpyLexical, other: NumpyLexical) -> None:
    all_of_them = passages(1_200, IDS, seed=3)
    for begin in range(0, 1_200, 70):  # many segments here, one there
        await lexical.upsert(TENANT, all_of_them[begin : begin + 70])
    readable = [replace(chunk, access_id=99) for chunk in all_of_them if chunk.access_id <= 6]
    await other.upsert(TENANT, readable)
    found = 0
    for terms in questions(100, seed=4):
        hits = await lexical.search(terms, where(*range(1, 7)), 100)
        assert hits == await other.search(terms, where(99), 100)
        found += len(hits)
    assert found > 5_000


async def test_thousands_of_forbidden_passages_that_share_the_words_move_nothing(lexical: NumpyLexical) -> None:
    await lexical.upsert(TENANT, passages(300, [1, 2], seed=5))
    asked = list(questions(100, seed=6))
    before = [(await lexical.search(terms, where(1, 2), 50), await lexical.statistics(terms, where(1, 2))) for terms in asked]
    await lexical.upsert(TENANT, passages(3_000, [3, 4], seed=7, first=OF_10_000))
    await lexical.upsert("bank-b", passages(500, [1, 2], seed=8, first=2 * OF_10_000))
    await lexical.delete(TENANT, range(OF_10_000 // 10, OF_10_000 // 10 + 150))
    after = [(await lexical.search(terms, where(1, 2), 50), await lexical.statistics(terms, where(1, 2))) for terms in asked]
    assert repr(after) == repr(before)
    assert all([await lexical.search(terms, where(3, 4), 50) for terms in asked])


async def test_what_is_not_there_at_both_times_is_neither_found_nor_counted(lexical: NumpyLexical, other: NumpyLexical) -> None:
    kept = passages(200, [1], seed=9)
    await other.upsert(TENANT, kept)
    outside = [{"from_seq": 1_001}, {"to_seq": 1_000}, {"valid_from_us": 1_001}, {"valid_to_us": 1_000}]
    gone = [replace(c, **outside[n % 4]) for n, c in enumerate(passages(400, [1], seed=10, first=OF_10_000))]  # type: ignore[arg-type]
    await lexical.upsert(TENANT, kept + gone)
    for terms in questions(50, seed=11):
        assert await lexical.search(terms, where(1), 50) == await other.search(terms, where(1), 50)
        assert await lexical.statistics(terms, where(1)) == await other.statistics(terms, where(1))
    edges = passage(1, 1, "edge", from_seq=10, to_seq=20, valid_from_us=5, valid_to_us=6)
    await lexical.upsert(TENANT, [edges])
    seen = [
        (valid, known)
        for valid, known in ((5, 10), (5, 19), (5, 9), (5, 20), (4, 10), (6, 10))
        if await lexical.search({"edge": 1.0}, where(1, as_of=AsOf(valid, known)), 5)
    ]
    assert seen == [(5, 10), (5, 19)]


async def test_a_scope_narrows_what_is_returned_and_no_score(lexical: NumpyLexical) -> None:
    await lexical.upsert(TENANT, passages(400, [1, 2], seed=12))
    for terms in questions(20, seed=13):
        everything = await lexical.search(terms, where(1, 2), 400)
        scoped = await lexical.search(terms, where(1, 2, versions=frozenset({3, 7})), 400)
        assert scoped == [hit for hit in everything if hit.chunk_id // 10 in (3, 7)]
        assert await lexical.search(terms, where(1, 2, versions=frozenset()), 400) == []


async def test_the_same_chunk_replaces_also_under_another_access_id(lexical: NumpyLexical) -> None:
    await lexical.upsert(TENANT, [passage(1, 1, "old words"), passage(2, 1, "words stay")])
    await lexical.upsert(TENANT, [passage(1, 2, "first"), passage(1, 2, "new words")])
    assert [hit.chunk_id for hit in await lexical.search({"words": 1.0}, where(1), 9)] == [2]
    assert [hit.chunk_id for hit in await lexical.search({"new": 1.0}, where(1, 2), 9)] == [1]
    assert await lexical.search({"old": 1.0, "first": 1.0}, where(1, 2), 9) == []
    assert lexical.passages == 2


async def test_a_retired_version_is_found_in_the_past(lexical: NumpyLexical) -> None:
    await lexical.upsert(TENANT, [passage(1, 1, "保险合同", version_id=5), passage(2, 1, "保险条款", version_id=6)])
    await lexical.retire(TENANT, 5, 600)
    await lexical.retire("bank-b", 6, 600)
    assert [hit.chunk_id for hit in await lexical.search({"保险": 1.0}, where(1), 9)] == [2]
    assert [hit.chunk_id for hit in await lexical.search({"保险": 1.0}, where(1, as_of=AsOf(1_000, 599)), 9)] == [1, 2]


async def test_equal_scores_are_ordered_by_id_and_the_limit_cuts_there(lexical: NumpyLexical) -> None:
    await lexical.upsert(TENANT, [passage(n, 1 + n % 3, "equal") for n in (5, 3, 9, 1, 7, 2)])
    assert [hit.chunk_id for hit in await lexical.search({"equal": 1.0}, where(1, 2, 3), 4)] == [1, 2, 3, 5]


async def test_searches_for_nothing_find_nothing(lexical: NumpyLexical) -> None:
    await lexical.upsert(TENANT, [passage(1, 1, "word"), passage(2, 1, "")])
    assert await lexical.search({}, where(1), 9) == []
    assert await lexical.search({"word": 0.0}, where(1), 9) == []
    assert await lexical.search({"word": 1.0}, where(), 9) == []
    assert await lexical.search({"word": 1.0}, where(1, as_of=AsOf(0, 0)), 9) == []
    assert await lexical.search({"word": 1.0}, where(1), 0) == []
    assert (await lexical.statistics(["word", "别的"], where(1))).frequency == {"word": 1, "别的": 0}
    assert (await lexical.statistics(["word"], where(5))).documents == 0


async def test_what_is_deleted_is_in_no_file_and_distorts_nothing(lexical: NumpyLexical, other: NumpyLexical, tmp_path: Path) -> None:
    everything = passages(1_000, [1, 2], seed=14)
    await lexical.upsert(TENANT, everything)
    await lexical.settle(7)
    before = {file.name for file in (tmp_path / "index").rglob("*.*") if file.suffix in (".rows", ".postings")}
    await lexical.delete(TENANT, range(90))
    after = {file.name for file in (tmp_path / "index").rglob("*.*") if file.suffix in (".rows", ".postings")}
    assert before
    assert not before & after
    await other.upsert(TENANT, everything[900:])
    for terms in questions(100, seed=15):
        assert await lexical.search(terms, where(1, 2), 100) == await other.search(terms, where(1, 2), 100)
    await lexical.upsert(TENANT, [replace(chunk, version_id=1) for chunk in everything[900:]])  # in memory alone
    await lexical.delete(TENANT, range(90, 100))
    replaced = {file.name for file in (tmp_path / "index").rglob("*.*") if file.suffix in (".rows", ".postings")}
    assert not after & replaced
    await lexical.delete(TENANT, [1])
    assert lexical.passages == 0
    assert list((tmp_path / "index" / "shards").iterdir()) == []


async def test_a_start_begins_with_what_was_settled(tmp_path: Path) -> None:
    async with opened(tmp_path) as index:
        assert index.position == 0
        await index.upsert(TENANT, passages(300, IDS, seed=16))
        await index.retire(TENANT, 4, 900)
        await index.settle(41)
        expected = [await index.search(terms, where(*IDS), 50) for terms in questions(20, seed=17)]
        await index.upsert(TENANT, [passage(1, 1, "not settled")])
    async with opened(tmp_path) as index:
        assert index.position == 41
        assert [await index.search(terms, where(*IDS), 50) for terms in questions(20, seed=17)] == expected


async def test_an_index_made_in_another_order_ranks_equally(lexical: NumpyLexical, other: NumpyLexical) -> None:
    everything = passages(500, IDS, seed=18)
    await lexical.upsert(TENANT, everything)
    await lexical.delete(TENANT, [3, 17])
    left = [everything[begin : begin + 10] for begin in range(0, 500, 10) if begin not in (30, 170)]
    random.Random(19).shuffle(left)
    for version in left:
        await other.upsert(TENANT, version)
    for terms in questions(100, seed=20):
        assert await lexical.search(terms, where(*IDS), 100) == await other.search(terms, where(*IDS), 100)


def _deleted(folder: Path) -> None:
    shutil.rmtree(next((folder / "shards").iterdir()))


def _truncated(folder: Path) -> None:
    file = next(folder.rglob("*.postings"))
    os.truncate(file, file.stat().st_size // 2)


def _flipped(folder: Path) -> None:
    file = next(folder.rglob("*.rows"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _position_forged(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_text(file.read_text().replace('"position": 5', '"position": 9'))


def _without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("damage", [_deleted, _truncated, _flipped, _position_forged, _without_manifest])
async def test_damage_is_noticed_and_the_index_begins_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    async with opened(tmp_path) as index:
        await index.upsert(TENANT, passages(100, IDS, seed=21))
        await index.settle(5)
    damage(tmp_path)
    async with opened(tmp_path) as index:
        assert (index.position, index.passages) == (0, 0)
        await index.upsert(TENANT, passages(100, IDS, seed=21))
        await index.settle(5)
    async with opened(tmp_path) as index:
        assert (index.position, index.passages) == (5, 100)


async def test_terms_made_otherwise_begin_anew(tmp_path: Path) -> None:
    async with opened(tmp_path) as index:
        await index.upsert(TENANT, [passage(1, 1, "word")])
        await index.settle(5)
    async with opened(tmp_path, "words 2") as index:
        assert (index.position, index.passages) == (0, 0)


async def test_a_folder_deleted_under_a_running_index_is_whole_again_once_settled(tmp_path: Path) -> None:
    async with opened(tmp_path) as index:
        await index.upsert(TENANT, passages(100, IDS, seed=22))
        await index.settle(5)
        shutil.rmtree(tmp_path / "shards")
        assert await index.search({"w1": 1.0}, where(*IDS), 5)
        await index.settle(6)
    async with opened(tmp_path) as index:
        assert (index.position, index.passages) == (6, 100)


async def test_a_folder_that_cannot_be_written_is_told_and_searches_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as index:
        await index.upsert(TENANT, [passage(1, 1, "word")])
        (tmp_path / "shards").write_text("in the way")
        with pytest.raises(Unavailable) as told:
            await index.settle(5)
        assert (told.value.reason, index.position) == ("INDEX_FOLDER_UNAVAILABLE", 0)
        assert [hit.chunk_id for hit in await index.search({"word": 1.0}, where(1), 5)] == [1]
        (tmp_path / "shards").unlink()
        await index.settle(5)
    async with opened(tmp_path) as index:
        assert (index.position, index.passages) == (5, 1)


async def test_two_processes_never_share_a_folder(lexical: NumpyLexical, tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        await opened(tmp_path / "index").__aenter__()
    assert refused.value.reason == "INDEX_FOLDER_IN_USE"
    await lexical.upsert(TENANT, [passage(1, 1, "word")])


WRITER = """
import asyncio, sys
from pathlib import Path
from rag.adapters.numpy_lexical import NumpyLexical
from tests.ports.rag.passages import TENANT, passages, words

async def main():
    async with NumpyLexical(Path(sys.argv[1]), words, "words 1") as index:
        for seq in range(index.position + 1, 10_000):
            await index.upsert(TENANT, passages(20, [1, 2, 3], seq, first=seq * 100))
            await index.settle(seq)
            print(seq, flush=True)

asyncio.run(main())
"""


async def test_killed_at_any_moment_it_holds_exactly_what_its_position_says(tmp_path: Path) -> None:
    settled, source = 0, random.Random(23)
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(source.randint(2, 9)):
            settled = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)  # somewhere in the next one
        process.wait()
        process.stdout.close()
        async with opened(tmp_path) as index:
            assert index.position >= settled
            assert index.passages == 20 * index.position
            for seq in (1, index.position):
                hits = await index.search({f"w{n}": 1.0 for n in range(400)}, where(1, 2, 3), 100_000)
                assert {seq * 100} <= {hit.chunk_id // 100 * 100 for hit in hits}
