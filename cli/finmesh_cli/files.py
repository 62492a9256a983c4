"""Files that the command is given: read in whole, but never more of them than such a file can have (somebody will name /dev/zero)."""

from __future__ import annotations

import sys
from pathlib import Path

from finmesh_cli.failures import UsageError

MAX_BYTES = 16 * 1024 * 1024


def read(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Return what a file holds. Raises UsageError that names the file."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > max_bytes:
        raise UsageError(f"{path} has more than {max_bytes:,} bytes")
    return content


def text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Return the UTF-8 text of a file. Raises UsageError that names the file."""
    try:
        return read(path, max_bytes).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text") from None


def piped(what: str, max_bytes: int) -> str:
    """Return all of the standard input, which is a `what`. Raises UsageError."""
    if sys.stdin is None:
        raise UsageError(f"there is no {what}: the standard input is closed")
    content = sys.stdin.buffer.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise UsageError(f"the {what} has more than {max_bytes:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"the {what} is not UTF-8 text") from None
