"""Names of documents, their variants, periods, and what a question names."""

from __future__ import annotations

import pytest
from rag.domain.names import defined, squeezed, variants
from rag.domain.periods import years
from rag.domain.scope import Catalogue

TITLES = {
    1: "3M_2018_10K",
    2: "3M_2022_10K",
    3: "AMERICANEXPRESS_2022_10K.pdf",
    4: "Johnson & Johnson Annual Report 2022",
    5: "安联寰球臻享（2021）境外医疗保险条款",
    6: "平安福终身寿险条款",
    7: "中华财险商业燃气用户财产保险（2020版）条款",
    8: "Advanced Micro Devices, Inc.",
    9: "反洗钱管理办法（试行）",
    10: "Lloyds Banking Group plc",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FY2018 capex", {2018}),
        ("FY19 and fy'20", {2019, 2020}),
        ("2018-2020年报", {2018, 2019, 2020}),
        ("from 2017 to 2019", {2017, 2018, 2019}),
        ("2019/20 and $2,019 and 2019.5 and 12019", {2019}),
        ("2019-11", {2019}),
        ("3M_2018_10K", {2018}),
        ("no year 99", set()),
    ],
)
def test_years_of_a_text(text: str, expected: set[int]) -> None:
    """Amounts are no years, months no ranges."""
    assert years(text) == expected


def test_variants_of_names() -> None:
    """Without years, forms, company words, suffixes."""
    assert "3m" in variants(TITLES[1]) and squeezed(TITLES[1]) in variants(TITLES[1])
    assert "安联寰球臻享境外医疗" in variants(TITLES[5]) or "安联寰球臻享境外医疗保险" in variants(TITLES[5])
    assert "amd" in variants(TITLES[8]) and "advancedmicrodevices" in variants(TITLES[8])
    assert variants("2019") == variants("the company") == variants("corpus.jsonl") == frozenset()


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the FY2018 capital expenditure of 3M?", 1),
        ("How much did American Express earn in 2022?", 3),
        ("Johnson & Johnson's litigation", 4),
        ("安联寰球臻享境外医疗保险的等待期", 5),
        ("《平安福终身寿险条款》有哪些责任免除", 6),
        ("平安福终身寿險的现金价值", 6),
        ("反洗钱管理办法第三条", 9),
        ("Is AMD profitable?", 8),
    ],
)
def test_a_question_names_its_document(question: str, expected: int) -> None:
    """In both languages, with spaces or without, in simplified characters or traditional ones."""
    named = Catalogue((title, version) for version, title in TITLES.items()).resolve(question)
    assert max(named.strength, key=lambda version: named.strength[version]) == expected
    assert expected in named.exact


def test_another_period_halves_and_is_not_exact() -> None:
    """3M of 2022 is not what was asked for."""
    named = Catalogue((title, version) for version, title in TITLES.items()).resolve("3M revenue in FY2018")
    assert named.exact == {1} and named.strength[2] == pytest.approx(named.strength[1] / 2)


@pytest.mark.parametrize("question", ["What is the revenue in 2018?", "等待期是多少天？", "We paid the company", ""])
def test_a_question_that_names_nothing(question: str) -> None:
    """Years alone, common words, nothing."""
    assert not Catalogue((title, version) for version, title in TITLES.items()).resolve(question).strength


def test_a_name_that_most_documents_share_says_nothing() -> None:
    """A heading like 责任免除 stands in all of them."""
    names = [(f"产品{i}号", i) for i in range(20)] + [("责任免除", i) for i in range(20)]
    assert not Catalogue(names).resolve("责任免除有哪些").strength
    assert Catalogue(names).resolve("产品7号的责任免除").exact == {7}


def test_part_of_a_chinese_name_counts_in_part() -> None:
    """Not exact, and less than the whole."""
    names = [(title, version) for version, title in TITLES.items()]
    part = Catalogue(names).resolve("安联寰球臻享的等待期")
    assert not part.exact and (not part.strength or 0 < part.strength[5] < 1)


def test_terms_that_a_text_defines() -> None:
    """以下简称, hereinafter, and brackets with quotation marks."""
    assert list(defined("平安健康保险股份有限公司（以下简称“平安健康”）与投保人")) == ["平安健康"]
    assert list(defined('Advanced Micro Devices, Inc. (hereinafter "AMD") and the notes (the “2026 Notes”)')) == ["AMD", "2026 Notes"]
    assert list(defined("以下简称“本公司”")) == []
