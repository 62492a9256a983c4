"""The benchmark of libs/pii on a small corpus: what it asks for holds, and its hostile texts are read to the end."""

from random import Random

import pytest
from pii import Kind, find

from bench.pii import scored
from bench.pii_corpus import GENERATORS, ordinary
from bench.pii_walls import walls


def test_recall_and_precision() -> None:
    score = scored(2_000, seed=7)
    assert score.recall >= 0.995, score.examples
    assert score.precision >= 0.995, score.examples
    assert set(score.right) == {*GENERATORS, Kind.SECRET}


def test_a_score_counts_what_is_missed_and_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.pii.find", lambda text: find(text)[1:])
    score = scored(200, seed=7)
    assert score.recall < 0.8 and score.precision == 1


def test_ordinary_text_is_half_chinese() -> None:
    text = ordinary(Random(1), 20_000)
    assert len(text) == 20_000
    assert 0.2 < sum("\u4e00" <= character <= "\u9fff" for character in text) / len(text) < 0.6


@pytest.mark.parametrize("name", walls(8))
def test_hostile_texts_are_read(name: str) -> None:
    text = walls(1_500)[name]
    assert len(text) == 1_500
    for finding in find(text):
        assert 0 <= finding.start < finding.end <= 1_500
