"""D9. Restore before use: idempotent, counted once, after a lost tail, an older copy, a wipe; one at a time; the log leads."""

import asyncio
import shutil
import signal
import uuid

from meshkit.clock import FakeClock
from risk_scoring import translate
from risk_scoring.adapters.redis_link import RedisLink
from risk_scoring.domain.observation import Decided, Effect, RestoredRecord
from risk_scoring.steps.restore import Restorer

from tests.protocol.desks import EventLog, desk
from tests.protocol.makers import DAY, NOW, feature, label, payment, request, seen
from tests.protocol.mutants import assert_fails_without, lua, swapped
from tests.protocol.stores import opened

APPLIED = ("restore", "counted = record[4] <= tonumber(redis.call('HGET', prefix .. 'applied', record[3]) or -1)", "counted = false")
ENTRY = ("restore", "  if not entry then\n    local counted", "  if true then\n    local counted")


def published(number: int, offset: int = -1, *, decision: bytes = b"", **changes) -> RestoredRecord:
    """A decision as the log holds it; ``offset`` -1: a synchronous one."""
    observation = seen(number, **changes)
    return RestoredRecord(observation, decision or b"decision %d" % number, 0 if offset >= 0 else -1, offset, observation.time_s)


async def count(shelf, number: int = 999) -> float:
    """How many transactions of the customer the store has counted."""
    observed = await shelf.store.observe([seen(number, time_s=NOW + 60)])
    return feature(observed.vectors, "c_count_7d")


