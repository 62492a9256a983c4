"""Start and end of every generation, whoever dies at whichever statement: never a start without an end, never two ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.clock import FakeClock, SystemClock
from meshkit.errors import FailedPrecondition, Unavailable
from router.adapters import redis_open_generations
from router.domain.evidence import Checkpoint, EvidenceTiming, Orphan
from router.steps.evidence import COMPONENT, Evidence
from router.steps.sweep import Sweeper

from tests.ports.router.routers import LEASE_S, PREFIX, AuditLog, Killed, Life, Router, Unlucky, kept, passed, routed
from tests.protocol.mutants import Mutant, assert_fails_without, rewritten, swapped
from tests.stack import PrivateRedis
from tests.unit.router.generations import codec, end_facts, generation_id, start_facts

Check = Callable[[], Awaitable[None]]
_numbers = count(1)


@pytest.fixture
def log() -> AuditLog:
    return AuditLog()


@pytest.fixture
async def first(private_redis: PrivateRedis, log: AuditLog) -> AsyncIterator[Router]:
    async with routed(private_redis, log) as router:
        yield router


@pytest.fixture
async def second(private_redis: PrivateRedis, log: AuditLog) -> AsyncIterator[Router]:
    """Another router, whose clock is ten minutes off."""
    async with routed(private_redis, log, clock=FakeClock(1_750_000_600.0)) as router:
        yield router


def script(name: str, old: str, new: str = "") -> Mutant:
    """Routers made inside run a script with a part replaced."""
    genuine = redis_open_generations._script

    def mutated(wanted: str) -> str:
        source = genuine(wanted)
        if wanted == name:
            assert old in source, f"{name}.lua has no {old!r} any more"
            source = source.replace(old, new)
        return source

    return swapped(redis_open_generations, "_script", mutated)


def end_of(log: AuditLog, number: int) -> AuditRecord:
    """The one end of a generation that has a start."""
    told = log.told()[generation_id(number)]
    assert len(told["started"]) == 1, "a start, and no two"
    assert len(told["ended"]) == 1, "an end, and no two"
    return AuditRecord.FromString(next(iter(told["ended"])))


async def test_a_start_stands_before_the_first_byte_and_an_end_before_the_last(first: Router, log: AuditLog) -> None:
    number = next(_numbers)
    started = await first.evidence.started(start_facts(number))
    assert [AuditRecord.FromString(each).audit_record_id for each in log.records] == [started]
    await first.evidence.beat()
    first.evidence.checkpoint(generation_id(number), 32)
    ended = await first.evidence.ended(end_facts(number))
    assert [AuditRecord.FromString(each).audit_record_id for each in log.records] == [started, ended]
    assert not end_of(log, number).generation.ended.interrupted
    await first.evidence.beat()
    assert await kept(first) == set(), "nothing is left but that it is done"


async def test_a_silent_router_s_generation_is_closed_at_its_last_checkpoint(first: Router, second: Router, log: AuditLog) -> None:
    number = next(_numbers)
    await first.evidence.started(start_facts(number))
    for tokens in (32, 64):
        first.evidence.checkpoint(generation_id(number), tokens)
    await first.evidence.beat()
    first.evidence.checkpoint(generation_id(number), 96)
    assert await second.sweep() == 0, "its lease runs"
    await passed(second)
    assert await second.sweep() == 1
    ended = end_of(log, number).generation.ended
    assert ended.interrupted and ended.usage.output_tokens == 64
    assert await kept(second) == set()
    assert await second.sweep() == 0


async def life(router: Router, number: int) -> None:
    """What a router does with one generation, every call to the store and the log among it."""
    await router.evidence.started(start_facts(number))
    router.evidence.checkpoint(generation_id(number), 32)
    await router.evidence.beat()
    router.evidence.checkpoint(generation_id(number), 64)
    router.clock.advance(6)
    await router.evidence.beat()
    await router.evidence.ended(end_facts(number))
    await router.evidence.beat()


async def test_a_router_may_be_killed_at_any_statement_and_the_sweepers_too(private_redis: PrivateRedis) -> None:
    """Every place in a router's life, before and after each call, times every place in that of the sweeper that comes after it."""
    whole = Life()
    async with routed(private_redis, AuditLog(), whole) as router:
        await life(router, next(_numbers))
    assert whole.calls >= 7
    interrupted = set()
    for dies_at in range(whole.calls):
        for is_before in (True, False):
            for sweeper_dies_at, sweeper_before in [(place, when) for place in range(4) for when in (True, False)]:
                number, log = next(_numbers), AuditLog()
                async with routed(private_redis, log, Life(dies_at, is_before)) as router:
                    with suppress(Killed):
                        await life(router, number)
                    async with routed(private_redis, log, Life(sweeper_dies_at, sweeper_before)) as other:
                        await passed(other)
                        with suppress(Killed):
                            await other.sweep()
                    async with routed(private_redis, log) as last:
                        await passed(last)
                        await last.sweep()
                        assert await kept(last) == set(), (dies_at, is_before, sweeper_dies_at)
                if dies_at or not is_before:
                    interrupted.add((dies_at, is_before, end_of(log, number).generation.ended.interrupted))
                else:
                    assert not log.records, "it died before anything was done"
    assert {each[2] for each in interrupted} == {True, False}
    assert len(interrupted) == 2 * whole.calls - 1, "what stands depends on where the router died and not on where the sweeper did"


