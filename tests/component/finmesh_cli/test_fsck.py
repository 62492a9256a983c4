"""`finmesh audit fsck`, and `finmesh fsck` for short, on real logs: sound, damaged, cut, of another key, exported, of a newer format."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from finmesh.audit.v1 import audit_record_pb2
from finmesh_cli.__main__ import app
from translog.note import Signer
from typer.testing import CliRunner, Result

from .conftest import AuditLog


def fsck(log: Path | str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", "fsck", str(log), *arguments])


@pytest.fixture
def store(audit_log: AuditLog) -> Path:
    for number in range(5):
        audit_log.write(
            audit_record_pb2.AuditRecord(
                audit_record_id=f"a-{number}", decision_id=f"d-{number}", request_id=f"r-{number}", tenant="bank-a"
            )
        )
    return audit_log.path


def change(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(sql)
    connection.close()


def test_a_sound_log(store: Path, signer: Signer) -> None:
    result = fsck(store, "--log-key", str(signer.verifier))
    assert result.exit_code == 0, result.output
    assert "11 leaves" in result.output
    assert "nothing is wrong" in result.output


def test_for_short(store: Path, signer: Signer) -> None:
    result = CliRunner().invoke(app, ["fsck", str(store), "--log-key", str(signer.verifier)])
    assert (result.exit_code, "nothing is wrong" in result.output) == (0, True)


def test_by_url(store: Path, signer: Signer) -> None:
    assert fsck(f"sqlite:///{store}", "--log-key", str(signer.verifier)).exit_code == 0
    for url in ("mysql://user:secret@host/db", "sqlite://"):
        result = fsck(url)
        assert (result.exit_code, "secret" in result.output + result.stderr) == (2, False)
        assert result.stderr.startswith("finmesh: the database URL starts with")
    assert fsck("postgresql://127.0.0.1:1/none").exit_code == 3


def test_exported_tiles(store: Path, signer: Signer, tmp_path: Path) -> None:
    folder, key = tmp_path / "导出 的日志", str(signer.verifier)
    exported = CliRunner().invoke(app, ["audit", "export", str(store), str(folder)])
    assert (exported.exit_code, "11 leaves" in exported.output) == (0, True)
    result = fsck(folder, "--log-key", key)
    assert (result.exit_code, "nothing is wrong" in result.output) == (0, True)
    assert fsck(folder).exit_code == 2
    (bundle,) = (folder / "tile" / "entries" / "000.p").iterdir()
    bundle.write_bytes(bundle.read_bytes()[:-1])
    assert fsck(folder, "--log-key", key).exit_code == 1
    assert fsck(tmp_path, "--log-key", key).exit_code == 2
    assert CliRunner().invoke(app, ["audit", "export", str(tmp_path / "none.db"), str(folder)]).exit_code == 2


def test_a_newer_store_is_no_tampering(store: Path) -> None:
    change(store, "UPDATE meta SET value = '3' WHERE name = 'schema_version'")
    result = fsck(store)
    assert (result.exit_code, "a newer program wrote it" in result.stderr) == (2, True)


def test_without_a_key_it_says_whose_word_it_takes(store: Path) -> None:
    result = fsck(store)
    assert result.exit_code == 0
    assert "give --log-key" in result.output


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE leaf SET body = CAST(substr(body, 1, length(body) - 1) || x'7a' AS BLOB) WHERE leaf_index = 2",
        "UPDATE leaf SET decision_id = 'another' WHERE leaf_index = 2",
        "UPDATE tile SET hashes = zeroblob(length(hashes))",
        "DELETE FROM leaf WHERE leaf_index = 4",
    ],
)
def test_damage_is_found(store: Path, signer: Signer, sql: str) -> None:
    change(store, sql)
    result = fsck(store, "--log-key", str(signer.verifier))
    assert result.exit_code == 1, result.output
    assert "findings" in result.output


def test_another_key(store: Path) -> None:
    other = Signer("audit.finmesh.test/log", bytes(range(1, 33)))
    assert fsck(store, "--log-key", str(other.verifier)).exit_code == 1


def test_a_log_that_was_cut_behind_a_kept_checkpoint(store: Path, audit_log: AuditLog, signer: Signer, tmp_path: Path) -> None:
    copy = tmp_path / "last-week.db"
    connection = sqlite3.connect(store)
    target = sqlite3.connect(copy)
    connection.backup(target)
    connection.close()
    target.close()
    audit_log.write(audit_record_pb2.AuditRecord(audit_record_id="a-5", tenant="bank-a"))
    (tmp_path / "kept.note").write_text(audit_log.log.note)
    key = str(signer.verifier)
    assert fsck(copy, "--log-key", key).exit_code == 0
    result = fsck(copy, "--log-key", key, "--pinned", str(tmp_path / "kept.note"))
    assert result.exit_code == 1
    assert "pinned" in result.output
    assert fsck(store, "--log-key", key, "--pinned", str(tmp_path / "kept.note")).exit_code == 0


def test_no_log_there(tmp_path: Path) -> None:
    result = fsck(tmp_path / "audit.db")
    assert result.exit_code == 2
    assert result.stderr.startswith("finmesh: no store")


def test_what_was_a_log(tmp_path: Path) -> None:
    (tmp_path / "audit.db").write_bytes(b"not a database at all" * 100)
    result = fsck(tmp_path / "audit.db")
    assert result.exit_code == 1
    assert result.stderr.startswith("finmesh: ")


def test_a_key_that_is_none(store: Path) -> None:
    assert fsck(store, "--log-key", "/nowhere").exit_code == 2
    assert fsck(store, "--log-key", "a+b+c").exit_code == 2
