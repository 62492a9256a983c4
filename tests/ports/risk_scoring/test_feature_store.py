"""The port FeatureStore: one suite, on a real Redis only, because the adapter is the logic (its rules are in tests/protocol)."""

import asyncio

import numpy as np
import pytest
from meshkit.errors import InvalidArgument, Unavailable
from risk_scoring.domain.features import COUNT
from risk_scoring.domain.observation import Decided, New, StoredVector, Won
from risk_scoring.ports import FeatureStore, StoreForgotten

from tests.protocol.makers import NO_CAP, TENANT, candidate, label, seen
from tests.protocol.stores import Shelf, opened


@pytest.fixture
async def shelf(private_redis):
    async with opened(private_redis) as made:
        yield made


async def test_observe_answers_in_order_with_vectors_of_the_schema(shelf: Shelf) -> None:
    store: FeatureStore = shelf.store
    observed = await store.observe([seen(1), seen(2), seen(1)], 0, 2)
    assert observed.rows == [New(), New(), StoredVector(1)]
    assert observed.vectors.shape == (3, COUNT) and observed.vectors.dtype == np.float32
    assert np.isfinite(observed.vectors).all()


async def test_finalise_answers_in_order(shelf: Shelf) -> None:
    await shelf.store.finalise([candidate(seen(2), b"two")], {TENANT: NO_CAP})
    final = await shelf.store.finalise([candidate(seen(n), b"new %d" % n) for n in (1, 2, 3)], {TENANT: NO_CAP}, {0: 5})
    assert final == [Won(), Decided(b"two", b"audit of two"), Won()]
    assert await shelf.store.published_offset(0) == 5
    await shelf.store.finalise([], {}, {0: 3})
    assert await shelf.store.published_offset(0) == 5, "a mark never goes back"


async def test_stored_decision(shelf: Shelf) -> None:
    assert await shelf.store.stored_decision(seen(1).decision_id) is None
    await shelf.store.observe([seen(1)])
    assert await shelf.store.stored_decision(seen(1).decision_id) is None, "a vector is no decision"
    await shelf.store.finalise([candidate(seen(1), b"one")], {TENANT: NO_CAP})
    assert await shelf.store.stored_decision(seen(1).decision_id) == b"one"


async def test_entries_expire_with_the_horizon(shelf: Shelf) -> None:
    await shelf.store.observe([seen(1)])
    await shelf.store.finalise([candidate(seen(1), b"one")], {TENANT: NO_CAP})
    key = shelf.link.prefix.encode() + b"d:" + seen(1).decision_id
    assert 86_000 < await shelf.link.command("TTL", key) <= 86_400
    for other in await shelf.keys():
        lasting = other.removeprefix(shelf.link.prefix.encode()) in {b"generation", b"clock", b"published", b"applied", b"amended"}
        assert lasting or await shelf.link.command("TTL", other) > 0, f"{other!r} stays for ever"


async def test_positions_of_corrections(shelf: Shelf) -> None:
    assert await shelf.store.amended() == {}
    await shelf.store.amend([label(seen(1), "L1")], "labels:0", "id@7")
    await shelf.store.amend([], "labels:1", "id@2")
    assert await shelf.store.amended() == {"labels:0": "id@7", "labels:1": "id@2"}


async def test_a_store_that_is_gone_is_unavailable(shelf: Shelf, private_redis) -> None:
    private_redis.kill()
    for call in (
        lambda: shelf.store.observe([seen(1)]),
        lambda: shelf.store.finalise([candidate(seen(1), b"d")], {TENANT: NO_CAP}),
        lambda: shelf.store.amend([], "labels:0", "id@1"),
        shelf.store.amended,
        lambda: shelf.store.stored_decision(bytes(16)),
        lambda: shelf.store.confirm("g"),
    ):
        with pytest.raises(Unavailable) as gone:
            await call()
        assert gone.value.reason == "FEATURE_STORE_DOWN"


async def test_a_store_that_was_never_restored_is_forgotten(private_redis) -> None:
    async with opened(private_redis, adopt=False) as shelf:
        with pytest.raises(StoreForgotten):
            await shelf.store.observe([seen(1)])
        assert shelf.store.generation == ""


async def test_confirm_knows_its_generation(shelf: Shelf) -> None:
    await shelf.store.confirm(shelf.store.generation)
    with pytest.raises(StoreForgotten):
        await shelf.store.confirm("another")


async def test_a_stalled_store_is_given_up_in_time(private_redis) -> None:
    """In the call's own time: it answers nobody before the test is over, and any other call would be waited for as long."""
    async with opened(private_redis, timeout_ms=600_000) as shelf:
        await shelf.store.observe([seen(1)])
        await shelf.link.command("CLIENT", "PAUSE", 600_000, "ALL")
        async with asyncio.timeout(60):
            with pytest.raises(Unavailable):
                await shelf.store.observe([seen(2)], timeout_s=0.02)


async def test_a_candidate_without_a_cap_is_refused_before_anything_is_written(shelf: Shelf) -> None:
    with pytest.raises(InvalidArgument):
        await shelf.store.finalise([candidate(seen(1), b"d"), candidate(seen(2), b"d", scope="unknown")], {TENANT: NO_CAP})
    assert await shelf.store.stored_decision(seen(1).decision_id) is None
