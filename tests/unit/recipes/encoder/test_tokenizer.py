"""tokenizer.json: XLM-R's normalisation, and pieces that are the same with and without those that were left out."""

from __future__ import annotations

import numpy as np
import pytest
from encoder import tiny
from encoder.charsmap import build
from encoder.tokenizer import is_kept, kept, make
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers

NORMAL = {1: "", 9: " ", 0xA0: " ", 0xB2: "2", 0xBD: "1/2", 0x3000: " ", 0xFF01: "!", 0x2F800: "丽", 0x1D400: "A", 0x10FFFD: "末"}
CODES = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
KEYS = st.characters(exclude_categories=["Cs"], exclude_characters="\0a")
"""Without the letter that stands before: what it becomes would stand for a mark behind it too, for the library looks at both as one."""


@given(st.dictionaries(KEYS.map(ord), st.text(CODES, max_size=4), min_size=1, max_size=200), st.lists(CODES, max_size=20))
def test_every_code_point_becomes_what_the_table_says(normal: dict[int, str], others: list[str]) -> None:
    table = normalizers.Precompiled(build(normal))
    for code in [*normal, *map(ord, others)]:
        assert table.normalize_str(f"a{chr(code)}") == "".join(normal.get(ord(each), each) for each in f"a{chr(code)}")


@pytest.mark.parametrize(
    "piece", ["▁", "▁the", "Größe", "銀行", "保险费", "▁(2", "の", "カード", "と思います", "α", "▁я", "ก", "%", "12,5", "̃"]
)
def test_latin_chinese_japanese_and_single_characters_stay(piece: str) -> None:
    assert is_kept(piece)


@pytest.mark.parametrize("piece", ["▁на", "και", "하는", "▁و،ا", "के", "ของ", "aя"])
def test_longer_pieces_of_other_scripts_do_not(piece: str) -> None:
    assert not is_kept(piece)


def test_texts_of_kept_scripts_have_the_pieces_that_they_had() -> None:
    packed = tiny.tiny()
    ids = kept(packed)
    assert len(ids) < len(packed.pieces)
    few = Tokenizer.from_str(make(packed, ids).decode())
    all_ = Tokenizer.from_str(make(packed, np.arange(len(packed.pieces))).decode())
    for text in ["query: the bank approves", "银行批准付款！ 12²%", "  a\t\tb　保险  ", "", "x" * 50]:
        assert few.encode(text).tokens == all_.encode(text).tokens
    assert few.encode("на").tokens != all_.encode("на").tokens
    assert few.encode("付款").tokens == ["<s>", "▁", "付款", "</s>"]


def test_composed_and_decomposed_text_is_one() -> None:
    tokenizer = Tokenizer.from_str(make(tiny.tiny(), kept(tiny.tiny())).decode())
    assert tokenizer.normalizer.normalize_str("e\u0301") == "é"
