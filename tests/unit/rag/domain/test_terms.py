"""Terms of passages and questions: both sides agree, in both languages."""

from __future__ import annotations

import pytest
from rag.domain.terms import query_terms, stem, terms


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("保險", "本保险合同"),  # traditional characters
        ("ＦＹ２０１９ revenue", "Revenues for 2019"),  # full width, fiscal year, plural
        ("FY19", "in fiscal 2019"),
        ("1452.4", "$ 1,452.4 million"),
        ("12.5％", "grew 12.5%"),
        ("30天", "三十日内"),
        ("20%", "按百分之二十赔付"),
        ("第十三条", "第13条 责任免除"),
        ("clause 5.3", "Section 5.3 Premium"),
        ("fixed price", "fixed-price type contracts"),
        ("acquisitions", "the company's acquisition"),
        ("policies", "Policy"),
        ("U.S.", "the US market"),
        ("café", "CAFE"),
        ("水", "水 损"),  # a run of one character
        ("보험금", "보험금 청구"),
    ],
)
def test_a_question_finds_its_passage(question: str, passage: str) -> None:
    """Whatever the spelling, they share a term."""
    assert set(query_terms(question)) & set(terms(passage))


@pytest.mark.parametrize(
    ("one", "other"), [("12.5", "125"), ("2019", "2018"), ("1,000", "1"), ("5.3", "53"), ("三十日", "十三天"), ("第3条", "第13条")]
)
def test_different_values_share_no_term(one: str, other: str) -> None:
    """Numbers are whole."""
    assert not {t for t in terms(one) if any(map(str.isdigit, t))} & set(terms(other))


def test_chinese_is_bigrams_and_what_asks_is_left_out() -> None:
    """A bigram never spans a question word that was taken out."""
    assert terms("等待期") == ["等待", "待期"]
    assert query_terms("等待期是什么？") == {"等待": 1.0, "待期": 1.0}
    assert set(query_terms("What is the total of sales?")) == {stem("total"), stem("sales")}


def test_a_question_of_nothing_but_question_words_still_asks() -> None:
    """Nothing kept: everything is asked for."""
    assert query_terms("What is it?") and query_terms("为什么")
    assert not query_terms("?!")


def test_terms_hold_no_white_space_and_are_counted() -> None:
    """The index splits at white space."""
    text = "FY 2019 rose 3.5 % — Section 4.1; 第 三 条 保险　责任\n1,000,000 US$ Größe naïve ①"
    assert all(term and not any(c.isspace() for c in term) for term in terms(text))
    assert query_terms("loss loss ratio")[stem("loss")] == 2.0


@pytest.mark.parametrize(
    ("forms"), [("claim", "claims", "claimed", "claiming"), ("company", "companies"), ("increase", "increased", "increases", "increasing")]
)
def test_inflected_forms_meet(forms: tuple[str, ...]) -> None:
    """One stem."""
    assert len({stem(form) for form in forms}) == 1


def test_words_that_only_look_inflected_stay_apart() -> None:
    """A stem is light."""
    assert len({stem(word) for word in ("loss", "lose", "basis", "base", "business", "busy", "thing", "the")}) == 8
