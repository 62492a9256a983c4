"""Text of answers: bytes of ids, whole characters, stop strings, however the tokens fall."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meshkit.errors import InvalidArgument, InvalidDocument
from router.domain.stops import MAX_CHARACTERS, MAX_STOPS, StopMatcher, Stops
from router.domain.utf8 import TextDecoder
from router.domain.vocabulary import Vocabulary

from tests.unit.router.tokenizers_made import byte_fallback, byte_level, tokenizer

DOCUMENTS = {"byte level": byte_level(), "byte fallback": byte_fallback()}
VOCABULARIES = {name: Vocabulary.of(document, 640) for name, document in DOCUMENTS.items()}
TOKENIZERS = {name: tokenizer(document) for name, document in DOCUMENTS.items()}
FAMILIES = sorted(DOCUMENTS)
FAMILY_EMOJI = "👨‍👩‍👧"
TEXTS = ["hello", "你好，世界", FAMILY_EMOJI, "naïve\x00\u2028", " two  spaces ", "\ufeff\ufffd", "", "𠮷 \r\n\t", "é́"]


def decoded(vocabulary: Vocabulary, ids: list[int]) -> tuple[str, list[str]]:
    decoder = TextDecoder(vocabulary)
    pieces = [decoder.push(each) for each in ids]
    return "".join(pieces) + (last := decoder.end()), [*pieces, last]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", TEXTS)
def test_what_was_encoded_comes_back_as_the_library_decodes_it(family: str, text: str) -> None:
    ids = TOKENIZERS[family].encode(text, add_special_tokens=False).ids
    assert decoded(VOCABULARIES[family], ids)[0] == TOKENIZERS[family].decode(ids) == text


@given(ids=st.lists(st.integers(0, 700), max_size=40), family=st.sampled_from(FAMILIES))
def test_pieces_are_the_text_of_all_bytes_and_only_the_last_is_a_replacement_of_half_a_character(ids: list[int], family: str) -> None:
    vocabulary = VOCABULARIES[family]
    text, pieces = decoded(vocabulary, ids)
    whole = b"".join(vocabulary.texts[each] for each in ids if each < 640)
    if vocabulary.dropped_spaces and whole.startswith(b" "):
        whole = whole[1:]
    assert text == whole.decode("utf-8", "replace")
    done = 0
    for number, piece in enumerate(pieces):
        done += len(piece)
        so_far = b"".join(vocabulary.texts[each] for each in ids[: number + 1] if each < 640)
        assert text.startswith("".join(pieces[: number + 1]))
        assert len(so_far.decode("utf-8", "ignore")) <= done + vocabulary.dropped_spaces, "a whole character is not held back"


@given(st.text(max_size=60), st.sampled_from(FAMILIES))
def test_no_piece_of_a_sound_text_has_a_replacement(text: str, family: str) -> None:
    ids = TOKENIZERS[family].encode(text, add_special_tokens=False).ids
    _, pieces = decoded(VOCABULARIES[family], ids)
    assert "".join(pieces).count("\ufffd") == text.count("\ufffd")


@pytest.mark.parametrize("family", FAMILIES)
def test_half_a_character_is_held_and_replaced_at_the_end_alone(family: str) -> None:
    vocabulary = VOCABULARIES[family]
    single = {text: number for number, text in enumerate(vocabulary.texts) if len(text) == 1}
    decoder = TextDecoder(vocabulary)
    assert [decoder.push(single[bytes([byte])]) for byte in "😀".encode()] == ["", "", "", "😀"]
    assert decoder.push(single[b"\xe4"]) == ""
    assert decoder.end() == "\ufffd"


def test_control_tokens_say_nothing_and_other_added_tokens_their_content() -> None:
    made, vocabulary = TOKENIZERS["byte level"], VOCABULARIES["byte level"]
    ids = [made.token_to_id(each) for each in ("<think>", "<|im_end|>", "回答", "<|endoftext|>")]
    assert decoded(vocabulary, ids)[0] == "<think>回答" == made.decode(ids)
    assert vocabulary.added >= set(ids)
    assert [vocabulary.name(each) for each in ids[:2]] == [b"<think>", b"<|im_end|>"]
    assert vocabulary.name(639) == vocabulary.name(-1) == b"" and vocabulary.name(made.encode("回").ids[0]) in "回答".encode()


def test_a_token_outside_of_the_alphabet_of_bytes_stands_for_itself() -> None:
    document = byte_level()
    number = max(document["model"]["vocab"].values()) + 100
    document["model"]["vocab"]["你 好"] = number
    vocabulary = Vocabulary.of(document, 640)
    assert vocabulary.texts[number] == "你 好".encode()


def test_an_id_that_no_token_has_says_nothing() -> None:
    assert decoded(VOCABULARIES["byte level"], [639, -1, 10**9]) == ("", ["", "", "", ""])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}, "decoder WordPiece is not known"),
        ({"decoder": None}, "no decoder"),
        ({"decoder": {"type": "Sequence", "decoders": [{"type": "CTC"}]}}, "decoder CTC"),
        ({"decoder": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": " "}}, "decoder Replace"),
        ({"decoder": {"type": "Replace", "pattern": {"String": ""}, "content": " "}}, "a replacement of nothing"),
        ({"decoder": {"type": "Strip", "content": " ", "start": 1, "stop": 0}}, "decoder Strip"),
        ({"model": {"type": "BPE", "vocab": {"a": 640}}}, "IndexError"),
        ({"model": {"type": "BPE", "vocab": {"a": -1}}}, "ids are"),
        ({"model": {"type": "BPE", "vocab": {"a": "0"}}}, "TypeError"),
        ({"model": {"type": "Unigram", "vocab": [["a", 0]]}}, "model Unigram is not known"),
        ({"model": {"type": "BPE", "vocab": [["a", 0]]}}, "AttributeError"),
        ({"model": {"vocab": {"a": 0}}}, "KeyError"),
        ({"added_tokens": [{"id": 1}]}, "KeyError"),
    ],
)
def test_a_tokenizer_that_is_not_understood_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidDocument, match=why) as caught:
        Vocabulary.of(DOCUMENTS["byte level"] | changes, 640)
    assert caught.value.reason == "TOKENIZER_INVALID"


def streamed(stops: list[str], pieces: list[str]) -> tuple[list[str], bool]:
    matcher = StopMatcher(Stops(stops))
    said = [matcher.push(piece) for piece in pieces]
    return [*said, matcher.end()], matcher.is_stopped


def plainly(stops: list[str], text: str) -> tuple[str, bool]:
    """The definition: the string that is complete first, of several the longest, ends the text before itself."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))], True
    return text, False


