"""What the command writes to, when that is not a terminal of UTF-8 that reads to the end.

A character that the terminal lacks is written as its escape. A reader that goes away (`| head -1`) ends the command as it would end
`cat`: by SIGPIPE, in silence, whichever thread was writing. Python, Typer and Rich would each exit with 1, which here means tampered.
"""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from typing import TextIO


class Output(TextIOWrapper):
    """Standard output."""

    def write(self, text: str) -> int:
        """Write, or end the process."""
        try:
            return super().write(text)
        except OSError:
            self._gone()
            raise

    def flush(self) -> None:
        """Flush, or end the process."""
        try:
            super().flush()
        except OSError:
            self._gone()
            raise

    def _gone(self) -> None:
        """Called when a write failed: dies of a closed pipe; after another failure (disk full) nothing more is written."""
        if isinstance(sys.exception(), BrokenPipeError):
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGPIPE)
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def output(stream: TextIO | None) -> TextIO | None:
    """Return `stream` as one that any text can be written to; None, a closed one, stays None."""
    if stream is None:
        return None
    encoding, buffered = stream.encoding, not stream.isatty()
    return Output(stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=not buffered)  # type: ignore[attr-defined]