async def test_any_answer_may_be_lost(private_redis: PrivateRedis) -> None:
    """Each call of a router's life, and each two of them, fails once: before it was done, or after."""
    whole = Life()
    async with routed(private_redis, AuditLog(), whole) as router:
        await life(router, next(_numbers))
    places = [{one: is_done} for one in range(whole.calls + 1) for is_done in (True, False)]
    both = [first | second for first in places for second in places if max(first) < max(second)]
    for fails in [*places, *both]:
        number, log = next(_numbers), AuditLog()
        async with routed(private_redis, log, Unlucky(fails=fails)) as router, routed(private_redis, log) as other:
            is_told = await lived(router, number)
            await passed(other)
            await other.sweep()
            assert await kept(other) == set(), fails
            if log.records:
                assert end_of(log, number).generation.ended.interrupted in ((False,) if is_told else (True, False)), fails
            else:
                assert not is_told


async def lived(router: Router, number: int) -> bool:
    """A life in which beats that fail come again; whether the client was told that its generation ended."""
    try:
        await router.evidence.started(start_facts(number))
        for tokens in (32, 64):
            router.evidence.checkpoint(generation_id(number), tokens)
            for _ in range(3):
                with suppress(Unavailable):
                    await router.evidence.beat()
            router.clock.advance(6)
        await router.evidence.ended(end_facts(number))
    except Unavailable:
        return False
    with suppress(Unavailable):
        await router.evidence.beat()
    return True


async def test_one_end_whoever_is_first(private_redis: PrivateRedis) -> None:
    log = AuditLog()
    async with routed(private_redis, log) as owner, routed(private_redis, log) as other:
        for turns in range(24):
            number = next(_numbers)
            await owner.evidence.started(start_facts(number))
            await passed(other)
            other.clock.advance(LEASE_S)

            async def late(turns: int = turns, number: int = number) -> str:
                for _ in range(turns % 8):
                    await asyncio.sleep(0)
                return await owner.evidence.ended(end_facts(number))

            outcomes = await asyncio.gather(late(), other.sweeper.sweep(), return_exceptions=True)
            assert all(isinstance(each, str | int) or getattr(each, "reason", "") == "EVIDENCE_LOST" for each in outcomes), outcomes
            stands = end_of(log, number)
            assert isinstance(outcomes[0], str) != stands.generation.ended.interrupted, "who was told that it ended was told the truth"


async def test_a_router_that_slept_through_its_lease_ends_nothing(private_redis: PrivateRedis) -> None:
    async def check() -> None:
        for is_written in (True, False):
            log, number = AuditLog(), next(_numbers)
            async with routed(private_redis, log) as owner, routed(private_redis, log) as other:
                await owner.evidence.started(start_facts(number))
                await passed(other)
                log.is_down = not is_written
                with suppress(Unavailable):
                    await other.sweep()
                log.is_down = False
                with suppress(Unavailable):
                    raise AssertionError(f"it was told of an end: {await owner.evidence.ended(end_facts(number))}")
                await passed(other)
                await other.sweep()
                assert end_of(log, number).generation.ended.interrupted

    await assert_fails_without(
        "one end",
        check,
        script("claim", "if known[2] then return known[2] end"),
        script("claim", "(redis.call('EXISTS', done(id)) == 1 or now > tonumber(ARGV[6]))", "false"),
        rewritten(Evidence, "_end", "if stands != record.content:", "if False:"),
    )