@pytest.mark.parametrize(
    ("stop", "text", "before"),
    [("aab", "aaaab", "aa"), ("abab你", "ababab你", "ab"), ("abcabd", "abcabcabdx", "abc"), ("aaab", "aaaaaaab", "aaaa")],
)
def test_a_stop_that_begins_again_inside_itself_is_found(stop: str, text: str, before: str) -> None:
    for pieces in ([text], list(text), [text[:3], text[3:]]):
        said, is_stopped = streamed([stop, "zz"], pieces)
        assert ("".join(said), is_stopped) == (before, True)


ABC = st.text("ab你", min_size=1, max_size=5)


@given(st.lists(ABC, max_size=5), st.lists(st.text("ab你c", max_size=4), max_size=12))
def test_stops_are_found_whatever_the_pieces_are(stops: list[str], pieces: list[str]) -> None:
    said, is_stopped = streamed(stops, pieces)
    assert ("".join(said), is_stopped) == plainly(stops, "".join(pieces))


@given(st.lists(ABC, min_size=1, max_size=5), st.lists(st.text("ab你c", max_size=4), max_size=12))
def test_only_what_may_still_become_a_stop_is_held(stops: list[str], pieces: list[str]) -> None:
    matcher, text, said = StopMatcher(Stops(stops)), "", ""
    for piece in pieces:
        said += matcher.push(piece)
        text += piece
        if matcher.is_stopped:
            return
        beginnings = {stop[:length] for stop in stops for length in range(len(stop))}
        held = max((length for length in range(len(text) + 1) if text[len(text) - length :] in beginnings), default=0)
        assert said == text[: len(text) - held]


def test_the_first_token_goes_out_unless_it_may_begin_a_stop() -> None:
    matcher = StopMatcher(Stops(["\n\nUser:", "答案"]))
    assert matcher.push("Hello") == "Hello"
    assert matcher.push(" 答") == " "
    assert matcher.push("复\n") == "答复"
    assert matcher.push("\nUs") == ""
    assert matcher.push("ual") == "\n\nUsual"


def test_nothing_follows_a_stop_and_without_one_all_comes_out() -> None:
    assert streamed(["停"], ["一停二", "三"]) == (["一", "", ""], True)
    assert streamed(["停车"], ["一停"]) == (["一", "停"], False)
    assert streamed([], ["a", "b"]) == (["a", "b", ""], False)


def test_the_text_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps grow with the text and not with text times strings."""
    stops = Stops(["a" * (MAX_CHARACTERS - number) + "b" for number in range(1, MAX_STOPS + 1)])
    looked = [0]

    class Counted(dict[str, int]):
        def get(self, *arguments: Any) -> Any:
            looked[0] += 1
            return super().get(*arguments)

    stops.next = [Counted(each) for each in stops.next]
    matcher = StopMatcher(stops)
    for _ in range(1_000):
        matcher.push("a" * 10)
    assert looked[0] <= 2 * 10_000


@pytest.mark.parametrize("stops", [[""], ["a" * (MAX_CHARACTERS + 1)], [f"s{number}" for number in range(MAX_STOPS + 1)]])
def test_stops_have_bounds(stops: list[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Stops(stops)
    assert caught.value.reason == "STOP_INVALID"
    assert caught.value.violations[0].field == "stop"
