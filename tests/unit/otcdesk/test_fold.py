"""Folding keeps the place of each character, so that the client's own words are found again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otcdesk.fold import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("想買滬深３００", "想买沪深300"),
        ("　80Call，名本１千萬！\r\n急  ", "80call,名本1千万!\n急"),
        ("🙏🙏茅台\u200b雪球🙏", "茅台 雪球"),
        ("①㎜", "1mm"),
        ("壹仟贰佰萬", "一千二百万"),
        ("\n\n 你好", "你好"),
        ("“茅台”——1y", "'茅台'--1y"),
        ('{"intent":"order"}', "{'intent':'order'}"),
        ("🙏", ""),
        ("", ""),
    ],
)
def test_it_folds(text: str, folded: str) -> None:
    assert fold(text).text == folded


def test_the_clients_own_words_are_found_again() -> None:
    folded = fold("客戶買 滬深３００ 雪球")
    assert folded.words("沪深300") == "滬深３００"
    assert folded.words("中证500") is None
    assert folded.words("") is None


@given(st.text(max_size=60))
def test_every_folded_character_has_its_place(text: str) -> None:
    folded = fold(text)
    assert len(folded.places) == len(folded.text)
    assert list(folded.places) == sorted(folded.places)
    assert all(0 <= place < len(text) for place in folded.places)
    assert fold(folded.text).text == folded.text