async def test_a_router_that_cannot_renew_gives_its_generations_up(private_redis: PrivateRedis, log: AuditLog) -> None:
    async def check() -> None:
        async with routed(private_redis, log) as router:
            number = next(_numbers)
            await router.evidence.started(start_facts(number))
            for _ in range(3):
                router.clock.advance(LEASE_S - 0.1)
                await router.evidence.beat()
            router.clock.advance(LEASE_S - 0.1)
            router.evidence.checkpoint(generation_id(number), 32)
            router.clock.advance(0.2)
            with pytest.raises(Unavailable) as caught:
                _raises_lost(router, number)
            assert caught.value.reason == "EVIDENCE_LOST"

    def _raises_lost(router: Router, number: int) -> None:
        try:
            router.evidence.checkpoint(generation_id(number), 64)
        except Unavailable:
            raise
        raise AssertionError("it went on")

    await assert_fails_without("lease", check, rewritten(Evidence, "checkpoint", "or self._clock.monotonic_s() >= mine.until_s"))


async def test_who_is_closed_is_told_with_the_next_checkpoint(first: Router, second: Router, log: AuditLog) -> None:
    number = next(_numbers)
    await first.evidence.started(start_facts(number))
    await passed(second)
    await second.sweep()
    first.evidence.checkpoint(generation_id(number), 32)
    await first.evidence.beat()
    with pytest.raises(Unavailable):
        first.evidence.checkpoint(generation_id(number), 64)
    assert end_of(log, number).generation.ended.usage.output_tokens == 0


async def snapshot(router: Router) -> dict[bytes, bytes]:
    redis = router.store._redis
    return {key: await redis.dump(key) for key in await redis.keys(PREFIX + "*")}


async def forget(router: Router, before: dict[bytes, bytes]) -> None:
    """Redis goes back to what it knew earlier, as after a crash that took the last second along."""
    redis = router.store._redis
    await redis.flushall()
    for key, content in before.items():
        await redis.restore(key, 0, content)


async def test_an_end_that_redis_forgot_is_not_ended_again(private_redis: PrivateRedis) -> None:
    async def check() -> None:
        log, number = AuditLog(), next(_numbers)
        async with routed(private_redis, log) as owner, routed(private_redis, log) as other:
            await owner.evidence.started(start_facts(number))
            before = await snapshot(owner)
            await owner.evidence.ended(end_facts(number))
            await owner.evidence.beat()
            await forget(owner, before)
            owner.clock.advance(6)
            await owner.evidence.beat()
            await passed(other)
            await other.sweep()
            assert not end_of(log, number).generation.ended.interrupted
            await owner.store._redis.flushall()

    await assert_fails_without(
        "ends are told again",
        check,
        script("renew", "for place = 5 + 3 * count, #ARGV do settled(ARGV[place], ARGV[3]) end"),
        rewritten(Evidence, "beat", "list(self._in_log) if is_due else self._new_in_log", "self._new_in_log"),
    )


@pytest.mark.parametrize("step", ["running", "at the end"])
async def test_a_start_that_redis_forgot_is_entered_again(private_redis: PrivateRedis, step: str) -> None:
    async def check() -> None:
        log, number = AuditLog(), next(_numbers)
        async with routed(private_redis, log) as owner, routed(private_redis, log) as other:
            await owner.evidence.started(start_facts(number))
            await forget(owner, {})
            if step == "running":
                owner.evidence.checkpoint(generation_id(number), 32)
                with suppress(Unavailable):
                    await owner.evidence.beat()
                await passed(other)
                assert await other.sweep() == 1
                assert end_of(log, number).generation.ended.usage.output_tokens == 32
            else:
                with suppress(Unavailable):
                    await owner.evidence.ended(end_facts(number))
                assert not end_of(log, number).generation.ended.interrupted

    mutant = (
        rewritten(Evidence, "_renewed", "answer == _FORGOTTEN", "False")
        if step == "running"
        else script("claim", "or now > tonumber(ARGV[6])", "or true")
    )
    await assert_fails_without("forgotten starts", check, mutant)


