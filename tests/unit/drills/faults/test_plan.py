"""A campaign is a function of its seed, and asks for every kind as often as was said."""

from collections import Counter

import pytest
from drills.faults.plan import KINDS, TARGETS, Kind, chosen, sequence


def test_the_same_seed_gives_the_same_campaign_and_another_seed_another() -> None:
    assert sequence(3, 7) == sequence(3, 7) != sequence(3, 8)


def test_every_kind_comes_count_times_and_every_round_has_each_once() -> None:
    faults = sequence(5, 1)
    assert Counter((fault.kind, fault.target) for fault in faults) == dict.fromkeys(KINDS, 5)
    first = faults[: len(KINDS)]
    assert {(fault.kind, fault.target) for fault in first} == set(KINDS)


def test_a_full_campaign_kills_and_stops_each_part_five_times() -> None:
    counts = Counter((fault.kind, fault.target) for fault in sequence(5, 1))
    assert all(counts[kind, target] >= 5 for kind in (Kind.KILL, Kind.STOP) for target in TARGETS)
    assert counts.total() >= 60


def test_every_other_stop_of_the_stream_outlasts_transaction_and_session() -> None:
    stops = [fault.lasts_s for fault in sequence(4, 3) if (fault.kind, fault.target) == (Kind.STOP, "risk-stream")]
    assert [lasts_s > 10 for lasts_s in stops] == [False, True, False, True]


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        (["stop:redis"], {(Kind.STOP, "redis")}),
        (["shuffle"], {(Kind.SHUFFLE, "all")}),
        (["redis"], {(Kind.KILL, "redis"), (Kind.STOP, "redis"), (Kind.SLOW, "redis"), (Kind.FORGET, "redis")}),
        ([], set(KINDS)),
    ],
)
def test_only_chooses_by_kind_target_or_both(only: list[str], wanted: set[tuple[Kind, str]]) -> None:
    assert set(chosen(only)) == wanted


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault is called postgres"):
        chosen(["kill", "postgres"])
