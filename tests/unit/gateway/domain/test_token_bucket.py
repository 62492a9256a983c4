"""A bucket never gives more than burst plus rate times time."""

from gateway.domain.token_bucket import Rate, TokenBucket
from hypothesis import given
from hypothesis import strategies as st


def test_burst_then_rate() -> None:
    bucket = TokenBucket(Rate(per_s=2, burst=3), now_s=0)
    assert [bucket.take(0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(0.5) == 0
    assert bucket.take(0.75) == 0.25


def test_a_clock_that_steps_back_gives_nothing() -> None:
    bucket = TokenBucket(Rate(per_s=1, burst=1), now_s=10)
    bucket.take(10)
    assert bucket.take(5) == 1
    assert bucket.take(10.5) == 0.5


@given(st.floats(0.1, 100), st.integers(1, 50), st.lists(st.floats(0, 5), max_size=100))
def test_never_more_than_allowed(per_s: float, burst: int, gaps_s: list[float]) -> None:
    bucket, now_s, granted = TokenBucket(Rate(per_s, burst), 0.0), 0.0, 0
    for gap_s in gaps_s:
        now_s += gap_s
        while bucket.take(now_s) == 0:
            granted += 1
    assert granted <= burst + per_s * now_s + 1e-6
