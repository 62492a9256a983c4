"""Check an exported log: static files as translog.tiles writes them, from any disk or mirror, without the store they came from.

Files hold what the tree commits to and no more: no offsets, no quarantine, no key columns. What position leaves say of each other is
checked all the same.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from translog.anchor import read_note
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.entries import Kind
from translog.errors import MalformedError, TranslogError
from translog.merkle import leaf_hash
from translog.note import Verifier
from translog.replay import KeysOf, Positions, Regrown, read_keys, stated
from translog.report import Report
from translog.tiles import decode_bundle, tile_path
from translog.tree import TILE_WIDTH, split, tiles_of


def fsck_tiles(
    folder: Path,
    verifier: Verifier,
    *,
    pinned: Checkpoint | None = None,
    keys_of: KeysOf | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Check everything; damage is reported, never raised. Raises NotFoundError when there is no exported log."""
    report = Report(origin=verifier.name)
    note = read_note(folder / "checkpoint")
    try:
        checkpoint = open_checkpoint(note, origin=verifier.name, log=[verifier])
    except TranslogError as error:
        report.add("checkpoint-signature", "checkpoint", str(error))
        return report
    report.checkpoints, report.size = 1, checkpoint.size
    due = [("root", checkpoint)]
    if pinned is not None and (pinned.origin != checkpoint.origin or pinned.size > checkpoint.size):
        report.add("pinned", pinned.size, f"the files are of {checkpoint.origin!r} and {checkpoint.size} leaves")
    elif pinned is not None:
        due.append(("pinned", pinned))
    _Files(folder, report, Regrown(report, due), keys_of).check(progress)
    return report


class _Files:
    def __init__(self, folder: Path, report: Report, tree: Regrown, keys_of: KeysOf | None) -> None:
        self._folder = folder
        self._report = report
        self._tree = tree
        self._keys_of = keys_of
        self._positions = Positions(report, columns=False)
        self._seen: set[bytes] = set()

    def check(self, progress: Callable[[int], None] | None) -> None:
        size = self._report.size
        self._tree.grow([])
        for start in range(0, size, TILE_WIDTH):
            width = min(TILE_WIDTH, size - start)
            entries = self._read("entries", start // TILE_WIDTH, width, decode_bundle)
            if entries is None:
                return  # what follows would be compared with nothing
            self._tree.grow([self._leaf(start + n, body) for n, body in enumerate(entries)])
            if progress:
                progress(start + width)
        self._positions.finish(size)
        for level, index, width in tiles_of(size):
            hashes = self._read(level, index, width, split)
            if hashes is not None:
                self._report.tiles += 1
                if hashlib.sha256(b"".join(hashes)).digest() != self._tree.tiles[level, index]:
                    self._report.add("tile", tile_path(level, index, width), "hashes differ from the leaves")

    def _read(self, level: int | str, index: int, width: int, decode: Callable[[bytes], list[bytes]]) -> list[bytes] | None:
        """The parts of a partial tile, or as many of the full one that took its place when the log grew; None, and a finding, without."""
        for held in dict.fromkeys((width, TILE_WIDTH)):
            name = tile_path(level, index, held)
            try:
                parts = decode((self._folder / name).read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, MalformedError) as error:
                self._report.add("file", name, str(error))
                return None
            if len(parts) != held:
                self._report.add("file", name, f"{len(parts)} parts instead of {held}")
                return None
            return parts[:width]
        self._report.add("file", tile_path(level, index, width), "it is not there")
        return None

    def _leaf(self, index: int, body: bytes) -> bytes:
        try:
            leaf = stated(self._report, index, body)
        except MalformedError as error:
            self._report.add("kind", index, str(error))
        else:
            if leaf is None:
                self._record(index, body)
            elif leaf.kind == Kind.POSITION:
                self._positions.position(index, leaf, body, 0)
        return leaf_hash(body)

    def _record(self, index: int, body: bytes) -> None:
        keys = read_keys(self._report, index, body, self._keys_of) if self._keys_of else None
        if keys is None:
            return
        event_id = hashlib.blake2b(keys.event_id.encode(), digest_size=16).digest()
        if event_id in self._seen:
            self._report.add("event-id", keys.event_id, f"leaf {index} is another record with this id")
        self._seen.add(event_id)
