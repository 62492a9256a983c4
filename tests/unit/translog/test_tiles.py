"""Tile paths, entry bundles and an exported log that a reader of static files alone can verify."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from translog.checkpoint import open_checkpoint
from translog.errors import MalformedError, RecordTooLargeError
from translog.merkle import leaf_hash
from translog.tiles import decode_bundle, encode_bundle, export, index_path, tile_path
from translog.tree import TileTree, tiles_of


def test_paths_of_the_specification() -> None:
    assert index_path(1_234_067) == "x001/x234/067"
    assert (index_path(0), index_path(999), index_path(1000)) == ("000", "999", "x001/000")
    assert tile_path(0, 273, 112) == "tile/0/273.p/112"
    assert tile_path("entries", 5) == "tile/entries/005"
    for wrong in (0, 257):
        with pytest.raises(ValueError, match="256"):
            tile_path(0, 0, wrong)
    with pytest.raises(ValueError, match="negative"):
        index_path(-1)


@given(st.lists(st.binary(max_size=400), max_size=20))
def test_entry_bundles(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries)) == entries


def test_entry_bundle_bytes_and_limits() -> None:
    assert encode_bundle([b"ab", b""]) == b"\x00\x02ab\x00\x00"
    assert decode_bundle(encode_bundle([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(RecordTooLargeError):
        encode_bundle([b"x" * 65_536])
    for cut in (b"\x00", b"\x00\x02a"):
        with pytest.raises(MalformedError):
            decode_bundle(cut)


def test_an_exported_log_verifies_from_its_files_alone(open_log, batch_of, tmp_path, verifiers, signer) -> None:
    folder = tmp_path / "site"
    log = open_log()
    for size in (1, 5, 300, 700):
        if size > 1:
            log.append(batch_of(*range(log.reader.records(), log.reader.records() + size - log.size - 1)))
        assert export(log.reader, folder) == size
        checkpoint = open_checkpoint((folder / "checkpoint").read_text(), origin=signer.name, log=verifiers)
        widths = {(level, index): width for level, index, width in tiles_of(size)}
        tree = TileTree(size, lambda level, index, w=widths: (folder / tile_path(level, index, w[level, index])).read_bytes())
        assert tree.root_at(size) == checkpoint.root
        for (level, index), width in widths.items():
            if level == 0:
                entries = decode_bundle((folder / tile_path("entries", index, width)).read_bytes())
                assert b"".join(leaf_hash(e) for e in entries) == (folder / tile_path(0, index, width)).read_bytes()
    assert not list(folder.rglob("*.partial"))


def test_full_tiles_are_written_once(open_log, batch_of, tmp_path) -> None:
    log = open_log()
    log.append(batch_of(*range(300)))
    export(log.reader, tmp_path)
    full = tmp_path / tile_path("entries", 0)
    before = full.stat().st_mtime_ns, full.stat().st_ino
    export(log.reader, tmp_path)
    assert (full.stat().st_mtime_ns, full.stat().st_ino) == before
