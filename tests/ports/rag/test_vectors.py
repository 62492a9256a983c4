"""The port `Vectors` on a real Milvus: Milvus Lite's server, or the one that FINMESH_TEST_MILVUS names."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.servers import milvus_row
from localmesh.supervisor import Mesh
from meshkit.errors import FailedPrecondition, InvalidArgument, Unavailable
from numpy.typing import NDArray
from pymilvus import MilvusClient
from rag.adapters.milvus_vectors import MilvusVectors
from rag.adapters.milvus_vectors.filters import expression
from rag.domain.document import AsOf
from rag.domain.ranking import Hit, IndexedChunk

from tests.ports.rag.passages import TENANT, passage, where
from tests.stack import Stack

pytestmark = pytest.mark.stack

DIMENSION = 16
Open = Callable[..., MilvusVectors]


@pytest.fixture
def prefix(stack: Stack) -> Iterator[str]:
    mine = f"test_{uuid.uuid4().hex[:10]}"
    yield mine
    client = MilvusClient(uri=stack.milvus, dedicated=True)
    for name in client.list_collections():
        if name.startswith(mine):
            client.drop_collection(name)
    client.close()


@pytest.fixture
def opened(stack: Stack, prefix: str) -> Open:
    def open_(**other: object) -> MilvusVectors:
        usual: dict[str, object] = {"identity": "encoder 1", "dimension": DIMENSION, "search_timeout_s": 20.0, "timeout_s": 20.0}
        return MilvusVectors(stack.milvus, "", prefix, **usual | other)  # type: ignore[arg-type]

    return open_


@pytest.fixture
async def vectors(opened: Open) -> AsyncIterator[MilvusVectors]:
    async with opened() as each:
        yield each


def of(count: int, seed: int, dimension: int = DIMENSION) -> NDArray[np.float32]:
    found = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def some(count: int, access_ids: list[int], first: int = 0) -> list[IndexedChunk]:
    return [passage(first + n, access_ids[n % len(access_ids)], "") for n in range(count)]


async def test_the_nearest_readable_passages_come_in_order(vectors: MilvusVectors) -> None:
    rows, ids = of(1_200, 1), [1, 2, 3, 4]
    await vectors.upsert(TENANT, some(1_200, ids), rows)
    question = of(1, 2)[0]
    hits = await vectors.search(question, where(2, 4), 50)
    exact = rows @ question
    readable = [n for n in range(1_200) if ids[n % 4] in (2, 4)]
    assert [hit.chunk_id for hit in hits] == sorted(readable, key=lambda n: (-exact[n], n))[:50]
    assert [hit.score for hit in hits] == pytest.approx([exact[hit.chunk_id] for hit in hits], abs=1e-5)


async def test_times_versions_and_tenants_are_held_to(vectors: MilvusVectors) -> None:
    row = of(1, 3)
    other = [{"from_seq": 1_001}, {"to_seq": 1_000}, {"valid_from_us": 1_001}, {"valid_to_us": 1_000}]
    chunks = [replace(passage(n, 1, "", version_id=n), **change) for n, change in enumerate([{}, {}, *other])]  # type: ignore[arg-type]
    await vectors.upsert(TENANT, chunks, np.repeat(row, len(chunks), axis=0))
    await vectors.upsert("bank-b", [passage(99, 1, "")], row)
    assert [hit.chunk_id for hit in await vectors.search(row[0], where(1), 9)] == [0, 1]
    assert [hit.chunk_id for hit in await vectors.search(row[0], where(1, versions=frozenset({1, 2})), 9)] == [1]
    assert await vectors.search(row[0], where(1, versions=frozenset()), 9) == []
    assert await vectors.search(row[0], where(), 9) == []
    assert await vectors.search(row[0], where(2), 9) == []
    assert await vectors.search(row[0], where(1, tenant="bank-c"), 9) == []
    assert [hit.chunk_id for hit in await vectors.search(row[0], where(1, as_of=AsOf(1_000, 999)), 9)] == [0, 1, 3]


async def test_the_same_chunk_replaces_at_once(vectors: MilvusVectors) -> None:
    first, second = of(2, 4)
    await vectors.upsert(TENANT, [passage(7, 1, "")], first[None])
    await vectors.upsert(TENANT, [passage(7, 2, "")], second[None])
    assert await vectors.search(second, where(1), 9) == []
    hits = await vectors.search(second, where(1, 2), 9)
    assert [(hit.chunk_id, round(hit.score, 5)) for hit in hits] == [(7, 1.0)]


async def test_a_retired_version_is_found_in_the_past(vectors: MilvusVectors) -> None:
    row = of(1, 5)
    await vectors.retire(TENANT, 5, 600)  # nothing is there yet
    await vectors.upsert(TENANT, [passage(1, 1, "", version_id=5), passage(2, 1, "", version_id=6)], np.repeat(row, 2, axis=0))
    await vectors.retire(TENANT, 5, 600)
    assert [hit.chunk_id for hit in await vectors.search(row[0], where(1), 9)] == [2]
    assert [(hit.chunk_id, round(hit.score, 5)) for hit in await vectors.search(row[0], where(1, as_of=AsOf(1_000, 599)), 9)] == [
        (1, 1.0),
        (2, 1.0),
    ]


async def test_deleting_leaves_nothing_behind(vectors: MilvusVectors, opened: Open, stack: Stack, prefix: str) -> None:
    rows = of(1_100, 6)
    await vectors.upsert(TENANT, some(1_100, [1]), rows)
    client = MilvusClient(uri=stack.milvus, dedicated=True)
    before = {name for name in client.list_collections() if name.startswith(prefix)}
    async with opened() as reader:
        assert len(await reader.search(rows[1], where(1), 2_000)) == 1_100
        await vectors.delete(TENANT, range(50))
        after = {name for name in client.list_collections() if name.startswith(prefix)}
        assert (len(before), len(after), before & after) == (1, 1, set())
        assert {hit.chunk_id for hit in await reader.search(rows[1], where(1), 2_000)} == set(range(500, 1_100))
    await vectors.delete(TENANT, [7])
    assert {name for name in client.list_collections() if name.startswith(prefix)} == after  # nothing of it was there
    client.close()


async def test_a_copy_that_was_cut_short_is_dropped_by_the_next_change(vectors: MilvusVectors, stack: Stack, prefix: str) -> None:
    await vectors.upsert(TENANT, some(3, [1]), of(3, 7))
    client = MilvusClient(uri=stack.milvus, dedicated=True)
    current = next(name for name in client.list_collections() if name.startswith(prefix))
    left = current.rsplit("_", 1)[0] + "_0badcafe"
    client.create_collection(left, dimension=DIMENSION)
    await vectors.delete(TENANT, [12])
    assert [name for name in client.list_collections() if name.startswith(prefix)] == [current]
    client.close()


async def test_missing_is_what_a_backfill_has_to_encode(vectors: MilvusVectors) -> None:
    chunks = some(1_002, [1])
    assert await vectors.missing(TENANT, [chunks[3], chunks[1]]) == [3, 1]
    await vectors.upsert(TENANT, chunks[:1_000], of(1_000, 8))
    assert await vectors.missing(TENANT, [chunks[1_001], *chunks[:999], chunks[1_000]]) == [1_001, 1_000]
    assert await vectors.missing(TENANT, []) == []
    assert await vectors.missing("bank-b", [chunks[3]]) == [3]
    changed = [replace(chunks[3], access_id=2), replace(chunks[4], to_seq=9), chunks[5]]
    assert await vectors.missing(TENANT, changed) == [3, 4]


async def test_the_position_is_milvus_s_own(opened: Open) -> None:
    async with opened() as vectors:
        assert await vectors.position() == 0
        await vectors.settle(41)
        await vectors.settle(42)
    async with opened() as again, opened(identity="encoder 2") as other:
        assert (await again.position(), await other.position()) == (42, 0)


async def test_another_encoder_has_another_collection(vectors: MilvusVectors, opened: Open) -> None:
    row = of(1, 9)
    await vectors.upsert(TENANT, [passage(1, 1, "")], row)
    async with opened(identity="encoder 2", dimension=8) as other:
        assert await other.missing(TENANT, [passage(1, 1, "")]) == [1]
        assert await other.search(of(1, 9, 8)[0], where(1), 9) == []


async def test_a_collection_of_another_dimension_is_never_used(opened: Open, stack: Stack) -> None:
    async with opened() as vectors:
        await vectors.upsert(TENANT, [passage(1, 1, "")], of(1, 10))
    async with opened(dimension=8) as other:
        for call in (
            lambda: other.search(of(1, 10, 8)[0], where(1), 9),
            lambda: other.upsert(TENANT, [passage(2, 1, "")], of(1, 10, 8)),
            lambda: other.missing(TENANT, [passage(1, 1, "")]),
        ):
            with pytest.raises(FailedPrecondition) as refused:
                await call()
            assert refused.value.reason == "VECTORS_OF_ANOTHER_ENCODER"


async def test_vectors_of_another_shape_are_refused(vectors: MilvusVectors) -> None:
    for call in (
        lambda: vectors.upsert(TENANT, some(2, [1]), of(1, 11)),
        lambda: vectors.upsert(TENANT, some(1, [1]), of(1, 11, 8)),
        lambda: vectors.search(of(1, 11, 8)[0], where(1), 9),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await call()
        assert refused.value.reason == "VECTOR_SHAPE_INVALID"


async def test_vectors_of_another_length_are_refused(vectors: MilvusVectors) -> None:
    for row in (of(1, 11) * 2, of(1, 11) * np.float32(np.nan), of(1, 11) * 0):
        with pytest.raises(InvalidArgument) as refused:
            await vectors.upsert(TENANT, some(1, [1]), row)
        assert refused.value.reason == "VECTOR_LENGTH_INVALID"


async def test_a_large_collection_gets_a_graph_and_keeps_its_rows(opened: Open, stack: Stack, prefix: str) -> None:
    rows = of(600, 12)
    async with opened(exact_below=500) as vectors:
        await vectors.upsert(TENANT, some(300, [1]), rows[:300])
        client = MilvusClient(uri=stack.milvus, dedicated=True)

        def indexes() -> list[str]:
            names = [name for name in client.list_collections() if name.startswith(prefix)]
            return [client.describe_index(name, "vector")["index_type"] for name in names]

        assert indexes() == ["FLAT"]
        await vectors.upsert(TENANT, some(300, [1], first=300), rows[300:])
        assert indexes() == ["HNSW"]
        client.close()
        for n in (1, 299, 300, 599):
            assert (await vectors.search(rows[n], where(1), 5))[0].chunk_id == n


class _Careless(MilvusClient):  # type: ignore[misc]
    """A server that ignores filters, as Milvus Lite does with the one of hybrid_search."""

    def search(self, *args: object, **kwargs: object) -> object:
        return super().search(*args, **kwargs | {"filter": ""})


async def test_rows_that_the_filter_excludes_are_never_returned(
    vectors: MilvusVectors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rag.adapters.milvus_vectors.link.MilvusClient", _Careless)
    row = of(1, 13)
    chunks = [passage(1, 1, ""), passage(2, 2, ""), passage(3, 1, "", to_seq=5), passage(4, 1, "", valid_to_us=5)]
    await vectors.upsert(TENANT, chunks, np.repeat(row, 4, axis=0))
    assert [hit.chunk_id for hit in await vectors.search(row[0], where(1), 9)] == [1]
    assert "excludes" in caplog.text


def test_a_filter_is_made_of_integers_alone() -> None:
    made = expression(where(3, 1, as_of=AsOf(7, 5), versions=frozenset({9, 4})))
    assert made == (
        "access_id in [1,3] and from_seq <= 5 and to_seq > 5 and valid_from_us <= 7 and valid_to_us > 7 and version_id in [4,9]"
    )
    for forged in ("1] or 1 == 1 or access_id in [1", "1"):
        hostile = replace(where(1), access_ids=frozenset([forged]))  # type: ignore[list-item]
        if forged == "1":
            assert expression(hostile).startswith("access_id in [1] and")
        else:
            with pytest.raises(ValueError, match="invalid literal"):
                expression(hostile)


def test_a_path_is_no_address() -> None:
    for uri in ("./milvus.db", "/var/milvus", "", "unix:/tmp/socket", "milvus:19530"):
        with pytest.raises(InvalidArgument) as refused:
            MilvusVectors(uri, "", "test", identity="", dimension=4)
        assert refused.value.reason == "MILVUS_URI_INVALID"


async def test_without_milvus_every_call_says_so_and_it_is_found_again(stack: Stack) -> None:
    """A Milvus Lite of this test's own: away at first, then there, then killed after a write, then there again with that write."""
    places = replace(Places.default(), var=stack.places.var / f"milvus {uuid.uuid4().hex[:6]}")
    places.var.mkdir(parents=True)
    ports = Ports.free()
    uri, row = f"http://{LOOPBACK}:{ports.milvus}", of(1, 14)
    async with MilvusVectors(uri, "", "killed", identity="e", dimension=DIMENSION, timeout_s=10.0, search_timeout_s=0.5) as early:
        for _ in range(4):
            with pytest.raises(Unavailable) as away:
                await early.search(row[0], where(1), 9)
            assert away.value.reason == "MILVUS_UNAVAILABLE"
    late = MilvusVectors(uri, "", "killed", identity="e", dimension=DIMENSION, timeout_s=10.0, search_timeout_s=10.0)
    async with Mesh([milvus_row(places, ports)], places.var) as mesh, late as vectors:
        await vectors.upsert(TENANT, [passage(1, 1, "")], row)
        os.kill(mesh.pid("milvus"), signal.SIGKILL)
        found = None
        while found is None:
            try:
                found = await vectors.search(row[0], where(1), 9)
            except Unavailable as error:
                assert error.reason == "MILVUS_UNAVAILABLE"
                await asyncio.sleep(0)
        assert [hit.chunk_id for hit in found] == [1]
        await vectors.delete(TENANT, [0])
        assert await vectors.missing(TENANT, [passage(1, 1, "")]) == [1]