async def test_what_was_forgotten_is_not_entered_again_after_its_lease(first: Router, second: Router) -> None:
    """It may have been closed, and the trace of that be gone: a process may sleep for days between a look at the clock and a call."""
    number = next(_numbers)
    last, start = Checkpoint(generation_id(number), 0, 1), codec(FakeClock()).started(start_facts(number)).content
    assert await first.store.open(last, start, until_ms=1_000) == 0
    assert await first.store.claim(generation_id(number), start, b"end", until_ms=1_000) == b""
    until_ms = await first.store.open(last, start)
    await second.store.settle([generation_id(number)])
    assert await first.store.open(last, start) == 0
    assert await first.store.open(last, start, until_ms) == 0
    assert await first.store.claim(generation_id(number), start, b"end", until_ms) == b""


async def test_a_call_that_is_repeated_changes_nothing(first: Router) -> None:
    number = next(_numbers)
    last, start = Checkpoint(generation_id(number), 0, 1), b"start"
    until_ms = await first.store.open(last, start)
    assert await first.store.open(last, start) >= until_ms > 1_700_000_000_000
    assert await first.store.open(last, b"another") == 0, "an id is one generation's"
    assert await first.store.claim(generation_id(number), start, b"end", until_ms) == b"end"
    assert await first.store.claim(generation_id(number), start, b"another end", until_ms) == b"end"
    assert await first.store.open(last, start) == 0
    await first.store.settle([generation_id(number)] * 2)
    assert await first.store.claim(generation_id(number), start, b"end", until_ms) == b""


async def test_an_owner_that_comes_back_in_time_keeps_its_generation(private_redis: PrivateRedis, log: AuditLog) -> None:
    async def check() -> None:
        async with routed(private_redis, log) as owner, routed(private_redis, log) as other:
            number = next(_numbers)
            await owner.store._redis.flushall()
            await owner.evidence.started(start_facts(number))
            await passed(other)
            (orphan,) = await other.store.orphans(10)
            owner.evidence.checkpoint(generation_id(number), 32)
            await owner.evidence.beat()
            assert await other.store.take_over(orphan, b"end") == b""
            await passed(other)
            assert await other.store.take_over(orphan, b"end") == b"", "it tells of fewer tokens than were sent"
            await owner.evidence.ended(end_facts(number))
            await owner.evidence.beat()

    await assert_fails_without(
        "leases hold",
        check,
        script("take_over", "or known[3] ~= ARGV[5]"),
        script("take_over", "or tonumber(until_ms) > now or known[3] ~= ARGV[5]"),
    )


async def test_a_claimed_end_is_not_claimed_by_a_sweeper_that_looked_before(private_redis: PrivateRedis, log: AuditLog) -> None:
    async def check() -> None:
        async with routed(private_redis, log) as owner, routed(private_redis, log) as other:
            number = next(_numbers)
            await owner.store._redis.flushall()
            await owner.evidence.started(start_facts(number))
            await passed(other)
            (orphan,) = await other.store.orphans(10)
            start = orphan.started
            assert await owner.store.claim(generation_id(number), start, b"mine", until_ms=0) == b"mine"
            await passed(other)
            assert await other.store.take_over(orphan, b"other") == b"mine"
            assert await owner.store.claim(generation_id(number), start, b"mine", until_ms=0) == b"mine"

    await assert_fails_without("one claim", check, script("take_over", "if known[2] then return known[2] end"))


async def test_one_router_sweeps_at_a_time(first: Router, second: Router) -> None:
    number = next(_numbers)
    await first.evidence.started(start_facts(number))
    await passed(first)
    assert len(await first.store.orphans(10)) == 1
    assert await second.store.orphans(10) == []
    assert len(await first.store.orphans(10)) == 1
    await first.store._redis.delete(PREFIX + "sweeper")
    assert len(await second.store.orphans(10)) == 1


