"""D19. A channel is live, monitor-only or off; its default answer is configuration."""

import pytest
from finmesh.risk.v1.decision_pb2 import (
    CHANNEL_MODE_LIVE,
    CHANNEL_MODE_MONITOR,
    CHANNEL_MODE_OFF,
    OUTCOME_APPROVE,
    OUTCOME_DECLINE,
    OUTCOME_REVIEW,
    TransactionDecided,
)
from risk_scoring.domain import combine
from risk_scoring.domain.outcome import decide_one

from tests.protocol.desks import channels, desk
from tests.protocol.makers import payment, request
from tests.protocol.mutants import assert_fails_without, swapped

CASES = {
    "live": (CHANNEL_MODE_LIVE, OUTCOME_DECLINE, OUTCOME_DECLINE),
    "monitor": (CHANNEL_MODE_MONITOR, OUTCOME_APPROVE, OUTCOME_DECLINE),
    "off": (CHANNEL_MODE_OFF, OUTCOME_REVIEW, OUTCOME_DECLINE),
}


@pytest.mark.parametrize("mode", CASES)
@pytest.mark.parametrize("count", [1, 3], ids=["alone", "a batch"])
async def test_mode(private_redis, tmp_path, mode, count) -> None:
    number, acting, advised = CASES[mode]
    table = channels(tmp_path, card_present={"mode": mode, "default_outcome": "review"})

    async def check() -> None:
        async with desk(private_redis, channel_file=table) as here:
            here.served.scores = [0.999]
            for verdict in await here.decide(*(request(payment(n)) for n in range(count))):
                record = TransactionDecided.FromString(verdict.decision)
                assert (record.mode, record.outcome, record.recommended_outcome) == (number, acting, advised)
                assert here.shelf.store and await here.shelf.store.stored_decision(verdict.request.decision_id) == verdict.decision

    def wrong(advised, mode_number, default):
        return default if mode == "live" else advised

    def wrong_alone(*given):
        advised, _, softened = decide_one(*given)
        return advised, wrong(advised, *given[-2:]), softened

    await assert_fails_without("D19", check, swapped(combine, "decide_one", wrong_alone) if count == 1 else swapped(combine, "act", wrong))


async def test_what_does_not_act_does_not_count_for_the_cap(private_redis, tmp_path) -> None:
    table = channels(tmp_path, card_present={"mode": "monitor"}, cap={"highest_rate": 0.000001, "least_decisions": 1})
    async with desk(private_redis, channel_file=table) as here:
        here.served.scores = [0.999]
        await here.decide(*(request(payment(n)) for n in range(3)))
        assert not [key for key in await here.shelf.keys() if b"cap:" in key]
