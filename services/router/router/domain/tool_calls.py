"""Calls of tools in a text that arrives in pieces, in the format of Hermes (`engine.llm.tool_grammar`): told as they come, marks never.

A call is told by its name first and then by pieces of its arguments, which are the model's own text. The grammar of the engine sees to it
that text stands before calls alone and that calls are whole; here nothing is taken for granted. What is no call after its mark is told as
text, a call that ends in the middle as far as it came, and ``is_whole`` says that not all was well. White space before a mark belongs to
it. Where an answer was cut in what may have become a mark, that is not told: nobody knows what it was.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable, Collection, Sequence
from enum import Enum, auto
from typing import NamedTuple

from engine.llm.tool_grammar import CLOSE, NAME, OPEN

from router.domain.calls import Called, CallPiece

_LONGEST_HEAD = 512
_HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*"(' + NAME.pattern + r')"\s*,\s*"arguments"\s*:\s*(?=\{)')
_END = "}" + CLOSE
_LETTERS = string.ascii_letters + string.digits


class Told(NamedTuple):
    """What may be told now: text, and pieces of calls that come after it."""

    text: str
    calls: tuple[CallPiece, ...]


class _At(Enum):
    TEXT = auto()
    HEAD = auto()
    """Behind a mark, before the arguments."""
    ARGUMENTS = auto()
    END = auto()
    """Behind the arguments."""
    NEXT = auto()
    """Behind a call: another one or nothing."""
    FORM = auto()
    """In JSON, which is all of the answer."""
    LOST = auto()
    """Behind what is no call: text to the end."""


def new_call_id() -> str:
    """Draw the id of a call."""
    return "call_" + "".join(secrets.choice(_LETTERS) for _ in range(24))


class CallReader:
    """Reads one answer. ``names``: tools that may be called. ``has_form``: what is no call is JSON, whose strings may hold a mark."""

    def __init__(self, names: Collection[str], new_id: Callable[[], str] = new_call_id, *, has_form: bool = False) -> None:
        self._names, self._new_id, self._has_form = names, new_id, has_form
        self._at = _At.TEXT
        self._held = ""
        self._texts: list[str] = []
        self._pieces: list[CallPiece] = []
        self._called: list[tuple[str, list[str]]] = []
        self._depth, self._is_quoted, self._is_escaped, self._matched = 0, False, False, 0
        self._steps = {
            _At.TEXT: self._text, _At.HEAD: self._head, _At.ARGUMENTS: self._arguments, _At.END: self._end_of_call,
            _At.NEXT: self._next, _At.FORM: self._form, _At.LOST: self._lost,
        }  # fmt: skip

    @property
    def called(self) -> tuple[Called, ...]:
        """Return the calls that were told, the last one perhaps in part."""
        return tuple(Called(name, "".join(pieces)) for name, pieces in self._called)

    @property
    def is_whole(self) -> bool:
        """Whether the answer may end here: everything behind a mark was a call, to its end."""
        return self._at in (_At.TEXT, _At.NEXT, _At.FORM)

    def push(self, text: str) -> Told:
        """Take the next piece of the answer."""
        self._held += text
        while self._held and self._steps[self._at]():
            pass
        return self._told()

    def end(self, *, is_cut: bool) -> Told:
        """Return what was held back: the answer is over, or was cut."""
        held, self._held = self._held, ""
        if self._at is _At.NEXT and self._matched:  # the beginning of a mark
            self._at, held = _At.LOST, OPEN[: self._matched]
        elif self._at is _At.HEAD and not is_cut:
            self._at = _At.LOST
        if self._at is _At.TEXT or (self._at is _At.LOST and not is_cut):
            self._texts.append(_without_beginning(held) if is_cut else held.replace(OPEN, ""))
        return self._told()

    def _told(self) -> Told:
        text, calls = "".join(self._texts), joined(self._pieces)
        self._texts, self._pieces = [], []
        return Told(text, calls)

    # Each step takes what it can of what is held, and returns whether another may go on.

    def _text(self) -> bool:
        if self._has_form and not OPEN.startswith(self._held[: len(OPEN)]):
            self._at = _At.FORM
            return True
        before, mark, behind = self._held.partition(OPEN)
        if mark:
            self._texts.append(before.rstrip())
            self._held, self._at = behind, _At.HEAD
            return True
        ready = len(_without_beginning(self._held).rstrip())
        self._texts.append(self._held[:ready])
        self._held = self._held[ready:]
        return False

    def _form(self) -> bool:
        self._texts.append(self._held)
        self._held = ""
        return False

    def _head(self) -> bool:
        head = _HEAD.match(self._held)
        if head is not None and head[1] in self._names:
            self._pieces.append(CallPiece(len(self._called), self._new_id(), head[1], ""))
            self._called.append((head[1], []))
            self._held, self._at = self._held[head.end() :], _At.ARGUMENTS
            return True
        if head is None and CLOSE not in self._held and len(self._held) <= _LONGEST_HEAD:
            return False
        self._at = _At.LOST
        return True

    def _arguments(self) -> bool:
        """Pass on a JSON object, to the brace that closes it."""
        size = len(self._held)
        for at, letter in enumerate(self._held):
            if self._is_escaped:
                self._is_escaped = False
            elif self._is_quoted:
                self._is_escaped, self._is_quoted = letter == "\\", letter != '"'
            elif letter == '"':
                self._is_quoted = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
                if not self._depth:
                    self._at, self._matched, size = _At.END, 0, at + 1
                    break
        piece, self._held = self._held[:size], self._held[size:]
        self._called[-1][1].append(piece)
        self._pieces.append(CallPiece(len(self._called) - 1, "", "", piece))
        return True

    def _end_of_call(self) -> bool:
        return self._expected(_END, _At.NEXT, blank_at=(0, 1))

    def _next(self) -> bool:
        return self._expected(OPEN, _At.HEAD, blank_at=(0,))

    def _expected(self, wanted: str, then: _At, blank_at: Collection[int]) -> bool:
        """Drop a text that must come, and white space where it may stand."""
        for size, letter in enumerate(self._held):
            if letter == wanted[self._matched]:
                self._matched += 1
                if self._matched == len(wanted):
                    self._held, self._at, self._matched = self._held[size + 1 :], then, 0
                    return True
            elif not (letter.isspace() and self._matched in blank_at):
                self._held, self._at = wanted[: self._matched] + self._held[size:], _At.LOST
                return True
        self._held = ""
        return False

    def _lost(self) -> bool:
        text = self._held.replace(OPEN, "").replace(CLOSE, "")
        ready = min(len(_without_beginning(text, mark)) for mark in (OPEN, CLOSE))
        self._texts.append(text[:ready])
        self._held = text[ready:]
        return False


def _without_beginning(text: str, mark: str = OPEN) -> str:
    """Return a text without the longest end that begins a mark."""
    longest = next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:size])), 0)
    return text[: len(text) - longest]


def joined(pieces: Sequence[CallPiece]) -> tuple[CallPiece, ...]:
    """Return pieces with those of one call, in a row, as one."""
    found: list[CallPiece] = []
    for piece in pieces:
        if found and found[-1].number == piece.number:
            last = found[-1]
            found[-1] = last._replace(arguments=last.arguments + piece.arguments)
        else:
            found.append(piece)
    return tuple(found)