async def test_without_redis_nothing_begins(private_redis: PrivateRedis, first: Router, log: AuditLog) -> None:
    private_redis.kill()
    with pytest.raises(Unavailable) as caught:
        await first.evidence.started(start_facts(next(_numbers)))
    assert caught.value.reason == "EVIDENCE_DOWN"
    assert not log.records
    with pytest.raises(Unavailable):
        first.clock.advance(6)
        await first.evidence.beat()
    assert first.health.missing == {COMPONENT: "EVIDENCE_DOWN"}
    private_redis.start()
    await first.evidence.beat()
    assert not first.health.missing


async def test_without_the_log_nothing_begins_and_what_may_have_begun_is_closed(first: Router, second: Router, log: AuditLog) -> None:
    number = next(_numbers)
    log.is_down = True
    with pytest.raises(Unavailable) as caught:
        await first.evidence.started(start_facts(number))
    assert caught.value.reason == "EVENT_LOG_DOWN"
    await passed(second)
    first.clock.advance(6)
    await first.evidence.beat()
    with pytest.raises(Unavailable):
        await second.sweep()
    log.is_down = False
    await passed(first)
    assert await first.sweep() == 1
    assert end_of(log, number).generation.ended.interrupted


QUICK = EvidenceTiming(lease_s=LEASE_S, end_s=0.3)


@pytest.mark.parametrize("what", ["redis", "log"])
async def test_an_end_that_cannot_be_recorded_in_time_is_a_typed_error_and_recorded_by_somebody(
    private_redis: PrivateRedis, log: AuditLog, what: str
) -> None:
    number = next(_numbers)
    async with routed(private_redis, log, clock=SystemClock(), timing=QUICK) as owner:
        await owner.evidence.started(start_facts(number))
        if what == "redis":
            private_redis.kill()
        log.is_down = what == "log"
        with pytest.raises(Unavailable) as caught:
            await owner.evidence.ended(end_facts(number))
        assert caught.value.reason in {"redis": {"EVIDENCE_DOWN", "NOT_RECORDED"}, "log": {"EVENT_LOG_DOWN", "NOT_RECORDED"}}[what]
    if what == "redis":
        private_redis.start()
    log.is_down = False
    async with routed(private_redis, log) as other:
        await passed(other)
        assert await other.sweep() == 1
    assert end_of(log, number).generation.ended.interrupted == (what == "redis"), "a claimed end is written as it was claimed"


async def test_redis_may_be_away_for_a_moment_at_the_end(private_redis: PrivateRedis, log: AuditLog) -> None:
    number = next(_numbers)
    async with routed(private_redis, log, clock=SystemClock()) as owner:
        await owner.evidence.started(start_facts(number))
        private_redis.kill()
        ending = asyncio.create_task(owner.evidence.ended(end_facts(number)))
        await asyncio.sleep(0)
        await asyncio.to_thread(private_redis.start)
        await ending
    assert not end_of(log, number).generation.ended.interrupted


async def test_an_end_goes_on_when_its_caller_goes_away(first: Router, log: AuditLog) -> None:
    for turns in range(6):
        number = next(_numbers)
        await first.evidence.started(start_facts(number))
        call = asyncio.create_task(first.evidence.ended(end_facts(number)))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        if turns:
            await first.evidence.aclose()
            assert not end_of(log, number).generation.ended.interrupted
    await first.evidence.aclose()


async def test_a_router_that_comes_back_first_says_what_it_has(private_redis: PrivateRedis, log: AuditLog) -> None:
    """Behind an outage leases are over that nobody could renew."""

    async def check() -> None:
        async with routed(private_redis, log) as owner, routed(private_redis, log) as other:
            number = next(_numbers)
            await owner.evidence.started(start_facts(number))
            other.clock.advance(LEASE_S)
            private_redis.kill()
            with pytest.raises(Unavailable):
                await other.sweeper.sweep()
            private_redis.start()
            await passed(other)
            assert await other.sweeper.sweep() == 0
            owner.clock.advance(6)
            await owner.evidence.beat()
            other.clock.advance(LEASE_S)
            assert await other.sweeper.sweep() == 0
            await owner.evidence.ended(end_facts(number))
            await owner.evidence.beat()
            assert not end_of(log, number).generation.ended.interrupted

    await assert_fails_without("grace", check, rewritten(Sweeper, "sweep", "self._wait()", "pass"))


