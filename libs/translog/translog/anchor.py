"""Pinned checkpoints: a checkpoint kept where the log's operator cannot change it.

A log that only its operator signs can be rewritten and signed again by its operator; what it cannot do is agree with a checkpoint that
someone else kept.
"""

import os
from pathlib import Path

from translog.checkpoint import Checkpoint
from translog.errors import NotFoundError, RewrittenError, RolledBackError
from translog.reader import LogReader

_MAX_NOTE_BYTES = 1 << 20


def check_pinned(reader: LogReader, pinned: Checkpoint) -> None:
    """The log must contain the pinned state. Raises RolledBackError (smaller), RewrittenError (other history or other log)."""
    origin, _ = reader.require()
    if origin != pinned.origin:
        raise RewrittenError(f"the pinned checkpoint is of {pinned.origin!r}, the log is {origin!r}")
    size, _ = reader.checkpoint_note()
    if size < pinned.size:
        raise RolledBackError(f"the log has {size} leaves, {pinned.size} were pinned")
    if reader.root_at(pinned.size) != pinned.root:
        raise RewrittenError(f"the first {pinned.size} leaves are not those that were pinned")


def read_note(path: Path) -> str:
    """A note from a file. Raises NotFoundError."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_NOTE_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"cannot read a checkpoint from {path}") from error


def write_note(path: Path, note: str) -> None:
    """Replace the file at once, durably: after a crash it holds the old note or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(note.encode())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
