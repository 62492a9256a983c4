"""Tools and calls of them, as callers say and are told."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Tool(NamedTuple):
    """A tool that may be called. ``parameters``: the JSON schema of its arguments as text; empty: it has none."""

    name: str
    description: str = ""
    parameters: str = ""
    is_strict: bool = False


class ToolChoice(IntEnum):
    """Whether tools are called; numbers as in the contract."""

    AUTO = 1
    NONE = 2
    REQUIRED = 3
    NAMED = 4


class ToolCall(NamedTuple):
    """A call that an assistant made. ``arguments``: a JSON object as text."""

    id: str
    name: str
    arguments: str


class CallPiece(NamedTuple):
    """A piece of a call: ``id`` and ``name`` with the first one, then its arguments. ``number``: which call of the answer."""

    number: int
    id: str
    name: str
    arguments: str


class Called(NamedTuple):
    """A call that a model made."""

    name: str
    arguments: str
