"""Figures of rankings, and data sets as they are read."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from finmesh_cli.knowledge import dataset
from finmesh_cli.knowledge.metrics import scored


def test_figures_of_known_rankings() -> None:
    """First place, third place, two relevant records, nothing found; a query without a relevant record is not counted."""
    rankings = [["a", "b"], ["x", "y", "a"], ["a", "x", "b"], ["x"], ["a"]]
    said = scored(rankings, [{"a": 1}, {"a": 1}, {"a": 1, "b": 1}, {"a": 1}, {}]).figures()
    both = (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert said["ndcg10"] == pytest.approx((1 + 0.5 + both + 0) / 4, abs=1e-4)
    assert said["mrr10"] == pytest.approx((1 + 1 / 3 + 1 + 0) / 4, abs=1e-4)
    assert said["r5"] == said["r20"] == 0.75


def test_what_lies_below_the_depth_does_not_count() -> None:
    """Place 11 is nothing for nDCG@10 and MRR@10, place 6 nothing for R@5."""
    ranking = [f"x{place}" for place in range(10)] + ["a"]
    said = scored([ranking, [*ranking[:5], "a"]], [{"a": 1}, {"a": 1}]).figures()
    assert said["r5"] == 0.0 and said["r20"] == 1.0 and said["mrr10"] == pytest.approx(1 / 12, abs=1e-4)


def test_a_gain_is_paired() -> None:
    """A small gain on every query is certain, whatever the queries differ in."""
    relevant = [{"a": 1}] * 60
    better = scored([["a"], ["x", "a"]] * 30, relevant)
    worse = scored([["x", "a"], ["x", "x2", "a"]] * 30, relevant)
    mean, low, high = better.gain(worse)["ndcg10"]
    assert 0 < low <= mean <= high and better.gain(better)["ndcg10"] == [0.0, 0.0, 0.0]
    assert better.gain(worse) == better.gain(worse)


def test_equal_titles_form_a_document_and_nothing_else_is_kept(tmp_path: Path) -> None:
    """File order is document order; records without a title form one; metadata is dropped."""
    (tmp_path / "corpus.jsonl").write_text(
        '{"_id": "1", "title": "甲", "text": "a", "metadata": {"x": "secret"}}\n'
        '{"_id": "2", "title": "", "text": "b"}\n{"_id": "3", "title": "甲", "text": "c"}\n\n{"_id": "4", "text": "d"}\n',
        "utf-8",
    )
    first, second = dataset.documents(tmp_path)
    assert (first.title, first.records, second.title, second.records) == ("甲", 2, "", 2)
    assert b"secret" not in first.content and first.content.index(b'"1"') < first.content.index(b'"3"')


@pytest.mark.parametrize("line", ["{", "[]", '{"_id": 1, "text": "a"}', '{"_id": "1", "text": ""}'])
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str) -> None:
    """File and line."""
    (tmp_path / "corpus.jsonl").write_text('{"_id": "0", "text": "a"}\n' + line + "\n", "utf-8")
    with pytest.raises(dataset.DatasetError, match=r"corpus\.jsonl, line 2"):
        dataset.documents(tmp_path)


def test_judgements_have_a_heading_or_none(tmp_path: Path) -> None:
    """Grades of 0 are no judgement of relevance."""
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t2\nq\tb\t0\n", "utf-8")
    assert dataset.judgements(tmp_path) == {"q": {"a": 2}}
    (tmp_path / "qrels.tsv").write_text("q\ta\t1\n", "utf-8")
    assert dataset.judgements(tmp_path) == {"q": {"a": 1}}
