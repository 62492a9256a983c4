"""Position leaves: what the tree commits to beside itself, and that nothing moves unseen."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from translog.entries import Batch, Kind, NextOffset, Poison, ProducerPosition
from translog.errors import ExitCode, MalformedError, NewerFormatError, ProofError, RecordTooLargeError, TamperedError
from translog.fsck import Report, fsck
from translog.log import Log
from translog.merkle import leaf_hash
from translog.positions import Position, ProducerRow, Rows, SourceRow, leaves_digest
from translog.sqlite import SqliteDatabase
from translog.tiles import MAX_ENTRY_BYTES

from tests.unit.translog.conftest import NOW_MS, TOPIC


def check(path: Path, verifiers) -> Report:
    with closing(SqliteDatabase.open_reader(path)) as database:
        return fsck(database, verifiers)


def positions(log: Log) -> list[Position]:
    leaves = [log.reader.leaf(n) for n in range(log.size)]
    return [Position.parse(leaf.body) for leaf in leaves if leaf.kind is Kind.POSITION]


def test_what_a_transaction_says_of_itself(open_log, batch_of) -> None:
    """Computed here from scratch, as an auditor would who has the page of the format and no program of ours."""
    log = open_log()
    log.append(batch_of(0, 1))
    log.append(
        Batch(
            batch_of(2).entries, NOW_MS + 7, (NextOffset(TOPIC, 1, "主题", 4),), (ProducerPosition("b", 1, 2), ProducerPosition("a", 3, 4))
        )
    )
    said = positions(log)[-1]
    assert (said.received_ms, said.writer_epoch, said.left) == (NOW_MS + 7, 1, 0)
    assert said.sources == (SourceRow(2, TOPIC, 1, "主题", 4),)
    assert said.producers == (ProducerRow("b", 1, 2), ProducerRow("a", 3, 4))
    lines = ["source", f'[1,"{TOPIC}",0,"topic-id",2]', f'[2,"{TOPIC}",1,"\\u4e3b\\u9898",4]', "producer", '["a",3,4]', '["b",1,2]']
    assert said.rows_sha256 == hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    assert said.leaves_sha256 == hashlib.sha256(b"[[1,2,0]]").hexdigest()


def test_a_batch_that_changes_nothing_leaves_no_leaf(open_log, batch_of) -> None:
    log = open_log()
    first = log.append(batch_of(0, 1))
    again = log.append(batch_of(0, 1))
    assert (again.checkpoint, again.note) == (first.checkpoint, first.note)
    assert [outcome.duplicate for outcome in again.outcomes] == [True, True]


def test_every_start_is_a_leaf(open_log) -> None:
    for starts in (1, 2, 3):
        log = open_log(now_ms=NOW_MS + starts)
        assert [p.writer_epoch for p in positions(log)] == list(range(1, starts + 1))
        open_log.close()


MOVES = [
    "UPDATE source SET next_offset = next_offset + 1000",
    "UPDATE source SET next_offset = next_offset - 1",
    "UPDATE source SET topic_id = 'another'",
    "UPDATE source SET topic = topic || '2'",
    "UPDATE producer SET last_sequence = last_sequence + 1000 WHERE name = 'p/1'",
    "UPDATE producer SET last_sequence = last_sequence - 1 WHERE name = 'p/0'",
    "UPDATE producer SET epoch = epoch + 1",
    "UPDATE producer SET name = 'p/2' WHERE name = 'p/1'",
    "UPDATE producer SET last_sequence = 17 - last_sequence",
    "DELETE FROM producer WHERE name = 'p/0'",
    "INSERT INTO producer VALUES ('p/7', 1, 1)",
    "INSERT INTO source VALUES (7, 'other', 0, 'id', 1000)",
    "UPDATE writer SET epoch = epoch + 1",
    "UPDATE writer SET epoch = epoch - 1",
]


@pytest.mark.parametrize("sql", MOVES)
def test_a_moved_position_is_found_by_fsck_and_at_start(sql, open_log, batch_of, path, verifiers) -> None:
    log = open_log()
    log.append(Batch((), NOW_MS, (NextOffset(TOPIC, 0, "topic-id", 5000),), (ProducerPosition("p/0", 1, 9), ProducerPosition("p/1", 1, 8))))
    log.append(Batch((), NOW_MS + 1, (NextOffset(TOPIC, 0, "topic-id", 6000),), ()))
    open_log.close()
    assert check(path, verifiers).findings == []
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql).rowcount > 0
    assert {finding.check for finding in check(path, verifiers).findings} <= {"rows", "writer"}
    assert check(path, verifiers).exit_code == ExitCode.TAMPER
    with pytest.raises(TamperedError, match="finmesh audit fsck"):
        open_log()


@pytest.mark.parametrize("records", [1, 253])
def test_a_forged_newest_leaf_is_not_believed_at_start(records, open_log, batch_of, path, verifiers) -> None:
    """Table and leaf changed to agree; what the tree signed does not. 253 records fill the first tile."""
    log = open_log()
    log.append(batch_of(*range(records)))
    newest = Position.parse(log.reader.leaf(log.size - 1).body)
    open_log.close()
    forged = replace(newest, rows_sha256=Rows([SourceRow(1, TOPIC, 0, "topic-id", 9000)]).digest()).body()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE source SET next_offset = 9000")
        connection.execute(
            "UPDATE leaf SET body = ?, leaf_hash = ? WHERE leaf_index = (SELECT MAX(leaf_index) FROM leaf)", (forged, leaf_hash(forged))
        )
    assert check(path, verifiers).exit_code == ExitCode.TAMPER
    with pytest.raises(ProofError):
        open_log()


def test_offsets_moved_under_a_running_writer_are_not_believed(open_log, batch_of, path, verifiers) -> None:
    """Who consumes asks again after every failure of Kafka: tables that moved meanwhile must not become what the next leaf commits to."""
    log = open_log()
    log.append(Batch(batch_of(0, 1).entries, NOW_MS, batch_of(0, 1).offsets, (ProducerPosition("p", 1, 9),)))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE source SET next_offset = next_offset + 1000")
        connection.execute("UPDATE producer SET last_sequence = last_sequence + 1000")
    assert log.offsets() == [NextOffset(TOPIC, 0, "topic-id", 2)]
    assert log.producers() == [ProducerPosition("p", 1, 9)]
    assert "rows" in {finding.check for finding in check(path, verifiers).findings}
    log.append(Batch(batch_of(2).entries, NOW_MS, batch_of(2).offsets, (ProducerPosition("p", 1, 10),)))
    assert check(path, verifiers).findings == []  # what was moved is put right by the next commit


def test_rows_that_fit_no_leaf_stand_in_several(open_log, path, verifiers) -> None:
    log = open_log()
    names = [f"生产者/{n:05d}" for n in range(3000)]
    log.append(Batch((), NOW_MS, (NextOffset(TOPIC, 0, "id", 1),), tuple(ProducerPosition(name, 1, 1) for name in names)))
    leaves = positions(log)[1:]
    assert [leaf.left for leaf in leaves] == list(reversed(range(len(leaves))))
    assert len(leaves) > 1
    assert [row.name for leaf in leaves for row in leaf.producers] == names
    assert all(len(leaf.body()) <= MAX_ENTRY_BYTES for leaf in leaves)
    log.append(Batch((), NOW_MS, (), (ProducerPosition(names[7], 1, 2),)))
    assert positions(log)[-1].producers == (ProducerRow(names[7], 1, 2),)
    open_log.close()
    assert open_log().size == 1 + len(leaves) + 1 + 1
    assert check(path, verifiers).findings == []


def test_a_row_that_fits_no_leaf_at_all_spends_the_log(open_log, path, verifiers) -> None:
    log = open_log()
    with pytest.raises(RecordTooLargeError):
        log.append(Batch((), NOW_MS, (), (ProducerPosition("x" * 70_000, 1, 1),)))
    assert log.spent
    assert check(path, verifiers).findings == []


def test_the_digest_needs_no_order_of_arrival() -> None:
    rows = [SourceRow(n, "t", n, "id", n) for n in range(20)] + [ProducerRow(f"p{n}", 1, n) for n in range(20)]
    one, other = Rows(rows), Rows()
    for row in reversed(rows):
        other.put([row])
    assert one.digest() == other.digest()
    assert other.put(rows) == []
    assert other.put([ProducerRow("p3", 1, 4)]) == [ProducerRow("p3", 1, 4)]
    assert one.digest() != other.digest()
    assert sorted(one.differences(other)) == ['["p3",1,3]', '["p3",1,4]']


SOUND = Position(7, 1, (SourceRow(1, "t", 0, "id", 5),), (ProducerRow("p", 1, 2),), "00" * 32, leaves_digest([]))


@pytest.mark.parametrize(
    "change",
    [
        {"received_ms": "7"},
        {"writer_epoch": None},
        {"left": 0.0},
        {"sources": 5},
        {"sources": [[1]]},
        {"sources": [["1", "t", 0, "id", 5]]},
        {"sources": [[1, "t", 0, "id", None]]},
        {"producers": [["p", 1, 2, 3]]},
        {"producers": [[["p"], 1, 2]]},
        {"producers": [[7, 1, 2]]},
        {"more": 1},
    ],
)
def test_a_position_leaf_says_just_what_it_must(change) -> None:
    assert Position.parse(SOUND.body()) == SOUND
    document = json.loads(SOUND.body()) | change
    with pytest.raises(MalformedError):
        Position.parse(json.dumps(document, separators=(",", ":")).encode())
    for name in document.keys() - {"finmesh.translog", "version"}:
        lacking = {key: value for key, value in json.loads(SOUND.body()).items() if key != name}
        if name != "more":
            with pytest.raises(MalformedError):
                Position.parse(json.dumps(lacking, separators=(",", ":")).encode())


@pytest.fixture
def forged(open_log, batch_of, path, monkeypatch) -> Callable[..., None]:
    """Write a log whose last transaction says something else of itself: signed, and wrong."""

    def write(**changes: object) -> None:
        log = open_log()
        log.append(batch_of(0, 1))
        log.append(batch_of(2, 3))
        body = Position.body

        def other(self: Position) -> bytes:
            document = json.loads(body(self)) | {name: change(self) for name, change in changes.items()}
            return json.dumps(document, separators=(",", ":")).encode()

        with monkeypatch.context() as patched:
            patched.setattr(Position, "body", other)
            log.append(Batch((*batch_of(4).entries, Poison(b"x", "X")), NOW_MS + 1, batch_of(4).offsets))
        open_log.close()

    return write


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("received_ms", lambda p: p.received_ms + 1),
        ("writer_epoch", lambda p: 0),
        ("writer_epoch", lambda p: 2),
        ("sources", lambda p: []),
        ("sources", lambda p: [[1, TOPIC, 0, "topic-id", 1]]),
        ("rows_sha256", lambda p: "00" * 32),
        ("leaves_sha256", lambda p: leaves_digest([])),
        ("left", lambda p: 1),
        ("left", lambda p: -1),
        ("extra", lambda p: 1),
    ],
)
def test_a_writer_that_lies_is_found(name, other, forged, path, verifiers) -> None:
    """The operator has the key; what it signs must agree with itself all the same."""
    forged(**{name: other})
    assert {f.check for f in check(path, verifiers).findings} & {"position", "rows", "writer", "checkpoint-time"}


def test_a_newer_position_is_no_tampering_and_refuses_to_start(forged, path, verifiers, open_log) -> None:
    forged(version=lambda p: 2, more=lambda p: "what a later version adds")
    report = check(path, verifiers)
    assert (report.findings, report.newer, report.exit_code) == ([], 1, ExitCode.USAGE)
    with pytest.raises(NewerFormatError):
        open_log()


def test_a_newer_kind_is_no_tampering(open_log, batch_of, path, verifiers, monkeypatch) -> None:
    log = open_log()
    monkeypatch.setattr(
        "translog.planning.quarantined_body", lambda *a, **k: b'{"finmesh.translog":"witnessed","version":1,"by":["\xe9\x93\xb6"]}'
    )
    monkeypatch.setattr("translog.planning._NAMES", {kind: "witnessed" if kind is Kind.POISON else kind.value for kind in Kind})
    monkeypatch.setattr("translog.planning.Planner.store_quarantine", lambda self: None)
    log.append(Batch((*batch_of(0).entries, Poison(b"x", "X")), NOW_MS, batch_of(0).offsets))
    monkeypatch.undo()
    log.append(batch_of(1, 2))
    report = check(path, verifiers)
    assert (report.findings, report.newer, report.exit_code, report.kinds["witnessed"]) == ([], 1, ExitCode.USAGE, 1)
    with pytest.raises(NewerFormatError):
        log.reader.leaf(2)
    assert log.reader.tallies()["witnessed", ""] == 1
    open_log.close()
    assert open_log().reader.records() == 3
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE leaf SET kind = 'other' WHERE kind = 'witnessed'")
    assert check(path, verifiers).exit_code == ExitCode.TAMPER


def test_a_newer_schema_is_no_tampering(open_log, path, verifiers) -> None:
    open_log()
    open_log.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '3' WHERE name = 'schema_version'")
    for act in (lambda: check(path, verifiers), open_log):
        with pytest.raises(NewerFormatError):
            act()