FIRST_CALLS: dict[str, tuple[Callable[[MilvusVectors, str, NDArray[np.float32]], Awaitable[object]], object]] = {
    "position": (lambda vectors, _, row: vectors.position(), 41),
    "settle": (lambda vectors, _, row: vectors.settle(42), None),
    "search": (lambda vectors, tenant, row: vectors.search(row[0], where(1, tenant=tenant), 9), [Hit(1, pytest.approx(1.0))]),
    "missing": (lambda vectors, tenant, _: vectors.missing(tenant, [passage(1, 1, ""), passage(2, 1, "")]), [2]),
    "upsert": (lambda vectors, tenant, row: vectors.upsert(tenant, [passage(2, 1, "")], row), None),
    "retire": (lambda vectors, tenant, _: vectors.retire(tenant, 0, 5), None),
    "delete": (lambda vectors, tenant, _: vectors.delete(tenant, [0]), None),
    "delete what is not there": (lambda vectors, tenant, _: vectors.delete(tenant, [9]), None),
}


@pytest.fixture
async def own(stack: Stack) -> AsyncIterator[tuple[Mesh, str]]:
    """A Milvus Lite that a test may kill, and its URI."""
    places = replace(Places.default(), var=stack.places.var / f"milvus {uuid.uuid4().hex[:6]}")
    places.var.mkdir(parents=True)
    ports = Ports.free()
    async with Mesh([milvus_row(places, ports)], places.var) as mesh:
        yield mesh, f"http://{LOOPBACK}:{ports.milvus}"


