"""D22. What a decision without the store must not race with: itself by another call, and the store's own decision on its way out."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import Any

from meshkit.errors import Unavailable
from risk_scoring.domain.decision import Verdict
from risk_scoring.steps import decide_on_log, outage
from risk_scoring.steps.outage import Outage
from risk_scoring.steps.restore import Restorer

from tests.protocol.desks import Desk, desk
from tests.protocol.loops import until
from tests.protocol.makers import payment, request
from tests.protocol.mutants import assert_fails_without, swapped
from tests.stack import PrivateRedis

GONE = Unavailable("the feature store does not answer", reason="FEATURE_STORE_DOWN")


async def held(at: Desk) -> None:
    """Returns when the outage has taken the partitions."""
    await until(lambda: at.outage_log.entered, "the outage")


class NobodyWaits(defaultdict[Any, Any]):
    """A dictionary by default, but its locks hold nobody."""

    def __init__(self, factory: Callable[[], Any]) -> None:
        super().__init__(nullcontext if factory is asyncio.Lock else factory)


async def test_two_calls_of_one_transaction_write_one_record(private_redis: PrivateRedis) -> None:
    """The second looks while the first writes: both found nothing and wrote a decision each, the second of which no reader takes."""
    private_redis.kill()

    async def check() -> None:
        async with desk(private_redis, after_s=0.0, adopt=False) as at:
            at.outage.store_failed(GONE)
            await held(at)
            at.log.before_publish = lambda: asyncio.sleep(0.01)
            asked = request(payment(1))
            first, second = await asyncio.gather(at.outage.decide([asked]), at.outage.decide([asked]))
            assert len(at.log.all()) == len(at.log.audits) == 1
            assert first[0].decision == second[0].decision == at.log.all()[0]

    await assert_fails_without("D22", check, swapped(decide_on_log, "defaultdict", NobodyWaits))


async def test_the_outage_begins_when_what_the_store_decided_has_arrived(private_redis: PrivateRedis) -> None:
    """A decision of the store that is still being sent would land behind the outage's own decision of the same transaction."""

    async def check() -> None:
        async with desk(private_redis, after_s=0.0) as at:
            sending, arrived, known = asyncio.Event(), asyncio.Event(), []
            enter, write = at.outage_log.enter, at.log.write

            async def late(verdicts: Sequence[Verdict]) -> None:
                sending.set()
                await arrived.wait()
                await write(verdicts)

            async def entered() -> None:
                known.extend(at.log.all())
                await enter()

            at.log.write, at.outage_log.enter = late, entered  # type: ignore[method-assign]
            calling = asyncio.create_task(at.score(request(payment(1)), 5.0))
            await sending.wait()
            at.outage._begin(GONE.reason)
            asyncio.get_running_loop().call_later(0.02, arrived.set)
            await held(at)
            assert known == [(await calling).decision]

    async def at_once(self: Outage) -> None:
        return None

    await assert_fails_without("D22", check, swapped(Outage, "_drained", at_once))


async def test_what_the_store_decided_is_not_sent_after_the_outage_began(private_redis: PrivateRedis) -> None:
    """Its answer came late: by then the same transaction may have been decided without the store."""

    async def check() -> None:
        async with desk(private_redis, after_s=0.0) as at:
            decide = at.decider.decide

            async def slow(*args: object, **options: object) -> list[Verdict]:
                verdicts = await decide(*args, **options)  # type: ignore[arg-type]
                at.outage._begin(GONE.reason)
                return verdicts

            at.decider.decide = slow  # type: ignore[method-assign,assignment]
            answers = await asyncio.gather(at.score(request(payment(1)), 5.0), return_exceptions=True)
            assert at.log.all() == []
            assert isinstance(answers[0], Unavailable)

    async def whatever(self: Outage, work: Coroutine[None, None, None]) -> None:
        await work

    await assert_fails_without("D22", check, swapped(Outage, "publish", whatever))


async def test_a_store_that_answers_late_is_not_down(private_redis: PrivateRedis) -> None:
    """To take the partitions from the stream because calls had little time makes a busy store busier: it ended in a circle once."""

    async def check() -> None:
        async with desk(private_redis) as at:
            for _ in range(3):
                at.outage.store_failed(GONE)
                at.shelf.clock.advance(0.3)
                if at.outage._doubting is not None:
                    await at.outage._doubting
            assert at.outage_log.entered == 0
            assert not at.outage.active

    async def never(self: Restorer, within_s: float) -> bool:
        return False

    await assert_fails_without("D22", check, swapped(Restorer, "answers", never))


async def test_a_store_that_is_too_slow_for_every_call_is_as_good_as_down(private_redis: PrivateRedis) -> None:
    async def check() -> None:
        async with desk(private_redis) as at:
            for _ in range(10):
                at.outage.store_failed(GONE)
                at.shelf.clock.advance(0.3)
                if at.outage._doubting is not None:
                    await at.outage._doubting
            assert at.outage.active

    await assert_fails_without("D22", check, swapped(outage, "_TOO_SLOW_S", 1e9))


async def test_failures_long_apart_are_no_outage(private_redis: PrivateRedis) -> None:
    async def check() -> None:
        async with desk(private_redis) as at:
            for _ in range(3):
                at.outage.store_failed(GONE)
                at.shelf.clock.advance(60.0)
            assert not at.outage.active

    def forgetful(self: Outage, error: Unavailable) -> None:
        self._failed_last_s = self._clock.monotonic_s()
        original(self, error)

    original = Outage.store_failed
    await assert_fails_without("D22", check, swapped(Outage, "store_failed", forgetful))
