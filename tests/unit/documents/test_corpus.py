"""The documents of `make run`: the same each time, and read as they were written."""

from __future__ import annotations

import pytest
from documents.parsed import Heading, Table
from drills.corpus import report, terms
from drills.corpus.samples import QUESTIONS, Sample, samples

from .conftest import Parse

SAMPLES = {(each.source, each.version): each for each in samples()}
READ = [each for each in SAMPLES.values() if each.source != "scanned-endorsement"]  # a scan is read in test_ocr, once


def test_they_are_made_the_same_each_time() -> None:
    assert list(SAMPLES.values()) == samples()
    assert {(each.source, each.version) for each in QUESTIONS} <= set(SAMPLES)


@pytest.mark.parametrize("sample", READ, ids=lambda each: each.name)
def test_what_questions_ask_for_is_in_them(parse: Parse, sample: Sample) -> None:
    parsed = parse(sample.content, sample.name, sample.media_type)
    assert (parsed.title, parsed.warnings) == (sample.title, ())
    for question in QUESTIONS:
        if (question.source, question.version) == (sample.source, sample.version):
            assert any(question.holds in repr(each) for each in parsed.blocks)


def test_versions_differ_where_they_say(parse: Parse) -> None:
    first, second = (parse(SAMPLES["anxin-shouhu", version].content, "a.pdf").blocks for version in (1, 2))
    gone, come = ([each for each in one if repr(each)[:60] not in repr(other)] for one, other in ((first, second), (second, first)))
    assert any(terms.WAITING[1] in repr(each) for each in gone)
    assert any("跳伞" in repr(each) for each in come)
    assert [each.text for each in first if isinstance(each, Heading)] == [each.text for each in second if isinstance(each, Heading)]


def test_tables_of_the_report(parse: Parse) -> None:
    tables = [each for each in parse(report.content(), "a.pdf").blocks if isinstance(each, Table)]
    assert [each.caption for each in tables] == [
        "Table 1: Income statement in millions of CNY",
        "表2：偿付能力指标",
        "表3：分渠道保费收入 单位：百万元",
    ]
    assert [[*each.header, *each.rows] for each in tables] == [list(each) for each in (report._INCOME, report._SOLVENCY, report._CHANNELS)]