async def test_whatever_is_called_first_after_milvus_began_anew_answers(own: tuple[Mesh, str]) -> None:
    """It keeps its collections and has none of them loaded: each call here is the first that its collection sees."""
    (mesh, uri), row = own, of(1, 17)

    def client(call: str) -> MilvusVectors:
        return MilvusVectors(uri, "", call.replace(" ", "_"), identity="e", dimension=DIMENSION, timeout_s=20.0, search_timeout_s=20.0)

    for call in FIRST_CALLS:
        async with client(call) as vectors:
            await vectors.upsert(call, [passage(1, 1, "")], row)
            await vectors.settle(41)
    await mesh.wait("milvus", mesh.kill("milvus"))
    for call, (ask, answer) in FIRST_CALLS.items():
        async with client(call) as vectors:
            assert (call, await ask(vectors, call, row)) == (call, answer)
    for call in FIRST_CALLS:
        async with client(call) as vectors:
            found = [hit.chunk_id for hit in await vectors.search(row[0], where(1, tenant=call), 9)]
            assert (call, found) == (call, {"delete": [], "upsert": [1, 2], "retire": []}.get(call, [1]))
            assert (call, await vectors.position()) == (call, 42 if call == "settle" else 41)


async def test_forbidden_passages_change_neither_hits_nor_how_often_milvus_is_asked(
    vectors: MilvusVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred access ids of which ten are readable, before and after nine times as many near passages under the others."""
    asked: list[str] = []

    class Counting(MilvusClient):  # type: ignore[misc]
        def search(self, *args: object, **kwargs: object) -> object:
            asked.append(str(kwargs["filter"]))
            return super().search(*args, **kwargs)

    monkeypatch.setattr("rag.adapters.milvus_vectors.link.MilvusClient", Counting)
    readable, forbidden, rows = list(range(10)), list(range(10, 100)), of(300, 15)
    await vectors.upsert(TENANT, some(300, readable), rows)
    before = [await vectors.search(row, where(*readable), 50) for row in rows[:10]]
    calls = list(asked)
    await vectors.upsert(TENANT, some(2_700, forbidden, first=10_000), np.tile(rows, (9, 1)))
    await vectors.upsert("bank-b", some(300, readable, first=20_000), rows)
    asked.clear()
    after = [await vectors.search(row, where(*readable), 50) for row in rows[:10]]
    assert [[hit.chunk_id for hit in hits] for hits in after] == [[hit.chunk_id for hit in hits] for hits in before]
    assert (asked, len(asked)) == (calls, 10)
