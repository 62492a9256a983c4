"""Tokens become text once and in order."""

from __future__ import annotations

import pytest
from meshkit.errors import Unavailable
from router.domain.calls import Called
from router.domain.generation import ChoiceFinished, Delta, Finish, Token, TokenLogprob
from router.domain.spoken import Piece
from router.steps.answers import Answers


class Halves:
    """A character is two tokens: text is ready with every second one. Token 9 is a stop string."""

    def __init__(self) -> None:
        self._held = ""

    def push(self, token_id: int) -> Piece:
        if token_id == 9:
            return Piece("", True)
        if not self._held:
            self._held = str(token_id)
            return Piece("", False)
        whole, self._held = f"[{self._held}{token_id}]", ""
        return Piece(whole, False)

    def name(self, token_id: int) -> bytes:
        return b"%d" % token_id

    def end(self, reason: Finish) -> tuple[Piece, Finish]:
        held, self._held = self._held, ""
        return Piece("�" if held else "", False), reason

    @property
    def called(self) -> tuple[Called, ...]:
        return ()


def answers(choices: int = 1, keep_tokens: bool = True) -> Answers:
    return Answers(Halves, choices, keep_tokens=keep_tokens)


def token(position: int, token_id: int = 1, choice: int = 0) -> Token:
    return Token(choice, position, token_id)


def test_tokens_of_one_message_make_one_piece_an_answer() -> None:
    made = answers(2)
    pieces = made.take([token(0), token(0, choice=1), token(1, 2), token(2, 3), token(1, 4, choice=1)])
    assert pieces == [
        Delta(0, "[12]", (token(0), token(1, 2), token(2, 3)), 5),
        Delta(1, "[14]", (token(0, choice=1), token(1, 4, choice=1)), 5),
    ]


def test_tokens_whose_text_is_held_back_come_with_the_piece_that_has_it() -> None:
    made = answers()
    assert made.take([token(0)]) == []
    assert made.take([token(1, 2)]) == [Delta(0, "[12]", (token(0), token(1, 2)), 2)]
    assert made.take([token(2)]) == []
    assert made.finish(0, Finish.LENGTH) == [Delta(0, "�", (token(2),), 3), ChoiceFinished(0, Finish.LENGTH, 3)]


def test_the_last_tokens_are_told_even_without_text() -> None:
    made = answers()
    made.take([token(0)])
    assert made.take([token(1, 9)]) == [Delta(0, "", (token(0), token(1, 9)), 2), ChoiceFinished(0, Finish.STOP, 2)]


def test_tokens_are_dropped_when_nobody_asked_for_them() -> None:
    assert answers(keep_tokens=False).take([token(0), token(1)]) == [Delta(0, "[11]", (), 2)]


def test_what_came_before_is_dropped() -> None:
    made = answers()
    made.take([token(0), token(1)])
    assert made.take([token(0), token(1), token(2), token(3)]) == [Delta(0, "[11]", (token(2), token(3)), 4)]
    assert made.tokens == {0: (1, 1, 1, 1)}


@pytest.mark.parametrize("wrong", [token(1), token(0, choice=1), token(0, choice=7)])
def test_a_hole_and_an_answer_that_nobody_asked_for(wrong: Token) -> None:
    with pytest.raises(Unavailable) as failed:
        answers().take([wrong])
    assert failed.value.reason == "TOKENS_MISSING"


def test_what_ended_stays_so() -> None:
    made = answers(2)
    made.take([token(0, 9)])
    assert made.take([token(1)]) == []
    assert made.finish(0, Finish.LENGTH) == []
    assert not made.are_over
    assert made.closed(Finish.CANCELLED) == (ChoiceFinished(0, Finish.STOP, 1), ChoiceFinished(1, Finish.CANCELLED, 0))
    made.finish(1, Finish.STOP)
    assert made.are_over
    assert made.output_tokens == 1


def test_tokens_are_named_where_callers_are_told_of_them() -> None:
    top = (TokenLogprob(4, -0.1), TokenLogprob(5, -0.2))
    tokens = [Token(0, 0, 4, -0.1, top), Token(0, 1, 5, -0.2, top)]
    (plain,) = answers().take(tokens)
    (named,) = Answers(Halves, 1, keep_tokens=True, name_tokens=True).take(tokens)
    assert isinstance(plain, Delta) and isinstance(named, Delta)
    assert [token.text for token in plain.tokens] == [b"", b""]
    assert [(token.text, [each.text for each in token.top]) for token in named.tokens] == [(b"4", [b"4", b"5"]), (b"5", [b"4", b"5"])]
