"""The last line is JSON, whatever was measured."""

import io
import json
import math

import pytest
from rich.console import Console

from bench.report import Figures, Target, rounded, show


def shown(figures: Figures) -> str:
    output = io.StringIO()
    show(figures, Console(file=output, width=120))
    return output.getvalue()


def test_the_last_line_holds_every_value() -> None:
    figures = Figures("x", {"tx_per_s": 5123.456, "ratio": 0.15678, "degraded": 0.0}, {"ratio": Target(min=0.15)}, {"ratio": "a : b"})
    text = shown(figures)
    assert json.loads(text.splitlines()[-1]) == {"tx_per_s": 5123.0, "ratio": 0.1568, "degraded": 0.0}
    assert "a : b" in text


@pytest.mark.parametrize(("value", "word"), [(0.15, "met"), (0.1499, "not met"), (math.nan, "not met")])
def test_a_target_is_met_or_not(value: float, word: str) -> None:
    text = shown(Figures("x", {"ratio": value}, {"ratio": Target(min=0.15)}))
    assert (" not met" in text) == (word == "not met")
    assert "met" in text


def test_at_most() -> None:
    assert Target(max=50).met(50)
    assert not Target(max=50).met(50.1)


def test_what_could_not_be_measured_is_null() -> None:
    assert rounded(math.nan) is None
    assert json.loads(shown(Figures("x", {"a": math.nan})).splitlines()[-1]) == {"a": None}


def test_large_numbers_are_whole() -> None:
    assert rounded(123_456.7) == 123_457
