"""Features from the script equal those of a slow reference, on random small histories: late events, reversals, hours and days apart."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from risk_scoring.domain.features import NAMES
from risk_scoring.domain.observation import Change, Observation

from tests.protocol.makers import DAY, NOW
from tests.protocol.mutants import lua
from tests.protocol.stores import opened
from tests.unit.risk_scoring.adapters.reference import HOUR, Reference

ACCOUNTS = [b"acc1", b"acc2", b"acc3", b"acc4"]
GAPS = st.one_of(
    st.integers(0, 90), st.integers(0, 2 * HOUR), st.integers(-2 * HOUR, 0), st.integers(HOUR, 2 * DAY), st.integers(-3 * DAY, 0),
    st.integers(DAY, 12 * DAY), st.integers(-50 * DAY, 0),
)  # fmt: skip
STEP = st.fixed_dictionaries(
    {
        "gap": GAPS,
        "customer": st.sampled_from([b"cus1", b"cus2"]),
        "party": st.sampled_from([b"", *ACCOUNTS]),
        "device": st.sampled_from([b"", b"dev1", b"dev2", b"dev3"]),
        "account": st.sampled_from(ACCOUNTS),
        "amount": st.integers(1, 500_000),
        "channel": st.integers(1, 4),
        "place": st.integers(0, 2),
        "reversed": st.sampled_from([False, False, False, True]),
    }
)
HISTORIES = st.lists(STEP, min_size=1, max_size=25)


def observations(history) -> list[tuple[Observation, bool]]:
    """Transactions in order of arrival. A late one does not move the time on."""
    made, now = [], NOW
    for number, step in enumerate(history):
        time, party = now + step["gap"], step["party"]
        now = max(now, time)
        if party == step["account"]:
            party = b""
        observation = Observation(
            number.to_bytes(16, "big"), b"f" * 16, step["customer"], party, step["device"], step["account"], time, step["amount"],
            step["channel"], time // HOUR % 24, 2, step["place"],
        )  # fmt: skip
        made.append((observation, step["reversed"]))
    return made


async def differences(redis, history) -> list[str]:
    """Features on which script and reference disagree."""
    reference, found, any_reversed = Reference(), [], False
    async with opened(redis, horizon_s=100 * DAY) as shelf:
        for observation, taken_back in observations(history):
            shelf.clock.advance(max(observation.time_s - shelf.clock.now_s(), 0))
            vectors = (await shelf.store.observe([observation])).vectors[0]
            expected = reference.observe(observation)
            for name, value in zip(NAMES, vectors, strict=True):
                if any_reversed and name == "c_amount_over_max_30d":
                    continue  # the highest amount of a tile is not taken back with its transaction
                if float(value) != pytest.approx(float(expected[name]), rel=1e-5, abs=1e-6):
                    found.append(f"{name}: {value} is {expected[name]}")
            if taken_back:
                any_reversed = True
                change = Change("cancel", observation, 0, 0, observation.amount_minor, observation.decision_id.hex())
                await shelf.store.amend([change], "reports:0", "t@1")
                reference.reverse(observation)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=HISTORIES)
def test_script_and_reference_agree(private_redis, history) -> None:
    assert asyncio.run(differences(private_redis, history)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if hours[i] > hour - 24 then", "if hours[i] >= hour - 24 then"),
        (" hour - HOURS", " hour - HOURS - 1"),
        ("if days[i] > today - 30 then", "if days[i] > today - 29 then"),
        ("if age < 600 then", "if age <= 700 then"),
    ],
)
def test_the_comparison_finds_a_window_that_is_one_off(private_redis, old, new) -> None:
    """One transaction an hour, then one a day, then two close together: every edge of every window is met."""
    step = {
        "customer": b"cus1", "party": b"acc1", "device": b"", "account": b"acc2", "amount": 1000, "channel": 1, "place": 0,
        "reversed": False,
    }  # fmt: skip
    gaps = [0] + [HOUR] * 200 + [DAY] * 40 + [650]
    history = [{**step, "gap": gap} for gap in gaps]
    assert asyncio.run(differences(private_redis, history)) == []
    with lua("observe", old, new):
        assert asyncio.run(differences(private_redis, history)) != []
