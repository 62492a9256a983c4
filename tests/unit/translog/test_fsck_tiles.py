"""An exported log is checked from its files alone; no file can be changed, cut or left out."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from translog.checkpoint import open_checkpoint
from translog.entries import Batch, Keys, Poison
from translog.errors import ExitCode, NotFoundError
from translog.fsck_tiles import fsck_tiles
from translog.note import Signer
from translog.positions import Position
from translog.tiles import export


@pytest.fixture
def folder(open_log, batch_of, record, tmp_path) -> Path:
    """601 leaves: two full bundles and a partial one, every kind but a gap."""
    log = open_log()
    log.append(batch_of(*range(300)))
    log.append(Batch((record(5, body=b"other"), Poison(b"junk", "NOT_A_BATCH")), 1))
    log.append(batch_of(*range(300, 595)))
    assert export(log.reader, tmp_path / "导出") == 601
    open_log.close()
    return tmp_path / "导出"


@pytest.fixture
def found(folder, signer, keys_of) -> Callable[..., set[str]]:
    def check(**options: object) -> set[str]:
        report = fsck_tiles(folder, signer.verifier, **{"keys_of": keys_of, **options})
        assert report.exit_code == (ExitCode.TAMPER if report.findings else ExitCode.OK)
        return {finding.check for finding in report.findings}

    return check


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_sound_export(folder, signer, keys_of) -> None:
    seen: list[int] = []
    report = fsck_tiles(folder, signer.verifier, keys_of=keys_of, progress=seen.append)
    assert report.findings == []
    assert (report.size, report.checkpoints, report.tiles, seen[-1]) == (601, 1, 4, 601)
    assert report.kinds == {"record": 595, "conflict": 1, "poison": 1, "position": 4}


def test_every_file_matters(folder, found) -> None:
    for path in files(folder):
        sound = path.read_bytes()
        for at in (0, len(sound) // 2, len(sound) - 1):
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
            assert found(), (path.name, at)
        for cut in (sound[:-1], sound[: len(sound) // 2], b"", sound + sound[:32], sound + b"\x00\x00"):
            path.write_bytes(cut)
            assert found(), (path.name, len(cut))
        path.unlink()
        if path.name != "checkpoint":
            assert found() == {"file"}, path
        path.mkdir()
        if path.name != "checkpoint":
            assert found() == {"file"}, path
        path.rmdir()
        path.write_bytes(sound)
    assert found() == set()


def test_entries_swapped(folder, found) -> None:
    first, second = folder / "tile/entries/000", folder / "tile/entries/001"
    whole = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(whole)
    assert found() >= {"root", "tile"}


def test_a_full_tile_may_stand_for_a_partial_one(folder, found, open_log, batch_of) -> None:
    """A mirror that fetched the checkpoint before the log grew, and the tiles afterwards."""
    checkpoint = (folder / "checkpoint").read_bytes()
    log = open_log()
    log.append(batch_of(*range(595, 900)))
    export(log.reader, folder)
    (folder / "checkpoint").write_bytes(checkpoint)
    shutil.rmtree(folder / "tile/entries/002.p")
    assert found() == set()
    shutil.rmtree(folder / "tile/0/002.p")
    assert found() == set()


def test_pinned(folder, found, signer, verifiers, open_log, batch_of) -> None:
    pinned = open_checkpoint((folder / "checkpoint").read_text(), origin=signer.name, log=verifiers)
    assert found(pinned=pinned) == set()
    log = open_log()
    older = open_checkpoint(log.reader.consistency(1).old_note, origin=signer.name, log=verifiers)
    newer = log.append(batch_of(596)).checkpoint
    assert found(pinned=older) == set()
    assert found(pinned=newer) == {"pinned"}
    assert found(pinned=type(older)(signer.name, 300, bytes(32))) == {"pinned"}
    assert found(pinned=type(older)("other", 1, older.root)) == {"pinned"}


def test_another_key(folder, signer) -> None:
    for other in (Signer(signer.name, b"x" * 32), Signer("other", signer.seed)):
        assert {f.check for f in fsck_tiles(folder, other.verifier).findings} == {"checkpoint-signature"}


def test_a_writer_that_lies_is_found_without_its_store(open_log, batch_of, folder, found, monkeypatch) -> None:
    log = open_log()
    monkeypatch.setattr("translog.positions.Rows.digest", lambda self: "00" * 32)
    log.append(batch_of(596))
    monkeypatch.undo()
    export(log.reader, folder)
    assert found() == {"position"}
    assert Position.parse(log.reader.leaf(log.size - 1).body).rows_sha256 == "00" * 32


def test_two_records_of_one_id(folder, found) -> None:
    assert found(keys_of=lambda body: Keys("same")) == {"event-id"}


def test_nothing_exported(tmp_path, signer) -> None:
    with pytest.raises(NotFoundError):
        fsck_tiles(tmp_path, signer.verifier)
