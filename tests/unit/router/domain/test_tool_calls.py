"""Calls of tools in an answer, however it is cut into pieces."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from engine.llm.tool_grammar import CallableTool, ToolCalls
from hypothesis import given
from hypothesis import strategies as st
from router.domain.calls import Called, CallPiece, ToolChoice
from router.domain.generation import Finish
from router.domain.spoken import Spoken
from router.domain.stops import Stops
from router.domain.tool_calls import CallReader, new_call_id
from router.domain.tools import Offer

NAMES = ("freeze_card", "look-up")
MARKS = "<tool_call>", "</tool_call>"


def call(name: str, arguments: Any) -> str:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return f'<tool_call>\n{{"name": "{name}", "arguments": {text}}}\n</tool_call>'


def read(pieces: list[str], *, is_cut: bool = False) -> tuple[str, list[CallPiece], CallReader]:
    numbers = count()
    reader = CallReader(NAMES, lambda: f"id-{next(numbers)}")
    told = [reader.push(piece) for piece in pieces] + [reader.end(is_cut=is_cut)]
    return "".join(each.text for each in told), [piece for each in told for piece in each.calls], reader


def merged(pieces: list[CallPiece]) -> list[tuple[str, str, str]]:
    """Id, name and arguments of each call; what only the first piece has, and in which order they come, is checked."""
    found: list[list[str]] = []
    for piece in pieces:
        if piece.number == len(found):
            assert piece.id and piece.name
            found.append([piece.id, piece.name, ""])
        else:
            assert piece.number == len(found) - 1 and not piece.id and not piece.name
        found[-1][2] += piece.arguments
    return [(each[0], each[1], each[2]) for each in found]


def cuts(text: str) -> list[list[str]]:
    """Whole, by character, and cut once at every place."""
    return [[text], list(text), *[[text[:at], text[at:]] for at in range(1, len(text))]]


ANSWERS: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("没有问题。", "没有问题。", []),
    ("a < b, <tool and <tool_cal", "a < b, <tool and <tool_cal", []),
    ("", "", []),
    ("  \n", "  \n", []),
    (call("look-up", {}), "", [("look-up", "{}")]),
    ("好的，马上。\n\n" + call("look-up", {"城市": "北京"}), "好的，马上。", [("look-up", '{"城市": "北京"}')]),
    ("<<" + call("look-up", {}), "<<", [("look-up", "{}")]),
    (
        call("freeze_card", {"why": 'a "}</tool_call>" \\ <tool_call> }}{', "n": [[{}], "]"]}) + "\n" + call("look-up", {"q": "\\"}),
        "",
        [("freeze_card", '{"why": "a \\"}</tool_call>\\" \\\\ <tool_call> }}{", "n": [[{}], "]"]}'), ("look-up", '{"q": "\\\\"}')],
    ),
    ('<tool_call>{"name":"look-up","arguments":{"a":1}}</tool_call><tool_call>{"name":"look-up","arguments":{}}</tool_call>', "",
     [("look-up", '{"a":1}'), ("look-up", "{}")]),
    (call("look-up", '{"a":\n 1 }').replace('}\n</', '}  \n </'), "", [("look-up", '{"a":\n 1 }')]),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "text", "calls"), ANSWERS)
def test_text_and_calls_are_told_apart_wherever_the_answer_is_cut(answer: str, text: str, calls: list[tuple[str, str]]) -> None:
    for pieces in cuts(answer):
        said, told, reader = read(pieces)
        assert said == text
        assert merged(told) == [(f"id-{number}", *each) for number, each in enumerate(calls)]
        assert reader.called == tuple(Called(*each) for each in calls)
        assert reader.is_whole


LETTERS = st.sampled_from([*'"\\{}[]<>/:, \n', "客", "😀", "\\u0041", "tool_call", *MARKS, "a"])
TEXTS = st.lists(LETTERS, max_size=12).map("".join)
LEAVES = st.none() | st.booleans() | st.integers() | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
CALLS = st.lists(st.tuples(st.sampled_from(NAMES), st.dictionaries(TEXTS, VALUES, max_size=4)), max_size=4)


@given(TEXTS.filter(lambda text: MARKS[0] not in text), CALLS, st.data())
def test_whatever_is_called_comes_out_as_it_was_written(text: str, calls: list[tuple[str, Any]], data: st.DataObject) -> None:
    answer = text + "\n".join(call(*each) for each in calls)
    places = sorted(data.draw(st.sets(st.integers(0, len(answer)), max_size=20)))
    pieces = [answer[start:end] for start, end in zip([0, *places], [*places, len(answer)], strict=True)]
    if calls and (text + MARKS[0]).find(MARKS[0]) != len(text):
        return  # the text's end and the mark make a mark of their own
    said, told, reader = read(pieces)
    assert said == (text.rstrip() if calls else text)
    assert [(name, json.loads(arguments)) for _, name, arguments in merged(told)] == calls
    assert reader.is_whole


@pytest.mark.parametrize(("answer", "text", "calls"), [each for each in ANSWERS if each[2]])
def test_an_answer_that_is_cut_tells_what_there_is_of_a_call_and_no_mark(answer: str, text: str, calls: list[tuple[str, str]]) -> None:
    for at in range(len(answer)):
        said, told, _ = read(list(answer[:at]), is_cut=True)
        assert text.startswith(said.rstrip())
        assert "tool_c" not in said
        for (_, name, arguments), (wanted, whole) in zip(merged(told), calls, strict=False):
            assert name == wanted and whole.startswith(arguments)


@pytest.mark.parametrize("answer", ['{"a": "<tool_call>{}</tool_call>"}', '"<tool_call>"', "12", '"<"'])
def test_where_an_answer_has_a_form_a_mark_in_it_is_text(answer: str) -> None:
    for pieces in cuts(answer):
        reader = CallReader(NAMES, has_form=True)
        told = [*[reader.push(piece) for piece in pieces], reader.end(is_cut=False)]
        assert ("".join(each.text for each in told), reader.called, reader.is_whole) == (answer, (), True)
    for pieces in cuts(call("look-up", {})):
        reader = CallReader(NAMES, has_form=True)
        assert not any(reader.push(piece).text for piece in pieces)
        assert reader.called == (Called("look-up", "{}"),) and reader.is_whole


def test_pieces_are_told_as_soon_as_they_are_known() -> None:
    reader = CallReader(NAMES, lambda: "id")
    told = [reader.push(letter) for letter in "好。" + call("look-up", {"q": "客户"})]
    assert [each.text for each in told if each.text] == ["好", "。"]
    first, *others = [piece for each in told for piece in each.calls]
    assert (first.id, first.name, first.arguments) == ("id", "look-up", "{")
    assert [piece.arguments for piece in others] == list('"q": "客户"}')


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("<tool_call>hello</tool_call>", "hello"),
        ("好<tool_call>\nhello", "好\nhello"),
        (call("other", {}), '\n{"name": "other", "arguments": {}}\n'),
        ('<tool_call>{"arguments": {}, "name": "look-up"}</tool_call>', '{"arguments": {}, "name": "look-up"}'),
        ('<tool_call>{"name": "look-up", "arguments": []}</tool_call>', '{"name": "look-up", "arguments": []}'),
        ("<tool_call>" + "x" * 2_000 + "<tool_call></tool_call>", "x" * 2_000),
    ],
)
def test_what_is_no_call_behind_a_mark_is_told_as_text_without_marks_and_is_not_whole(answer: str, text: str) -> None:
    for pieces in cuts(answer) if len(answer) < 200 else ([answer], list(answer)):
        said, told, reader = read(pieces)
        assert (said, told, reader.is_whole) == (text, [], False)


def test_what_follows_a_call_and_is_none_is_text() -> None:
    for pieces in cuts(call("look-up", {}) + " 好了" + call("look-up", {})):
        said, told, reader = read(pieces)
        assert len(merged(told)) == 1 and said.strip().startswith("好了") and not any(mark in said for mark in MARKS)
        assert not reader.is_whole


def test_behind_the_arguments_there_is_the_end_of_the_call() -> None:
    for pieces in cuts('<tool_call>{"name": "look-up", "arguments": {}, "more": 1}</tool_call>'):
        said, told, reader = read(pieces)
        assert merged(told) == [("id-0", "look-up", "{}")] and said == ', "more": 1}' and not reader.is_whole


def test_ids_are_drawn() -> None:
    ids = {new_call_id() for _ in range(200)}
    assert len(ids) == 200 and all(len(each) == 29 and each.startswith("call_") and each[5:].isalnum() for each in ids)


def spoken(stop: list[str], choice: ToolChoice = ToolChoice.AUTO) -> Spoken:
    calls = ToolCalls(tuple(CallableTool(name, "{}") for name in NAMES), has_text=True, is_parallel=True)
    return Spoken(Stops(stop), Offer((), calls, choice))


def said(one: Spoken, text: str, reason: Finish) -> tuple[str, list[CallPiece], Finish]:
    pieces = [one.push(letter) for letter in text]
    last, told = one.end("", reason)
    pieces.append(last)
    return "".join(piece.text for piece in pieces), [each for piece in pieces for each in piece.calls], told


@pytest.mark.parametrize(
    ("choice", "text", "reason", "told"),
    [
        (ToolChoice.AUTO, "好", Finish.STOP, Finish.STOP),
        (ToolChoice.AUTO, call("look-up", {}), Finish.STOP, Finish.TOOL_CALLS),
        (ToolChoice.REQUIRED, call("look-up", {}), Finish.STOP, Finish.TOOL_CALLS),
        (ToolChoice.NAMED, call("look-up", {}), Finish.STOP, Finish.STOP),
        (ToolChoice.AUTO, call("look-up", {})[:-20], Finish.LENGTH, Finish.LENGTH),
        (ToolChoice.AUTO, call("look-up", {}), Finish.LENGTH, Finish.LENGTH),
        (ToolChoice.AUTO, call("look-up", {})[:-20], Finish.STOP, Finish.LENGTH),
        (ToolChoice.NAMED, call("look-up", {})[:-20], Finish.STOP, Finish.LENGTH),
        (ToolChoice.AUTO, "<tool_call>hello</tool_call>", Finish.STOP, Finish.LENGTH),
        (ToolChoice.AUTO, call("look-up", {})[:-20], Finish.ERROR, Finish.ERROR),
    ],
)
def test_why_it_ended_is_told_in_terms_of_calls(choice: ToolChoice, text: str, reason: Finish, told: Finish) -> None:
    assert said(spoken([], choice), text, reason)[2] is told


def test_stop_strings_are_looked_for_in_text_alone() -> None:
    text, calls, reason = said(spoken(["北京", "look", "call"]), "好" + call("look-up", {"城市": "北京"}), Finish.STOP)
    assert (text, merged(calls)[0][2], reason) == ("好", '{"城市": "北京"}', Finish.TOOL_CALLS)
    one = spoken(["京。"])
    pieces = [one.push(letter) for letter in "北京。" + call("look-up", {})]
    assert "".join(piece.text for piece in pieces) == "北" and pieces[2].is_stopped
    assert not any(piece.calls for piece in pieces) and one.called == ()


def test_what_a_stop_string_held_back_comes_before_the_call() -> None:
    one = spoken(["好的再见"])
    pieces = [one.push(letter) for letter in "好的" + call("look-up", {})]
    (with_text,) = [piece for piece in pieces if piece.text]
    assert with_text.text == "好的" and with_text.calls[0].name == "look-up"
