"""Thresholds without labels: what sentences find by chance in the other passages of their document."""

from random import Random

from rag.domain.answering import candidate, cloze
from rag.domain.answering.thresholds import DEFAULT

from bench.answers import Index, passages
from bench.answers_corpus import chinese


def test_the_threshold_that_is_shipped_is_what_hidden_sentences_stay_below() -> None:
    found, _ = passages(chinese(Random(1), 48))
    index = Index(found)
    hidden = cloze.hidden(candidate.all_of(found), index.idf, Random(1))
    assert len(hidden) > 200 and hidden == cloze.hidden(candidate.all_of(found), index.idf, Random(1))
    assert cloze.threshold(hidden, 0.5) < cloze.threshold(hidden, 0.94) <= DEFAULT.covered_chinese


def test_nothing_to_learn_from_refuses_everything() -> None:
    assert cloze.threshold(cloze.hidden([], lambda _: 1.0, Random(1)), 0.94) == 1.0
