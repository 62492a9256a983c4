"""D4. Observe: a stored decision, else a stored vector, else features; nothing is written before everything is validated."""

import pytest
from meshkit.errors import InvalidArgument
from risk_scoring.domain.features import COUNT
from risk_scoring.domain.observation import Decided, New, StoredVector

from tests.protocol.makers import NO_CAP, NOW, TENANT, candidate, feature, seen
from tests.protocol.mutants import assert_fails_without, lua
from tests.protocol.stores import opened


async def test_a_repeated_transaction_gets_the_stored_vector_and_counts_once(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            first = await shelf.store.observe([seen(1)])
            between = await shelf.store.observe([seen(2, time_s=NOW + 5)])
            again = await shelf.store.observe([seen(1)])
            assert (first.rows, again.rows) == ([New()], [StoredVector(1)])
            assert again.vectors.tobytes() == first.vectors.tobytes()
            last = await shelf.store.observe([seen(3, time_s=NOW + 9)])
            assert feature(between.vectors, "c_count_1h") == 1
            assert feature(last.vectors, "c_count_1h") == 2

    await assert_fails_without(
        "D4",
        check,
        lua("observe", "  if stored then\n    local entry", "  if false then\n    local entry"),
        lua("observe", "redis.call('SET', key, pack({ 1, tx[PRINT], schema, vector, partition, offset }), 'EX', horizon_s)", ""),
    )


async def test_a_stored_decision_comes_first(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            await shelf.store.finalise([candidate(seen(1), b"decision")], {TENANT: NO_CAP})
            observed = await shelf.store.observe([seen(2), seen(1), seen(3)])
            assert observed.rows == [New(), Decided(b"decision", b"audit of decision"), New()]
            assert observed.vectors.shape == (2, COUNT)

    await assert_fails_without("D4", check, lua("observe", "  if stored then\n    local entry", "  if false then\n    local entry"))


async def test_within_one_batch_too(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            observed = await shelf.store.observe([seen(1), seen(1), seen(2)])
            assert observed.rows == [New(), StoredVector(1), New()]
            assert observed.vectors[0].tobytes() == observed.vectors[1].tobytes()
            assert feature(observed.vectors, "c_count_1h") == 1

    await assert_fails_without("D4", check, lua("observe", "  if stored then\n    local entry", "  if false then\n    local entry"))


@pytest.mark.parametrize(
    "wrong",
    [{"decision_id": b"short"}, {"amount_minor": -1}, {"time_s": float("nan")}, {"customer_key": b""}, {"channel": None}, {"place": "x"}],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_a_bad_row_leaves_nothing_behind(private_redis, wrong) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            before = await shelf.contents()
            with pytest.raises(InvalidArgument) as refused:
                await shelf.store.observe([seen(1), seen(2, **wrong)], 0, 7)
            assert refused.value.reason == "INVALID_TRANSACTION"
            assert await shelf.contents() == before

    half_way = "for i, tx in ipairs(batch) do\n  for field = ID, ACCOUNT do"
    written = "redis.call('SET', prefix .. 'half', '1')\n" + half_way
    await assert_fails_without("D4", check, lua("observe", half_way, written))


async def test_the_source_offset_is_kept_with_the_vector_and_never_goes_back(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)], 3, 41)
            await shelf.store.observe([seen(1)], 3, 12)  # a rewind
            await shelf.store.observe([seen(2)])  # a synchronous request has none
            assert await shelf.link.command("HGETALL", shelf.link.prefix + "applied") == {b"3": b"41"}

    await assert_fails_without("D4", check, lua("observe", "and offset > applied then", "then"))
