"""What a newer version leaves of an older one."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from rag.adapters.ledger.validity import overlap, without

intervals = st.tuples(st.integers(0, 9), st.integers(0, 9))


def moments(interval: tuple[int, int]) -> set[int]:
    return set(range(*interval))


@given(intervals, st.lists(intervals, max_size=4))
def test_what_is_left_is_what_nobody_took(whole: tuple[int, int], taken: list[tuple[int, int]]) -> None:
    left = without(whole, taken)
    assert set().union(*map(moments, left)) == moments(whole) - set().union(*map(moments, taken))
    assert left == sorted(left) and all(start < end for start, end in left)
    assert not any(overlap(one, other) for one, other in itertools.pairwise(left))


@given(intervals.filter(lambda pair: pair[0] < pair[1]), intervals.filter(lambda pair: pair[0] < pair[1]))
def test_overlap_is_a_common_moment(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert overlap(one, other) == bool(moments(one) & moments(other))
