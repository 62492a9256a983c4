"""Minutes and days in which tokens are counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from gateway.domain.token_windows import PERIODS, Calendar, Period
from hypothesis import given
from hypothesis import strategies as st

ZONES = [UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Apia"), ZoneInfo("Australia/Lord_Howe")]


@given(st.sampled_from(ZONES), st.sampled_from(PERIODS), st.integers(1_300_000_000, 2_000_000_000))
def test_windows_follow_one_another_without_gap_or_overlap(zone: ZoneInfo, period: Period, at_s: int) -> None:
    calendar = Calendar(zone)
    window = calendar.window(period, at_s)
    assert at_s < window.end_s <= at_s + 90_000 + (86_400 if zone is ZONES[3] else 0)
    assert calendar.window(period, window.end_s - 0.001) == window
    assert calendar.window(period, window.end_s) != window
    assert calendar.window(period, window.end_s).end_s > window.end_s
    assert calendar.day_begins_s(at_s) <= at_s < calendar.window("day", at_s).end_s


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_a_day_on_which_clocks_change_is_shorter_or_longer(day: tuple[int, int, int], hours: int) -> None:
    calendar = Calendar(ZONES[2])
    begin_s = datetime(*day, tzinfo=ZONES[2]).timestamp()
    assert calendar.window("day", begin_s).end_s - begin_s == hours * 3600
    assert calendar.day_begins_s(begin_s + 3600 * hours - 1) == begin_s


def test_shanghais_midnight_is_no_midnight_of_utc() -> None:
    calendar = Calendar(ZONES[1])
    at = datetime(2026, 11, 28, 15, 59, 59, tzinfo=UTC)
    assert calendar.window("day", at.timestamp()).name == "d2026-11-28"
    assert calendar.window("day", (at + timedelta(seconds=1)).timestamp()).name == "d2026-11-29"
