"""Each hop takes the caller's deadline less a margin; absurd ones become the method's maximum."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
from meshkit.errors import DeadlineExceeded
from meshkit.rpc import deadline
from meshkit.rpc.chain import Call
from meshkit.rpc.deadline import Deadlines

DEADLINES = Deadlines(default_maximum_s=10.0, margin_s=0.005, min_s=0.002, maximum_s={"/finmesh.x.Y/Slow": 60.0})


def call(time_remaining: float | None) -> Call:
    context: Any = SimpleNamespace(invocation_metadata=lambda: (), time_remaining=lambda: time_remaining)
    return Call("/finmesh.x.Y/Fast", context)


@pytest.mark.parametrize("callers_s", [None, 3e8, math.inf, math.nan, 10.001])
def test_none_or_too_long_becomes_the_maximum(callers_s: float | None) -> None:
    assert DEADLINES.effective_s("/finmesh.x.Y/Fast", callers_s) == 10.0
    assert DEADLINES.effective_s("/finmesh.x.Y/Slow", None) == 60.0


def test_a_sane_deadline_loses_the_margin() -> None:
    assert DEADLINES.effective_s("/finmesh.x.Y/Fast", 1.0) == pytest.approx(0.995)


@pytest.mark.parametrize("callers_s", [0.0, -5.0, 0.001, 0.0069])
def test_what_cannot_finish_is_refused(callers_s: float) -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        DEADLINES.effective_s("/finmesh.x.Y/Fast", callers_s)
    assert caught.value.reason == "DEADLINE_TOO_NEAR"


async def test_the_handler_sees_what_is_left_and_outgoing_work_is_bounded_by_it() -> None:
    assert deadline.remaining_s() is None
    with DEADLINES(call(1.0)):
        left = deadline.remaining_s()
        assert left is not None
        assert 0.9 < left <= 0.995
        assert deadline.budget_s(60.0, margin_s=0.1) < 0.9
        assert deadline.budget_s(0.2) == 0.2
        with pytest.raises(DeadlineExceeded):
            deadline.budget_s(60.0, min_s=2.0)
    assert deadline.remaining_s() is None
    assert deadline.budget_s(60.0) == 60.0


async def test_what_must_still_be_done_has_no_deadline() -> None:
    with DEADLINES(call(0.5)):
        with deadline.lifted():
            assert deadline.remaining_s() is None
            assert deadline.budget_s(7.0) == 7.0
        assert deadline.remaining_s() is not None


async def test_work_past_the_deadline_ends_as_deadline_exceeded() -> None:
    import asyncio

    with pytest.raises(DeadlineExceeded) as caught, DEADLINES(call(0.02)):
        await asyncio.Event().wait()
    assert caught.value.reason == "DEADLINE_EXCEEDED"


async def test_a_timeout_of_the_handlers_own_is_not_taken_for_the_deadline() -> None:
    with pytest.raises(TimeoutError), DEADLINES(call(5.0)):
        raise TimeoutError
