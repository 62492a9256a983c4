"""The benchmark of routing, small: its own comparison with the naive loop is the point."""

import pytest
from router.domain.generation import Choice

from bench import routing


def test_it_decides_as_the_naive_loop_and_tells_its_figures() -> None:
    figures = routing.measure(40, 2_000, 100, 3, lambda words: None)
    assert set(figures.values) == set(routing.WORDS)
    assert figures.values["decision_us_p50"] > 0


def test_it_fails_when_the_two_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "_decide", lambda site, blocks, now_s: Choice("decode-0", "LOAD", 99))
    with pytest.raises(AssertionError):
        routing.measure(40, 2_000, 100, 3, lambda words: None)
