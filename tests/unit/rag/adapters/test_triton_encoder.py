"""Texts on their way to the encoder: what is no text, and which go together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rag.adapters.triton_encoder import batches, plain


@given(st.lists(st.integers(1, 512), max_size=200))
def test_batches_hold_every_text_once_and_no_more_pieces_than_allowed(lengths: list[int]) -> None:
    found = list(batches(lengths))
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    assert all(max(lengths[place] for place in batch) * len(batch) <= 1_024 for batch in found)


def test_texts_of_like_length_go_together() -> None:
    assert list(batches([500, 4, 500, 4, 4])) == [[1, 3, 4], [0, 2]]


@given(st.text(st.characters(), max_size=200))
def test_what_is_left_of_any_string_can_be_encoded(text: str) -> None:
    assert plain(text, 100).encode("utf-8").decode("utf-8") == plain(text, 100)


def test_halves_of_pairs_are_replaced_and_white_space_is_one_space() -> None:
    assert plain("a\ud800\n\n　付款 \udc00", 100) == "a\ufffd 付款 \ufffd"
    assert plain("\U0001f600", 1) == "\U0001f600"
    assert plain(" " * 1_000 + "付款" * 1_000, 3) == "付款付"
