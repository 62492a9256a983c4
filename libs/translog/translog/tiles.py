"""C2SP tlog-tiles: resource paths, entry bundles, and the export of a log as static files. https://c2sp.org/tlog-tiles

Any web server over the exported folder is a log that third-party clients verify. The checkpoint is written last: whoever reads it finds
every tile that it needs.
"""

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from translog.errors import MalformedError, RecordTooLargeError
from translog.merkle import HASH_BYTES
from translog.tree import TILE_WIDTH, tiles_of

MAX_ENTRY_BYTES = 65_535


class ExportSource(Protocol):
    """What the export reads; LogReader is one."""

    def checkpoint_note(self) -> tuple[int, str]:
        """(size, signed note) of the newest checkpoint."""

    def tile(self, level: int, index: int) -> bytes:
        """Stored hashes; at least as many as the checkpoint needs."""

    def bodies(self, start: int, end: int) -> Iterable[bytes]:
        """Leaf bodies start..end-1."""


def index_path(index: int) -> str:
    """1234067 -> x001/x234/067."""
    if index < 0:
        raise ValueError("a tile index is not negative")
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03d}")
    return "/".join(reversed(parts))


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """Path of a tile (level a number) or an entry bundle (level `entries`) of `width` hashes or entries."""
    if not 0 < width <= TILE_WIDTH:
        raise ValueError("a tile has 1 to 256 hashes")
    suffix = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{index_path(index)}{suffix}"


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Big-endian uint16 length before each entry. Raises RecordTooLargeError."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise RecordTooLargeError(f"an entry of {len(entry)} bytes; {MAX_ENTRY_BYTES} fit")
        parts += (struct.pack(">H", len(entry)), entry)
    return b"".join(parts)


def decode_bundle(bundle: bytes) -> list[bytes]:
    """Inverse of encode_bundle. Raises MalformedError."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        if at + 2 > len(bundle):
            raise MalformedError("an entry bundle ends inside a length")
        (length,) = struct.unpack_from(">H", bundle, at)
        at += 2
        if at + length > len(bundle):
            raise MalformedError("an entry bundle ends inside an entry")
        entries.append(bundle[at : at + length])
        at += length
    return entries


def export(source: ExportSource, folder: Path) -> int:
    """Write tiles, bundles and checkpoint below `folder`; full tiles that are there stay as they are. Returns the tree size."""
    size, note = source.checkpoint_note()
    for level, index, width in tiles_of(size):
        path = folder / tile_path(level, index, width)
        if not path.exists():
            _replace(path, source.tile(level, index)[: width * HASH_BYTES])
    for start in range(0, size, TILE_WIDTH):
        end = min(start + TILE_WIDTH, size)
        path = folder / tile_path("entries", start // TILE_WIDTH, end - start)
        if not path.exists():
            _replace(path, encode_bundle(source.bodies(start, end)))
    _replace(folder / "checkpoint", note.encode())
    return size


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
