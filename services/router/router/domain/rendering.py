"""What of a rendered conversation is the template's and what is content.

A template never sees what people wrote. In place of each content it gets a mark, and where a mark comes out the content belongs. So no
content can look like a control token, and a mark in a content is nothing but text. White space around a content is marked apart, by two
characters that count as white space themselves: where the template strips, they are gone, and the content is stripped there too. A mark
that does not come out exactly once (a filter changed it, a branch left it out) is an error: nobody's words are dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from meshkit.errors import InvalidArgument

from router.domain.generation import Message

BEFORE, AFTER = "\x1c", "\x1d"  # white space to str.strip(), and to nobody else
_PROBED = "".join(map(chr, range(0x20, 0x7F))) + "\n你好 Ω\t\u00e9"  # what a filter could change: case, quotes, brackets, lines, non-ASCII


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what was rendered: the template's own ``text``, or the content of message ``number`` (-1 for none), stripped or not."""

    text: str
    number: int = -1
    is_stripped_before: bool = False
    is_stripped_after: bool = False

    def content(self, messages: Sequence[Message]) -> str:
        """Return the text of this piece of a conversation."""
        if self.number < 0:
            return self.text
        content = messages[self.number].content
        if not content.strip():
            return "" if self.is_stripped_before or self.is_stripped_after else content
        content = content.lstrip() if self.is_stripped_before else content
        return content.rstrip() if self.is_stripped_after else content


Shape = tuple[tuple[str, bool, bool, bool], ...]


def shape(messages: Sequence[Message]) -> Shape:
    """Return all that a template can see of a conversation: roles, where content is empty, and where white space stands around it."""
    return tuple((role, bool(text), text != text.lstrip(), text != text.rstrip()) for role, text in messages)


class Marks:
    """Marks of one process. ``nonce``: letters and digits that nobody outside can know. ``is_probe``: marks that no filter leaves alone."""

    def __init__(self, nonce: str, *, is_probe: bool = False) -> None:
        self._nonce = nonce
        self._filling = _PROBED * 40 if is_probe else ""
        self._mark = re.compile(f"({BEFORE}?){nonce}Mk([0-9]+)e{re.escape(self._filling)}mK({AFTER}?)")

    def marked(self, seen: Shape) -> list[dict[str, str]]:
        """Return the messages that a template is given for a conversation of this shape."""
        return [{"role": role, "content": self._of(number, *facts)} for number, (role, *facts) in enumerate(seen)]

    def _of(self, number: int, is_there: bool, is_before: bool, is_after: bool) -> str:
        if not is_there:
            return ""
        return f"{BEFORE * is_before}{self._nonce}Mk{number}e{self._filling}mK{AFTER * is_after}"

    def parts(self, rendered: str, seen: Shape) -> tuple[Part, ...]:
        """Return the pieces of what was rendered, in order.

        Raises InvalidArgument (TEMPLATE_REFUSED) when a content is lost or repeated.
        """
        parts, end, found = list[Part](), 0, list[int]()
        for mark in self._mark.finditer(rendered):
            number = int(mark[2])
            if number >= len(seen):
                raise _refused("the template made a mark of its own")
            _, _, is_before, is_after = seen[number]
            begins = mark.start() if is_before else mark.start() + len(mark[1])
            ends = mark.end() if is_after else mark.end() - len(mark[3])
            parts += [Part(rendered[end:begins])] if begins > end else []
            parts.append(Part("", number, is_before and not mark[1], is_after and not mark[3]))
            end = ends
            found.append(number)
        parts += [Part(rendered[end:])] if end < len(rendered) else []
        wanted = [number for number, (_, is_there, *_) in enumerate(seen) if is_there]
        if sorted(found) != wanted or any(self._nonce in part.text for part in parts):
            raise _refused("the template of the model loses, changes or repeats what was said")
        return tuple(parts)


def _refused(why: str) -> InvalidArgument:
    return InvalidArgument(why, reason="TEMPLATE_REFUSED")