async def test_a_generation_that_its_router_forgot_is_given_up(first: Router, second: Router, log: AuditLog) -> None:
    number = next(_numbers)
    await first.evidence.started(start_facts(number))
    for _ in range(int(3_600 / 6) + 1):
        first.clock.advance(6)
        await first.evidence.beat()
    with pytest.raises(Unavailable):
        first.evidence.checkpoint(generation_id(number), 32)
    await passed(second)
    assert await second.sweep() == 1
    assert end_of(log, number).generation.ended.interrupted


async def test_what_cannot_be_read_holds_nothing_up(first: Router, second: Router, log: AuditLog, caplog: Any) -> None:
    broken, number = next(_numbers), next(_numbers)
    await first.store.open(Checkpoint(generation_id(broken), 0, 0), b"\xff\xff")
    await first.evidence.started(start_facts(number))
    await passed(second)
    assert await second.sweep() == 1
    assert end_of(log, number).generation.ended.interrupted
    assert "can't be read" in caplog.text


async def test_a_checkpoint_that_could_not_be_written_down_is_written_with_the_next(
    private_redis: PrivateRedis, first: Router, log: AuditLog
) -> None:
    number = next(_numbers)
    await first.evidence.started(start_facts(number))
    first.clock.advance(6)
    await first.evidence.beat()
    first.evidence.checkpoint(generation_id(number), 32)
    private_redis.kill()
    with pytest.raises(Unavailable):
        await first.evidence.beat()
    private_redis.start()
    await first.evidence.beat()
    await passed(first)
    assert await first.sweep() == 1
    assert end_of(log, number).generation.ended.usage.output_tokens == 32


async def test_many_are_closed_at_once_and_checkpoints_go_together(private_redis: PrivateRedis, log: AuditLog) -> None:
    whole, numbers = Life(), [next(_numbers) for _ in range(50)]
    async with routed(private_redis, log, whole) as router:
        await asyncio.gather(*(router.evidence.started(start_facts(number)) for number in numbers))
        calls = whole.calls
        for number in numbers:
            router.evidence.checkpoint(generation_id(number), number)
        await router.evidence.beat()
        assert whole.calls == calls + 1, "one call for all checkpoints"
        await passed(router)
        calls = whole.calls
        assert await router.sweep() == 50
        assert whole.calls == calls + 50 + 3
    assert [end_of(log, number).generation.ended.usage.output_tokens for number in numbers] == numbers
    assert all(AuditRecord.FromString(each).generation.started.prompt_tokens == 4 for each in log.records[:50])


async def test_a_redis_that_may_lose_what_it_was_told_is_refused(private_redis: PrivateRedis, tmp_path: Path) -> None:
    forgetful = PrivateRedis(private_redis._program, tmp_path / "forgetful", append_only=False)
    forgetful.start()
    try:
        async with routed(forgetful, AuditLog()) as router:
            with pytest.raises(FailedPrecondition) as caught:
                await router.sweeper.run()
            assert caught.value.reason == "STORE_NOT_DURABLE"
    finally:
        forgetful.kill()


async def test_orphans_say_what_they_were(first: Router, second: Router) -> None:
    number = next(_numbers)
    await first.store.open(Checkpoint(generation_id(number), 0, 5), b"start")
    last = Checkpoint(generation_id(number), 64, 7)
    assert (await first.store.renew([last], []))[0] > 1_700_000_000_000
    assert await second.store.orphans(10) == [], "its lease runs"
    await passed(second)
    assert await second.store.orphans(10) == [Orphan(Checkpoint(generation_id(number), 64, 7), b"start")]
    assert await first.store.renew([Checkpoint(generation_id(next(_numbers)), 1, 1)], []) == [-1]
    await second.store.take_over(Orphan(last, b"start"), b"end")
    assert await first.store.renew([last], []) == [0], "it was claimed"
    await second.store.settle([last.generation_id])
    assert await first.store.renew([last], []) == [0], "it is done"
