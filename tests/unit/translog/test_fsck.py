"""Every attack on the store that needs no key is found by fsck; the one with the key is found by a pinned checkpoint."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from translog.anchor import check_pinned
from translog.bundle import consistency_bundle, verify_consistency_bundle
from translog.entries import Batch, Poison
from translog.errors import ExitCode, NotFoundError, ProofError, RolledBackError
from translog.fsck import Report, fsck
from translog.note import Signer
from translog.reader import LogReader
from translog.sqlite import SqliteDatabase


@pytest.fixture
def filled(open_log, batch_of, record, path) -> Path:
    """600 records in three batches, a conflict and a poison leaf; closed."""
    log = open_log()
    for start, end in [(0, 100), (100, 300), (300, 600)]:
        log.append(batch_of(*range(start, end)))
    log.append(Batch((record(5, body=b"other"), Poison(b"junk", "NOT_A_BATCH")), 1))
    open_log.close()
    return path


@pytest.fixture
def attack(filled) -> Callable[[str], None]:
    def run(*statements: str) -> None:
        connection = sqlite3.connect(filled)
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement
        connection.commit()
        connection.close()

    return run


def check(path: Path, verifiers, **options) -> Report:
    database = SqliteDatabase.open_reader(path)
    try:
        return fsck(database, verifiers, **options)
    finally:
        database.close()


def test_a_sound_log(filled, verifiers, keys_of) -> None:
    seen: list[int] = []
    report = check(filled, verifiers, keys_of=keys_of, progress=seen.append)
    assert report.findings == []
    assert (report.size, report.checkpoints, report.tiles, report.exit_code) == (607, 6, 4, ExitCode.OK)
    assert report.kinds == {"record": 600, "conflict": 1, "poison": 1, "position": 5}
    assert seen == [607]


ATTACKS = {
    "body": ("UPDATE leaf SET body = CAST('id-7|req-3|dec-2|bank-a|record X' AS BLOB) WHERE leaf_index = 8", {"leaf-hash"}),
    "leaf hash": ("UPDATE leaf SET leaf_hash = zeroblob(32) WHERE leaf_index = 8", {"leaf-hash"}),
    "tile of leaf hashes": ("UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND tile_index = 0", {"tile"}),
    "tile of nodes": ("UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 1", {"tile"}),
    "tile too long": ("UPDATE tile SET hashes = CAST(hashes || zeroblob(32) AS BLOB) WHERE level = 1", {"tile"}),
    "tile invented": ("INSERT INTO tile VALUES (7, 7, zeroblob(32))", {"tile-extra"}),
    "tile removed": ("DELETE FROM tile WHERE level = 0 AND tile_index = 1", {"tile-missing"}),
    "checkpoint root": ("UPDATE checkpoint SET root = zeroblob(32) WHERE size = 303", {"checkpoint-columns"}),
    "checkpoint note": (
        "UPDATE checkpoint SET note = replace(note, char(10) || '303', char(10) || '302') WHERE size = 303",
        {"checkpoint-signature"},
    ),
    "checkpoint of another size": (
        "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 102) WHERE size = 303",
        {"checkpoint-columns"},
    ),
    "newest checkpoint removed": ("DELETE FROM checkpoint WHERE size = 607", {"size"}),
    "leaf in the middle removed": ("DELETE FROM leaf WHERE leaf_index = 50", {"index", "root", "tile", "size", "tally"}),
    "last leaf removed": ("DELETE FROM leaf WHERE leaf_index = 606", {"size", "tally", "tile", "position"}),
    "leaf invented": (
        "INSERT INTO leaf SELECT 607, kind, body, leaf_hash, 'new', request_id, decision_id, tenant, NULL, NULL, NULL, 1"
        " FROM leaf WHERE leaf_index = 9",
        {"size", "tile", "tally", "position"},
    ),
    "kind": ("UPDATE leaf SET kind = 'gap' WHERE leaf_index = 9", {"kind", "tally"}),
    "offset set back": ("UPDATE source SET next_offset = 599", {"offset"}),
    "tally": ("UPDATE tally SET leaves = leaves - 1 WHERE kind = 'record'", {"tally"}),
    "quarantine sealed bytes": ("UPDATE quarantine SET sealed = X'00' WHERE leaf_index = 604", {"quarantine"}),
    "quarantine content hash": ("UPDATE quarantine SET content_hash = zeroblob(32) WHERE leaf_index = 605", {"quarantine"}),
    "quarantine removed": ("DELETE FROM quarantine WHERE leaf_index = 605", {"quarantine-missing"}),
    "tenant": ("UPDATE leaf SET tenant = 'bank-b' WHERE leaf_index = 9", {"keys", "tally"}),
    "event id": ("UPDATE leaf SET event_id = 'hidden' WHERE leaf_index = 9", {"keys"}),
    "decision id": ("UPDATE leaf SET decision_id = 'hidden' WHERE leaf_index = 9", {"keys"}),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(name, attack, filled, verifiers, keys_of) -> None:
    statement, expected = ATTACKS[name]
    attack(statement)
    report = check(filled, verifiers, keys_of=keys_of)
    found = {f.check for f in report.findings}
    assert found >= expected
    assert report.exit_code == ExitCode.TAMPER
    assert all(f.where and f.detail for f in report.findings)


@pytest.mark.parametrize(
    ("table", "column", "where"),
    [("leaf", "body", "leaf_index = 321"), ("leaf", "leaf_hash", "leaf_index = 0"), ("tile", "hashes", "level = 0 AND tile_index = 2")],
)
def test_one_bit_anywhere(table, column, where, filled, verifiers) -> None:
    connection = sqlite3.connect(filled)
    ((value,),) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchall()
    for at in (0, len(value) // 2, len(value) - 1):
        changed = bytearray(value)
        changed[at] ^= 1
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (bytes(changed),))
        connection.commit()
        assert check(filled, verifiers).findings, at
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,))
    connection.commit()
    connection.close()
    assert check(filled, verifiers).findings == []


def test_every_byte_of_the_newest_checkpoint(filled, verifiers) -> None:
    connection = sqlite3.connect(filled)
    ((note,),) = connection.execute("SELECT note FROM checkpoint WHERE size = 607").fetchall()
    for at in range(len(note)):
        changed = note[:at] + chr(ord(note[at]) ^ 1) + note[at + 1 :]
        connection.execute("UPDATE checkpoint SET note = ? WHERE size = 607", (changed,))
        connection.commit()
        assert check(filled, verifiers).findings, at
    connection.close()


def test_rows_swapped(filled, attack, verifiers) -> None:
    """Both rows are sound by themselves; their order is not."""
    attack(
        "CREATE TABLE other AS SELECT * FROM leaf WHERE leaf_index IN (10, 11)",
        "DELETE FROM leaf WHERE leaf_index IN (10, 11)",
        "INSERT INTO leaf SELECT 21 - leaf_index, kind, body, leaf_hash, event_id, request_id, decision_id, tenant, source_id,"
        " source_offset, source_position, received_ms FROM other",
        "DROP TABLE other",
    )
    found = {f.check for f in check(filled, verifiers).findings}
    assert found == {"root", "tile", "position"}  # the position leaf commits to the offsets in their order


def test_the_last_batch_cut_off_cleanly_needs_a_pinned_checkpoint(filled, attack, verifiers) -> None:
    """With leaves, tiles, checkpoint and tallies cut the log is a sound, older log; who kept a checkpoint knows."""
    database = SqliteDatabase.open_reader(filled)
    size, note = LogReader(database).checkpoint_note()
    pinned = _checkpoint(note, verifiers)
    database.close()
    edge = sqlite3.connect(filled)
    ((tile,),) = edge.execute("SELECT hashes FROM tile WHERE level = 0 AND tile_index = 2").fetchall()
    edge.close()
    attack(
        "DELETE FROM quarantine",
        "DELETE FROM leaf WHERE leaf_index >= 604",
        "DELETE FROM checkpoint WHERE size > 604",
        f"UPDATE tile SET hashes = X'{tile[: 92 * 32].hex()}' WHERE level = 0 AND tile_index = 2",
        "DELETE FROM tally WHERE kind IN ('conflict', 'poison')",
        "UPDATE tally SET leaves = leaves - 1 WHERE kind = 'position'",
    )
    assert size == 607
    assert check(filled, verifiers).findings == []
    assert [f.check for f in check(filled, verifiers, pinned=pinned).findings] == ["pinned"]


def test_an_older_copy_restored(open_log, batch_of, path, tmp_path, verifiers) -> None:
    log = open_log()
    log.append(batch_of(*range(10)))
    open_log.close()
    backup = tmp_path / "backup.db"
    shutil.copy(path, backup)
    log = open_log()
    pinned = log.append(batch_of(*range(10, 20))).checkpoint
    open_log.close()
    assert check(backup, verifiers).findings == []
    assert [f.check for f in check(backup, verifiers, pinned=pinned).findings] == ["pinned"]
    with pytest.raises(RolledBackError):
        open_log(backup, pinned=[pinned])


def test_history_rewritten_and_signed_again(open_log, batch_of, record, path, tmp_path, verifiers) -> None:
    """The operator has the key: everything verifies by itself, and nothing agrees with what was pinned."""
    log = open_log()
    pinned_note = log.append(batch_of(*range(20))).note
    pinned = _checkpoint(pinned_note, verifiers)
    log.append(batch_of(*range(20, 40)))
    open_log.close()
    forged = tmp_path / "forged.db"
    log = open_log(forged)
    kinder = tuple(record(n) if n != 7 else record(7, body=b"a kinder decision") for n in range(40))
    log.append(Batch(kinder, 1, batch_of(39).offsets))
    proof = log.reader.consistency(20)
    open_log.close()
    assert check(forged, verifiers).findings == []
    assert [f.check for f in check(forged, verifiers, pinned=pinned).findings] == ["pinned"]
    with pytest.raises(ProofError):
        verify_consistency_bundle(
            consistency_bundle(old_note=pinned_note, new_note=proof.new_note, hashes=proof.hashes), verifiers, pinned=pinned
        )


def test_a_pinned_checkpoint_of_a_sound_log_agrees(filled, verifiers) -> None:
    database = SqliteDatabase.open_reader(filled)
    note = database.query("SELECT note FROM checkpoint WHERE size = 303")[0][0]
    check_pinned(LogReader(database), _checkpoint(note, verifiers))
    database.close()


def test_a_log_of_another_key(filled) -> None:
    found = {f.check for f in check(filled, [Signer("audit.finmesh.test/log", b"x" * 32).verifier]).findings}
    assert found >= {"checkpoint-signature", "checkpoint-missing", "size"}


def test_an_index_that_lies(filled, verifiers) -> None:
    """Unique indexes are dropped, an id is stored twice: uniqueness is counted, not believed."""
    connection = sqlite3.connect(filled)
    connection.execute("DROP INDEX leaf_record")
    connection.execute("UPDATE leaf SET event_id = 'id-8' WHERE leaf_index = 10")
    connection.commit()
    connection.close()
    assert [f.check for f in check(filled, verifiers).findings] == ["event-id"]


def test_pages_overwritten(filled, verifiers) -> None:
    """Bytes of the file itself, below SQL: reported, not raised."""
    raw = bytearray(filled.read_bytes())
    middle = len(raw) // 2 // 4096 * 4096
    raw[middle : middle + 4096] = bytes(4096)
    filled.write_bytes(raw)
    report = check(filled, verifiers)
    assert "database" in {f.check for f in report.findings}


def test_without_rehash_the_body_is_believed(filled, attack, verifiers) -> None:
    attack(ATTACKS["body"][0])
    assert check(filled, verifiers, rehash=False).findings == []


def test_a_hostile_store_writes_nothing_to_a_terminal(filled, verifiers, keys_of) -> None:
    """Control characters, lone surrogates and rows of the wrong type are findings, and never a traceback or an escape sequence."""
    hostile = ["\x1b[2J\x07id", "id\r\n0 findings", "\u202e"]
    bodies = [b'"\\u001b[2J","version":1}', b'"position","version":1}', b'"position","version":1,"left":0,"sources":7}', b"[" * 60_000]
    connection = sqlite3.connect(filled)
    connection.execute("DROP INDEX leaf_record")
    for n, text in enumerate(hostile):
        connection.execute("UPDATE leaf SET event_id = ?, tenant = ? WHERE leaf_index IN (?, ?)", (text, text, 10 + 2 * n, 11 + 2 * n))
    for n, body in enumerate(bodies):
        connection.execute("UPDATE leaf SET body = ?, kind = ? WHERE leaf_index = ?", (b'{"finmesh.translog":' + body, "\x1b[2J", 50 + n))
    connection.execute("UPDATE source SET topic = ?", (hostile[0],))
    connection.commit()
    connection.close()
    report = check(filled, verifiers, keys_of=keys_of)
    assert {"event-id", "kind", "keys", "rows"} <= {finding.check for finding in report.findings}
    assert all((finding.where + finding.detail).isprintable() for finding in report.findings)
    assert all(kind.isprintable() for kind in report.kinds)


def test_many_findings_are_cut_off(filled, attack, verifiers) -> None:
    attack("UPDATE leaf SET leaf_hash = zeroblob(32), kind = CASE kind WHEN 'record' THEN 'gap' ELSE 'record' END")
    report = check(filled, verifiers)
    assert len(report.findings) == 1000
    assert report.truncated


def test_no_log(tmp_path, verifiers) -> None:
    with pytest.raises(NotFoundError):
        check(tmp_path / "none.db", verifiers)
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(NotFoundError, match="holds no log"):
        check(tmp_path / "empty.db", verifiers)


def _checkpoint(note, verifiers):
    from translog.checkpoint import open_checkpoint

    return open_checkpoint(note, origin=verifiers[0].name, log=verifiers)
