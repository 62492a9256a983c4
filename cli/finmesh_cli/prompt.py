"""Questions that a person types: a line, or several.

A line that ends with a backslash goes on in the next; between two lines of three quotation marks everything is one question, backslashes
and all. Readline, where Python has it, edits lines of any script and remembers them until the program ends.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable

FENCE = '"""'
_PROMPT, _MORE = "> ", ". "


def is_terminal() -> bool:
    """Whether somebody types and reads here; Python has None for a stream that is closed."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def edit_lines() -> None:
    """Let lines be edited from now on."""
    if importlib.util.find_spec("readline"):
        importlib.import_module("readline")


def question(read: Callable[[str], str] = input) -> str | None:
    """Return the next question without the space around it, empty for an empty line; None at the end of the input. ``read`` as `input`."""
    try:
        line = read(_PROMPT)
    except EOFError:
        return None
    lines: list[str] = []
    try:
        if line.strip() == FENCE:
            while (line := read(_MORE)).strip() != FENCE:
                lines.append(line)
            return "\n".join(lines).strip()
        while line.endswith("\\"):
            lines.append(line[:-1])
            line = read(_MORE)
        lines.append(line)
    except EOFError:  # what was typed so far is the question
        pass
    return "\n".join(lines).strip()
