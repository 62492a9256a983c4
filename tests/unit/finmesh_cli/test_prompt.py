"""Questions as they are typed, and other people's text as it is shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from finmesh_cli import prompt, show


def typed(*lines: str) -> Callable[[str], str]:
    """`input` of somebody who types these lines and then ends."""
    left = list(lines)

    def read(_: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    return read


@pytest.mark.parametrize(
    ("lines", "questions"),
    [
        (["  你好，世界 "], ["你好，世界"]),
        (["一", "", "二"], ["一", "", "二"]),
        (["第一行\\", "第二行\\", "", "下一问"], ["第一行\n第二行", "下一问"]),
        (['"""', "def f():", "    return '\\\\'", '"""', "x"], ["def f():\n    return '\\\\'", "x"]),
        (['"""', "没有结束"], ["没有结束"]),
        (["以反斜杠结束\\"], ["以反斜杠结束"]),
        (["/bye"], ["/bye"]),
        ([], []),
    ],
)
def test_a_question_is_a_line_or_several(lines: list[str], questions: list[str]) -> None:
    read = typed(*lines)
    assert [prompt.question(read) for _ in questions] == questions
    assert prompt.question(read) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("你好\n\t世界 😀", "你好\n\t世界 😀"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\rb\x08c\x07\x9b31m", "a\\rb\\x08c\\x07\\x9b31m"),
        ("abc\u202edef", "abc\\u202edef"),
        ("家\u200d庭", "家\u200d庭"),
    ],
)
def test_nothing_that_somebody_else_wrote_steers_the_terminal(text: str, shown: str) -> None:
    assert show.plain(text) == shown