async def test_twice_is_once(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            batch = [published(1, 0), published(2, 1), published(3)]
            assert await shelf.restore(batch, next_offset=3) == (3, 3)
            assert await shelf.restore(batch, next_offset=3) == (0, 0)
            assert await shelf.store.published_offset(0) == 2
            assert (await shelf.store.observe([seen(2)])).rows == [Decided(b"decision 2", b"")]
            assert await count(shelf) == 3

    await assert_fails_without("D9", check, lua(*ENTRY), lua("restore", "not stands then", "true then"))


async def test_what_was_observed_is_not_counted_again(private_redis) -> None:
    """The store knows the vector, the decision came to the log only."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1), seen(2)], 0, 1)
            assert await shelf.restore([published(1, 0), published(2, 1)], next_offset=2) == (2, 0)
            assert await count(shelf) == 2

    blind = "  if record[3] >= 0 then record[4] = 1e9 end\n  if true then\n    local counted"
    await assert_fails_without("D9", check, lua("restore", ENTRY[1], blind))


async def test_input_offsets_tell_what_was_counted_when_entries_are_gone(private_redis) -> None:
    async def check() -> None:
        clock = FakeClock(NOW)
        async with opened(private_redis, clock=clock, horizon_s=60) as shelf:
            await shelf.store.observe([seen(1), seen(2)], 0, 1)
            for number in (1, 2):
                await shelf.link.command("DEL", shelf.link.prefix.encode() + b"d:" + seen(number).decision_id)
            clock.advance(3600)
            assert (await shelf.restore([published(1, 0), published(2, 1), published(3, 2)], next_offset=3))[1] == 1
            assert await count(shelf) == 3

    await assert_fails_without("D9", check, lua(*APPLIED))


async def test_a_synchronous_decision_behind_the_horizon_is_not_counted_again(private_redis) -> None:
    """Its entry has expired; that the store was alive after it tells that it was counted. After a wipe it is counted."""

    async def check() -> None:
        clock = FakeClock(NOW)
        for wiped in (False, True):
            async with opened(private_redis, clock=clock, horizon_s=DAY) as shelf:
                base = clock.now_s()
                old = published(1, time_s=int(base))
                if not wiped:
                    await shelf.store.observe([seen(1, time_s=int(base))])
                    clock.advance(2 * DAY)
                    await shelf.store.observe([seen(2, time_s=int(clock.now_s()), customer="other")])
                    await shelf.link.command("DEL", shelf.link.prefix.encode() + b"d:" + seen(1).decision_id)
                else:
                    clock.advance(2 * DAY)
                assert (await shelf.restore([old], next_offset=1))[1] == (1 if wiped else 0)

    rule = "counted = record[5] + horizon_s <= now and record[5] <= alive"
    by_age_alone = lua("restore", rule, "counted = record[5] + horizon_s <= now")
    await assert_fails_without("D9", check, lua("restore", rule, "counted = false"), by_age_alone)


async def test_a_lost_tail_comes_back_from_the_log(private_redis, tmp_path) -> None:
    """Redis dies and comes back with the append-only file of a moment ago; what was published since is decided again the same way."""

    async def check() -> None:
        prefix, log, copy = uuid.uuid4().hex, EventLog(), tmp_path / uuid.uuid4().hex
        async with desk(private_redis, prefix=prefix, log=log) as here:
            before = await here.score(request(payment(1)), 1.0)
            private_redis.kill(signal.SIGTERM)
            shutil.copytree(private_redis._folder, copy)
            private_redis.start()
            await here.restorer.ensure()
            after = await here.score(request(payment(2)), 1.0)
            streamed = await here.streamed(payment(3), first_offset=7)
            log.append("ACCT-6217-0001", streamed[0].value)
        private_redis.kill()
        private_redis.wipe()
        shutil.copytree(copy, private_redis._folder)
        private_redis.start()
        async with desk(private_redis, prefix=prefix, log=log, adopt=False) as here:
            await here.restorer.ensure()
            for number, decision in ((1, before.decision), (2, after.decision), (3, streamed[0].value)):
                (verdict,) = await here.decide(request(payment(number)))
                assert verdict.replayed and verdict.decision == decision
            observed = await here.shelf.store.observe([request(payment(4)).observation])
            assert feature(observed.vectors, "c_count_24h") == 3

    async def forgetful(self, token, partition):
        del self, token, partition

    await assert_fails_without("D9", check, swapped(Restorer, "_partition", forgetful))


async def test_after_a_wipe_the_log_gives_everything_back(private_redis) -> None:
    async def check() -> None:
        prefix, log = uuid.uuid4().hex, EventLog()
        async with desk(private_redis, prefix=prefix, log=log) as here:
            verdicts = [await here.score(request(payment(n, event_time_s=NOW - n)), 1.0) for n in range(5)]
            last = await here.shelf.store.observe([request(payment(9)).observation])
        private_redis.kill()
        private_redis.wipe()
        private_redis.start()
        async with desk(private_redis, prefix=prefix, log=log, adopt=False) as here:
            await here.restorer.ensure()
            again = await here.shelf.store.observe([request(payment(9)).observation])
            assert again.vectors.tobytes() == last.vectors.tobytes()
            for verdict in verdicts:
                assert (await here.decide(verdict.request))[0].decision == verdict.decision

    no_features = lua("restore", "      count(tx)\n", "")
    no_decisions = lua("restore", "    decisions = decisions + 1\n", "    redis.call('DEL', key)\n")
    await assert_fails_without("D9", check, no_features, no_decisions)


async def test_nobody_uses_the_store_while_it_is_restored(private_redis) -> None:
    async def check() -> None:
        prefix, log = uuid.uuid4().hex, EventLog()
        async with desk(private_redis, prefix=prefix, log=log) as other, desk(private_redis, prefix=prefix, log=log, adopt=False) as here:
            await other.shelf.store.observe([seen(4)])
            await here.shelf.link.command("DEL", here.shelf.link.prefix + "generation")
            genuine, used = log.read, []

            async def while_reading(partition, first_offset):
                try:
                    await other.shelf.store.observe([seen(5)])
                    used.append(partition)
                except Exception:
                    pass
                async for each in genuine(partition, first_offset):
                    yield each

            log.read = while_reading
            await here.restorer.ensure()
            assert used == []

    await assert_fails_without("D9", check, lua("observe", "if not generation_ok(ARGV[2]) then", "if false then"))


async def test_two_restores_take_turns(private_redis) -> None:
    """Four processes find the store empty at once; one restores, and the lock is free afterwards."""

    async def check() -> None:
        prefix, log = uuid.uuid4().hex, EventLog()
        for number in range(6):
            async with desk(private_redis, prefix="other" + prefix, log=log) as writer:
                await writer.score(request(payment(number)), 1.0)
        at_once, most = 0, 0
        genuine = log.read

        async def read(partition, first_offset):
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            async for each in genuine(partition, first_offset):
                yield each
            at_once -= 1

        log.read = read
        async with (
            desk(private_redis, prefix=prefix, log=log, adopt=False) as a,
            desk(private_redis, prefix=prefix, log=log, adopt=False) as b,
            desk(private_redis, prefix=prefix, log=log, adopt=False) as c,
        ):
            outcomes = await asyncio.gather(*(each.restorer.ensure() for each in (a, b, c)), return_exceptions=True)
            assert outcomes == [None] * 3
            assert most == 1
            assert a.shelf.link.generation == b.shelf.link.generation == c.shelf.link.generation
            assert not await a.shelf.link.command("EXISTS", prefix + "restoring")
            assert await count(a.shelf) == 0
            observed = await a.shelf.store.observe([request(payment(77)).observation])
            assert feature(observed.vectors, "c_count_24h") == 6

    async def always(self):
        token = uuid.uuid4().hex
        await self.command("SET", self.prefix + "restoring", token)
        return token

    await assert_fails_without("D9", check, swapped(RedisLink, "lock", always))


async def test_a_restore_that_lost_its_lock_writes_nothing(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            token = await shelf.link.lock()
            await shelf.link.command("SET", shelf.link.prefix + "restoring", "somebody else")
            refused = False
            try:
                await shelf.store.restore(token, [published(1)], 0, 1)
            except Exception:
                refused = True
            assert refused
            assert await shelf.store.stored_decision(seen(1).decision_id) is None

    await assert_fails_without("D9", check, lua("restore", "if redis.call('GET', prefix .. 'restoring') ~= ARGV[2] then", "if false then"))


async def test_the_first_record_of_an_id_is_the_decision(private_redis) -> None:
    """Also against what the store holds: a decision that was never published before another one was."""

    async def check() -> None:
        log = EventLog()
        async with desk(private_redis) as elsewhere:
            first = await elsewhere.score(request(payment(1)), 1.0)
        async with desk(private_redis, log=log) as here:
            here.served.scores = [0.9]
            (other,) = await here.decide(request(payment(1)))
            assert other.decision != first.decision
            log.append("ACCT-6217-0001", first.decision)
            log.append("ACCT-6217-0001", other.decision)
            await here.restorer.take_over_all()
            assert (await here.decide(request(payment(1))))[0].decision == first.decision

    genuine = Restorer._readable
    backwards = swapped(Restorer, "_readable", lambda self, records, *rest: genuine(self, list(reversed(records)), *rest))
    await assert_fails_without("D9", check, backwards)


async def test_bytes_that_are_no_decision_do_not_keep_the_store_down(private_redis) -> None:
    async def check() -> None:
        log = EventLog()
        async with desk(private_redis) as elsewhere:
            first = await elsewhere.score(request(payment(1)), 1.0)
        log.append("ACCT-6217-0001", b"\xff\xfe no protobuf")
        log.append("ACCT-6217-0001", b"")
        log.append("ACCT-6217-0001", first.decision)
        async with desk(private_redis, log=log, adopt=False) as here:
            try:
                await here.restorer.ensure()
            except Exception as error:
                raise AssertionError("poison in the log stops the restore") from error
            assert (await here.decide(request(payment(1))))[0].decision == first.decision

    trusting = swapped(Restorer, "_readable", lambda self, records, *rest: map(translate.restored_record, records))
    await assert_fails_without("D9", check, trusting)


async def test_what_was_reported_before_counts_on_restore_too(private_redis) -> None:
    """A label is parked, then its transaction comes back from the log instead of the stream."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            assert await shelf.store.amend([label(seen(1), "L1")], "labels:0", "t@1") == [Effect.WAITS]
            await shelf.restore([published(1, 0)])
            observed = await shelf.store.observe([seen(2, time_s=NOW + 60)])
            assert feature(observed.vectors, "c_fraud_30d") == 1

    await assert_fails_without("D9", check, lua("restore", "      count(tx)\n", "      apply(tx)\n"))


async def test_a_decision_published_after_somebody_elses_restore_is_found(private_redis) -> None:
    """Finalised, then Redis forgot and another process restored it, then published: nobody may decide it another way."""

    async def check() -> None:
        prefix, log = uuid.uuid4().hex, EventLog()
        async with desk(private_redis, prefix=prefix, log=log) as slow, desk(private_redis, prefix=prefix, log=log) as other:
            genuine, first = log.write, True

            async def forgotten_meanwhile(verdicts):
                nonlocal first
                if first:
                    first = False
                    await slow.shelf.link.command("FLUSHALL")
                    await other.restorer.ensure()
                await genuine(verdicts)

            log.write = forgotten_meanwhile
            verdict = await slow.score(request(payment(1)), 1.0)
            other.served.scores = [0.9]
            (again,) = await other.decide(request(payment(1)))
            assert again.decision == verdict.decision == log.first_of(verdict.request.decision_id)

    async def trusting(self, generation):
        del self, generation

    await assert_fails_without("D9", check, swapped(RedisLink, "confirm", trusting))


async def test_the_stream_does_not_commit_what_the_store_forgot(private_redis) -> None:
    async def check() -> None:
        prefix, log = uuid.uuid4().hex, EventLog()
        async with desk(private_redis, prefix=prefix, log=log) as here, desk(private_redis, prefix=prefix, log=log) as other:
            await here.streamed(payment(1))
            await here.stream.confirm(0)
            await here.streamed(payment(2), first_offset=1)
            await here.shelf.link.command("FLUSHALL")
            await other.restorer.ensure()
            refused = False
            try:
                await here.stream.confirm(0)
            except Exception:
                refused = True
            assert refused

    async def trusting(self, generation):
        del self, generation

    await assert_fails_without("D9", check, swapped(RedisLink, "confirm", trusting))
