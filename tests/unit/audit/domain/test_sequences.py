"""Holes in a producer's numbering, and what is none."""

import pytest
from audit.domain.message import Envelope
from audit.domain.sequences import Sequences
from hypothesis import given
from hypothesis import strategies as st
from translog.entries import ProducerPosition

P = "risk-scoring/stream/3"


def batch(epoch: int, sequence: int, producer: str = P) -> Envelope:
    return Envelope(producer, epoch, sequence, ())


@pytest.mark.parametrize(
    ("last", "seen", "due"),
    [
        (None, (7, 0), None),
        (None, (7, 3), 0),
        ((7, 3), (7, 4), None),
        ((7, 3), (7, 6), 4),
        ((7, 3), (7, 3), None),
        ((7, 3), (7, 1), None),
        ((7, 3), (8, 0), None),
        ((7, 3), (8, 2), 0),
        ((7, 3), (6, 9), None),
    ],
)
def test_holes(last, seen, due) -> None:
    sequences = Sequences({P: ProducerPosition(P, *last)} if last else {})
    gap = sequences.follow(batch(*seen))
    assert (gap.facts if gap else None) == (None if due is None else {"producer": P, "epoch": seen[0], "due": due, "seen": seen[1]})


def test_repeats_and_late_batches_never_set_a_position_back() -> None:
    sequences = Sequences({P: ProducerPosition(P, 7, 3)})
    for seen in [(7, 3), (6, 100), (7, 0)]:
        assert sequences.follow(batch(*seen)) is None
    assert sequences.moved == {}


def test_positions_move_within_one_plan_and_producers_are_apart() -> None:
    sequences = Sequences({})
    assert [sequences.follow(batch(1, n)) for n in (0, 1, 2)] == [None] * 3
    assert sequences.follow(batch(1, 0, "other")) is None
    assert sequences.moved == {P: ProducerPosition(P, 1, 2), "other": ProducerPosition("other", 1, 0)}


@given(st.sets(st.integers(0, 60)))
def test_holes_add_up_to_what_is_missing(sent: set[int]) -> None:
    """In order of sending: the gaps name exactly the numbers below the highest that never came."""
    sequences = Sequences({})
    missing: set[int] = set()
    for number in sorted(sent):
        gap = sequences.follow(batch(1, number))
        if gap is not None:
            missing |= set(range(int(gap.facts["due"]), int(gap.facts["seen"])))
    assert missing == set(range(max(sent, default=-1) + 1)) - sent
