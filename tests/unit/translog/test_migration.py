"""A store of schema 1 becomes one of schema 2 in one step: whatever dies on the way, it is the old one or the new one."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from translog.checkpoint import Checkpoint
from translog.entries import Batch, Keys, Kind, NextOffset, ProducerPosition, Record
from translog.errors import RewrittenError, TamperedError
from translog.fsck import Report, fsck
from translog.positions import Position, ProducerRow, SourceRow
from translog.reader import LogReader
from translog.sqlite import SqliteDatabase

from tests.unit.translog.conftest import NOW_MS, TOPIC

OLD = Path(__file__).parent / "stores" / "schema-1.db"
SIZE = 274


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(OLD, tmp_path / "审计.db"))


def keys_of(body: bytes) -> Keys:
    record = AuditRecord.FromString(body)
    return Keys(record.audit_record_id, record.request_id, record.decision_id, record.tenant)


def check(path: Path, verifiers) -> Report:
    with closing(SqliteDatabase.open_reader(path)) as database:
        return fsck(database, verifiers, keys_of=keys_of)


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement


def rows_of(connection: sqlite3.Connection) -> list[list[tuple]]:
    tables = ("leaf", "quarantine", "source", "producer")
    return [connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]


def schema_of(path: Path) -> int:
    with closing(SqliteDatabase.open_reader(path)) as database:
        return LogReader(database).schema()


def test_an_old_store_is_read_as_it_is(path, verifiers) -> None:
    report = check(path, verifiers)
    assert (report.findings, report.size, report.newer, schema_of(path)) == ([], SIZE, 0, 1)


def test_everything_is_there_afterwards(path, open_log, verifiers) -> None:
    with closing(sqlite3.connect(path)) as connection:
        before = [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in ("leaf", "quarantine", "source", "producer")
        ]
    log = open_log()
    assert (schema_of(path), log.size, log.reader.leaf(SIZE).kind) == (2, SIZE + 1, Kind.POSITION)
    assert log.offsets() == [NextOffset(TOPIC, 0, "topic-2", 10), NextOffset(TOPIC, 1, "topic-1", 7)]
    with closing(sqlite3.connect(path)) as connection:
        after = [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in ("leaf", "quarantine", "source", "producer")
        ]
        indexes = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")}
    assert (after[0][:-1], *after[1:]) == (before[0], *before[1:])
    assert indexes == {"leaf_record", "leaf_conflict", "leaf_request", "leaf_decision"}
    position = Position.parse(log.reader.leaf(SIZE).body)
    assert list(position.sources) == [SourceRow(*row) for row in before[2]]
    assert list(position.producers) == [ProducerRow(*row) for row in before[3]]
    assert check(path, verifiers).findings == []
    record = Record(AuditRecord(audit_record_id="new").SerializeToString(), Keys("new"))
    log.append(Batch((record,), NOW_MS + 9, (NextOffset(TOPIC, 1, "topic-1", 8),), (ProducerPosition("p", 1, 1),)))
    assert check(path, verifiers).findings == []


def test_repeats_of_a_conflict_that_holds_a_bare_hash_are_recognised(path, open_log, verifiers) -> None:
    log = open_log()
    conflict = next(log.reader.leaf(n) for n in range(SIZE) if log.reader.leaf(n).kind is Kind.CONFLICT)
    body = AuditRecord(
        audit_record_id="a-7", tenant="bank-a", request_id="r-3", decision_id="d-2", outcome="OUTCOME_DECLINE"
    ).SerializeToString()
    (again, other) = log.append(Batch((Record(body, Keys("a-7")), Record(body + b"\xf8\x07\x2a", Keys("a-7"))), NOW_MS)).outcomes
    assert (again.kind, again.leaf_index, again.duplicate) == (Kind.CONFLICT, conflict.index, True)
    assert (other.kind, other.duplicate) == (Kind.CONFLICT, False)
    assert check(path, verifiers).findings == []


def test_offsets_moved_before_the_first_position_leaf_go_unseen_and_afterwards_not(path, open_log, verifiers) -> None:
    execute(path, "UPDATE source SET next_offset = next_offset + 1000", "UPDATE producer SET last_sequence = last_sequence + 1000")
    assert check(path, verifiers).findings == []
    open_log()
    open_log.close()
    execute(path, "UPDATE source SET next_offset = next_offset + 1000 WHERE source_id = 1")
    assert {finding.check for finding in check(path, verifiers).findings} == {"rows"}
    with pytest.raises(TamperedError):
        open_log()


def test_a_schema_version_that_was_set_back_is_no_way_around(path, open_log, verifiers) -> None:
    open_log()
    open_log.close()
    execute(path, "UPDATE meta SET value = '1' WHERE name = 'schema_version'", "UPDATE source SET next_offset = next_offset + 1000")
    assert "meta" in {finding.check for finding in check(path, verifiers).findings}
    with pytest.raises(TamperedError):
        open_log()


def test_an_old_store_that_lies_about_its_version(path, open_log, verifiers) -> None:
    execute(path, "UPDATE meta SET value = '2' WHERE name = 'schema_version'")
    assert {finding.check for finding in check(path, verifiers).findings} == {"meta"}
    with pytest.raises(TamperedError):
        open_log()


def test_nothing_is_migrated_that_lacks_the_pinned_state(path, open_log, signer) -> None:
    with pytest.raises(RewrittenError):
        open_log(pinned=[Checkpoint(signer.name, 10, bytes(32))])
    assert schema_of(path) == 1


DYING = """
    import os, pathlib, signal, sys
    from translog.log import Log
    from translog.note import Signer
    from translog.sqlite import SqliteDatabase

    class Dying(SqliteDatabase):
        left = int(sys.argv[2])

        def execute(self, sql, parameters=()):
            self.step()
            return super().execute(sql, parameters)

        def executemany(self, sql, rows):
            self.step()
            super().executemany(sql, rows)

        def step(self):
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1

    database = Dying.open_writer(pathlib.Path(sys.argv[1]))
    signer = Signer("audit.finmesh.test/log", bytes(range(32)))
    Log.open(database, signer=signer, seal=bytes, commit=lambda content: [], now_ms=1)
    print("steps left", database.left)
