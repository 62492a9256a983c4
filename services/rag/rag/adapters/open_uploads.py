"""An upload in its folder: what it is of, and the note of the original that it became."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rag.adapters.sealed_files import disk

DONE = "done"
NAME = re.compile(r"[0-9a-f]{64}")
"""What originals and uploads are called."""


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload of the folder."""

    folder: Path
    principal: str
    size_bytes: int
    sha256: bytes

    def done(self) -> str | None:
        """Return the original that it became. Raises Unavailable."""
        return noted(self.folder)


def noted(folder: Path) -> str | None:
    """Return the original that an upload became; None without a note, or for a damaged one: the content can be handed in again."""
    with disk():
        try:
            name = (folder / DONE).read_bytes().decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
    return name if NAME.fullmatch(name) else None
