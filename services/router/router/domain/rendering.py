"""What of a rendered conversation is the template's and what is content.

A template never sees what people wrote. In place of each content it gets a mark, and where a mark comes out the content belongs. So no
content can look like a control token, and a mark in a content is nothing but text. White space around a content is marked apart, by two
characters that count as white space themselves: where the template strips, they are gone, and the content is stripped there too. A mark
that does not come out exactly once (a filter changed it, a branch left it out) is an error: nobody's words are dropped in silence.

Tools, and calls that were made, are content too. A template writes them as JSON, so a mark may come out in quotes: these go, and in place
of mark and quotes comes the JSON of the content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple

from meshkit.errors import InvalidArgument

from router.domain.calls import Tool
from router.domain.generation import Message

BEFORE, AFTER = "\x1c", "\x1d"  # white space to str.strip(), and to nobody else
_PROBED = "".join(map(chr, range(0x20, 0x7F))) + "\n你好 Ω\t\u00e9"  # what a filter could change: case, quotes, brackets, lines, non-ASCII


class Kind(Enum):
    """What a content is: a text as it is; a word, which is a string where it stands in quotes; or JSON."""

    TEXT = auto()
    WORD = auto()
    JSON = auto()


class Content(NamedTuple):
    """A content and what it is."""

    text: str
    kind: Kind = Kind.TEXT


class SeenTurn(NamedTuple):
    """All that a template can see of a turn: its role, whether it says something, white space around that, how many calls it has."""

    role: str
    is_there: bool
    is_before: bool
    is_after: bool
    calls: int = 0


class Shape(NamedTuple):
    """All that a template can see of a conversation. ``tools``: of each, whether it is described."""

    turns: tuple[SeenTurn, ...]
    tools: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what was rendered: the template's own ``text``, or the content ``number`` (-1 for none), stripped, in quotes, or not."""

    text: str
    number: int = -1
    is_stripped_before: bool = False
    is_stripped_after: bool = False
    is_quoted: bool = False

    def content(self, contents: Sequence[Content]) -> str:
        """Return the text of this piece of a conversation."""
        if self.number < 0:
            return self.text
        content, kind = contents[self.number]
        if kind is not Kind.TEXT:
            return json.dumps(content, ensure_ascii=False) if self.is_quoted and kind is Kind.WORD else content
        if not content.strip():
            return "" if self.is_stripped_before or self.is_stripped_after else content
        content = content.lstrip() if self.is_stripped_before else content
        return content.rstrip() if self.is_stripped_after else content


def shape(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> Shape:
    """Return what a template can see of a conversation."""
    turns = (
        SeenTurn(turn.role, bool(text := turn.content), text != text.lstrip(), text != text.rstrip(), len(turn.calls)) for turn in messages
    )
    return Shape(tuple(turns), tuple(bool(tool.description) for tool in tools))


def contents(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> list[Content]:
    """Return all contents of a conversation, by number: of each turn what it says and its calls, then the tools."""
    found = list[Content]()
    for turn in messages:
        found.append(Content(turn.content))
        for call in turn.calls:
            found += [Content(call.name, Kind.WORD), Content(call.arguments, Kind.JSON)]
    for tool in tools:
        found += [Content(tool.name, Kind.WORD), Content(tool.description, Kind.WORD), Content(tool.parameters, Kind.JSON)]
    return found


class Marks:
    """Marks of one process. ``nonce``: letters and digits that nobody outside can know. ``is_probe``: marks that no filter leaves alone."""

    def __init__(self, nonce: str, *, is_probe: bool = False) -> None:
        self._nonce = nonce
        self._filling = _PROBED * 40 if is_probe else ""
        self._mark = re.compile(f'("?)({BEFORE}?){nonce}Mk([0-9]+)e((?:{re.escape(self._filling)})?)mK({AFTER}?)("?)')

    def marked(self, seen: Shape) -> dict[str, Any]:
        """Return messages and tools that a template is given for a conversation of this shape."""
        number, messages, tools = 0, list[dict[str, Any]](), list[dict[str, Any]]()
        for turn in seen.turns:
            message: dict[str, Any] = {"role": turn.role, "content": self._text(number, turn)}
            if turn.calls:
                message["tool_calls"] = [self._call(number + 1 + 2 * at) for at in range(turn.calls)]
            messages.append(message)
            number += 1 + 2 * turn.calls
        for is_described in seen.tools:
            function = {"name": self._plain(number)} | ({"description": self._plain(number + 1)} if is_described else {})
            tools.append({"type": "function", "function": function | {"parameters": self._plain(number + 2)}})
            number += 3
        return {"messages": messages, "tools": tools or None}

    def _text(self, number: int, turn: SeenTurn) -> str:
        if not turn.is_there:
            return ""
        return f"{BEFORE * turn.is_before}{self._nonce}Mk{number}e{self._filling}mK{AFTER * turn.is_after}"

    def _plain(self, number: int) -> str:
        return f"{self._nonce}Mk{number}emK"

    def _call(self, number: int) -> dict[str, Any]:
        return {"type": "function", "function": {"name": self._plain(number), "arguments": self._plain(number + 1)}}

    def parts(self, rendered: str, seen: Shape) -> tuple[Part, ...]:
        """Return the pieces of what was rendered, in order.

        Raises InvalidArgument (TEMPLATE_REFUSED) when a content is lost or repeated.
        """
        wanted = dict(_marks(seen))
        parts, end, found = list[Part](), 0, list[int]()
        for mark in self._mark.finditer(rendered):
            number = int(mark[3])
            if number not in wanted:
                raise _refused("the template made a mark of its own")
            part, begins, ends = _part(mark, number, wanted[number])
            if wanted[number] is not None and mark[4] != self._filling:
                raise _refused("the template changes what was said")
            parts += [Part(rendered[end:begins])] if begins > end else []
            parts.append(part)
            end = ends
            found.append(number)
        parts += [Part(rendered[end:])] if end < len(rendered) else []
        if sorted(found) != list(wanted) or any(self._nonce in part.text for part in parts):
            raise _refused("the template of the model loses, changes or repeats what was said")
        return tuple(parts)


def _marks(seen: Shape) -> Iterator[tuple[int, SeenTurn | None]]:
    """Yield the number of each mark that must come out; with its turn, when it is a text."""
    number = 0
    for turn in seen.turns:
        if turn.is_there:
            yield number, turn
        yield from ((each, None) for each in range(number + 1, number + 1 + 2 * turn.calls))
        number += 1 + 2 * turn.calls
    for is_described in seen.tools:
        yield from ((number + each, None) for each in range(3) if each != 1 or is_described)
        number += 3


def _part(mark: re.Match[str], number: int, turn: SeenTurn | None) -> tuple[Part, int, int]:
    """Return the part of a mark, and where it begins and ends: what around it is not the mark's is the template's."""
    if turn is None:
        is_quoted = bool(mark[1] and mark[6])
        return Part("", number, is_quoted=is_quoted), mark.start(1 if is_quoted else 2), mark.end(6 if is_quoted else 5)
    begins = mark.start(2) if turn.is_before else mark.end(2)
    ends = mark.end(5) if turn.is_after else mark.start(5)
    return Part("", number, turn.is_before and not mark[2], turn.is_after and not mark[5]), begins, ends


def _refused(why: str) -> InvalidArgument:
    return InvalidArgument(why, reason="TEMPLATE_REFUSED")