"""


def die(path: Path, steps: int) -> subprocess.CompletedProcess[str]:
    """Open the store for writing in a process that is killed before its statement of that number."""
    arguments = [sys.executable, "-c", textwrap.dedent(DYING), str(path), str(steps)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


@pytest.mark.timeout(120)
def test_killed_at_every_statement(path, tmp_path, open_log, verifiers) -> None:
    whole = Path(shutil.copy(path, tmp_path / "whole.db"))
    statements = 10_000 - int(die(whole, 10_000).stdout.rpartition(" ")[2])
    assert statements > 20
    assert schema_of(whole) == 2
    for step in range(statements):
        killed = Path(shutil.copy(path, tmp_path / f"{step}.db"))
        assert die(killed, step).returncode == -signal.SIGKILL
        assert (schema_of(killed), check(killed, verifiers).findings) == (1, []), step
        assert open_log(killed).size == SIZE + 1
        open_log.close()
        assert (schema_of(killed), check(killed, verifiers).findings) == (2, []), step


@pytest.mark.timeout(60)
def test_killed_while_it_commits(path, tmp_path, open_log, verifiers) -> None:
    """The write-ahead log cut anywhere, as a crash would leave it."""
    killed = tmp_path / "killed.db"
    shutil.copy(path, killed)
    code = textwrap.dedent(DYING) + "\nos.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", code, str(killed), "10000"], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    written = (tmp_path / "killed.db-wal").read_bytes()
    seen = set()
    for tenth in range(11):
        cut = tmp_path / f"cut-{tenth}.db"
        shutil.copy(killed, cut)
        cut.with_name(cut.name + "-wal").write_bytes(written[: len(written) * tenth // 10])
        seen.add(schema_of(cut))
        assert check(cut, verifiers).findings == []
        assert open_log(cut).reader.records() == 270
        open_log.close()
        cut.unlink()
    assert seen == {1, 2}
