"""The writer: duplicates, contradictions, poison, gaps, offsets, and what a failed or foreign commit leads to."""

import hashlib
import hmac
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.entries import Batch, Commit, Commitment, Gap, Kind, NextOffset, Poison, ProducerPosition, Source
from translog.errors import RewrittenError, RolledBackError, StoreBusyError, StoreFailedError, StoreFencedError, TamperedError
from translog.fsck import fsck
from translog.log import Log
from translog.merkle import EMPTY_ROOT, verify_inclusion
from translog.note import Signer
from translog.positions import Position, Rows, leaves_digest
from translog.sqlite import SqliteDatabase

from tests.unit.translog.conftest import NOW_MS, commit

TOPIC = "finmesh.audit.v1.AuditBatch"


def findings(path: Path, verifiers, **options) -> list[str]:
    database = SqliteDatabase.open_reader(path)
    try:
        return [f.check for f in fsck(database, verifiers, **options).findings]
    finally:
        database.close()


def test_a_new_log_has_a_signed_empty_checkpoint(open_log, signer, path, verifiers) -> None:
    log = open_log()
    note = sqlite3.connect(path).execute("SELECT note FROM checkpoint WHERE size = 0").fetchone()[0]
    assert open_checkpoint(note, origin=signer.name, log=verifiers) == Checkpoint(signer.name, 0, EMPTY_ROOT)
    assert open_checkpoint(log.note, origin=signer.name, log=verifiers).size == 1
    assert Position.parse(log.reader.leaf(0).body) == Position(NOW_MS, 1, (), (), Rows().digest(), leaves_digest([]))
    assert findings(path, verifiers) == []


def test_batches_become_leaves_and_every_checkpoint_stays_provable(open_log, batch_of, verifiers, signer, path, keys_of) -> None:
    log = open_log()
    for start, end in [(0, 3), (3, 300), (300, 301), (301, 600)]:
        first = log.size
        committed = log.append(batch_of(*range(start, end)))
        assert [o.leaf_index for o in committed.outcomes] == list(range(first, first + end - start))
        assert log.reader.leaf(log.size - 1).kind is Kind.POSITION
        assert committed.checkpoint == open_checkpoint(committed.note, origin=signer.name, log=verifiers)
    assert findings(path, verifiers, keys_of=keys_of) == []
    for size in (5, 303, 305, 605):
        proof = log.reader.inclusion("id-2", size)
        root = open_checkpoint(proof.note, origin=signer.name, log=verifiers).root
        verify_inclusion(leaf=proof.leaf.leaf_hash, index=3, size=size, proof=proof.hashes, root=root)
    assert [leaf.index for leaf in log.reader.find(decision_id="dec-1", tenant="bank-a")] == [5, 6, 7]
    assert log.reader.find(decision_id="dec-1", tenant="bank-b") == []


def test_identical_bytes_are_a_no_op_that_still_moves_offsets(open_log, batch_of) -> None:
    log = open_log()
    first = log.append(batch_of(0, 1))
    again = log.append(Batch(batch_of(0, 1).entries, 5, (NextOffset(TOPIC, 0, "topic-id", 9),)))
    assert [(o.duplicate, o.leaf_index) for o in again.outcomes] == [(True, 1), (True, 2)]
    assert again.checkpoint.size == first.checkpoint.size + 1  # a position leaf for the offset
    assert [o.offset for o in log.offsets()] == [9]


def test_duplicates_inside_one_batch(open_log, record) -> None:
    log = open_log()
    committed = log.append(Batch((record(0), record(0), record(0, body=b"other")), 1))
    assert [(o.kind, o.leaf_index, o.duplicate) for o in committed.outcomes] == [
        (Kind.RECORD, 1, False),
        (Kind.RECORD, 1, True),
        (Kind.CONFLICT, 2, False),
    ]


def test_other_bytes_of_a_known_id_are_a_conflict_leaf_once(open_log, record, batch_of, path, verifiers) -> None:
    log = open_log()
    log.append(batch_of(0, 1, 2))
    conflict = log.append(Batch((record(1, body=b"other bytes"),), 1))
    (outcome,) = conflict.outcomes
    assert (outcome.kind, outcome.leaf_index, outcome.duplicate) == (Kind.CONFLICT, 5, False)
    facts = json.loads(log.reader.leaf(5).body)
    assert (facts["event_id"], facts["first_index"]) == ("id-1", 2)
    assert log.reader.record("id-1").index == 2
    again = log.append(Batch((record(1, body=b"other bytes"), record(1, body=b"third bytes"), record(1, body=b"third bytes")), 1))
    assert [(o.kind, o.leaf_index, o.duplicate) for o in again.outcomes] == [
        (Kind.CONFLICT, 5, True),
        (Kind.CONFLICT, 7, False),
        (Kind.CONFLICT, 7, True),
    ]
    assert sqlite3.connect(path).execute("SELECT sealed FROM quarantine WHERE leaf_index = 5").fetchall() == [(b"other bytes"[::-1],)]
    assert findings(path, verifiers) == []


def test_poison_and_gaps_are_leaves_and_poison_waits_sealed(open_log, path, verifiers) -> None:
    log = open_log()
    source = Source(TOPIC, 1, "topic-id", 7)
    committed = log.append(
        Batch(
            (Poison(b"junk", "NOT_A_BATCH", source), Gap("retention", {"from": 3, "to": 7}, source)),
            1,
            (NextOffset(TOPIC, 1, "topic-id", 8),),
        )
    )
    assert [o.kind for o in committed.outcomes] == [Kind.POISON, Kind.GAP]
    assert b"junk" not in log.reader.leaf(1).body
    assert log.reader.tallies() == {("poison", ""): 1, ("gap", ""): 1, ("position", ""): 2}
    assert findings(path, verifiers) == []


def test_what_came_is_committed_to_under_a_key(open_log, record, batch_of, path) -> None:
    """A phone number has 10^10 values: neither leaf nor quarantine may hold a hash that can be tried without the key."""
    phone = b"13800138000"
    log = open_log()
    log.append(batch_of(0))
    log.append(Batch((Poison(phone, "NOT_A_BATCH"), record(0, body=phone)), NOW_MS))
    poison, conflict = (json.loads(log.reader.leaf(n).body) for n in (3, 4))
    committed = commit(phone)[0]
    assert [(leaf["key_id"], leaf["commitment"]) for leaf in (poison, conflict)] == [("k-1", committed.digest.hex())] * 2
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT content_hash FROM quarantine").fetchall() == [(committed.digest,)] * 2
    open_log.close()
    stored = path.read_bytes()
    for algorithm in ("sha256", "sha1", "md5", "sha512", "blake2b", "sha3_256"):
        for guess in (phone, b"\x00" + phone):
            digest = hashlib.new(algorithm, guess).digest()
            assert digest not in stored
            assert digest.hex().encode() not in stored


def test_repeats_are_recognised_under_every_accepted_key_and_under_no_other(open_log, record, batch_of) -> None:
    def ring(*names: str) -> Commit:
        return lambda content: [Commitment(name, hmac.digest(name.encode(), content, "sha256")) for name in names]

    def repeat(log: Log) -> tuple[int, bool]:
        (outcome,) = log.append(Batch((record(0, body="其他".encode()),), NOW_MS)).outcomes
        open_log.close()
        return outcome.leaf_index, outcome.duplicate

    log = open_log(commit=ring("old"))
    log.append(batch_of(0))
    first = repeat(log)[0]
    assert repeat(open_log(commit=ring("new", "old"))) == (first, True)
    assert repeat(open_log(commit=ring("newest", "new", "old"))) == (first, True)
    later = repeat(open_log(commit=ring("newest", "new")))
    assert later == (later[0], False)
    assert repeat(open_log(commit=ring("newest"))) == (later[0], True)


def test_producers_and_a_topic_created_anew(open_log) -> None:
    log = open_log()
    log.append(Batch((), 1, (NextOffset(TOPIC, 0, "old", 50),), (ProducerPosition("risk-scoring/stream/0", 4, 9),)))
    log.append(Batch((), 2, (NextOffset(TOPIC, 0, "new", 3),), (ProducerPosition("risk-scoring/stream/0", 5, 0),)))
    assert log.offsets() == [NextOffset(TOPIC, 0, "new", 3)]
    assert log.producers() == [ProducerPosition("risk-scoring/stream/0", 5, 0)]


def test_offsets_never_go_back(open_log, batch_of) -> None:
    log = open_log()
    log.append(batch_of(0, 1))
    with pytest.raises(TamperedError, match="go back"):
        log.append(Batch((), 1, (NextOffset(TOPIC, 0, "topic-id", 1),)))
    with pytest.raises(StoreFailedError, match="open the log again"):
        log.append(batch_of(2))


def test_reopening_goes_on_where_it_was(open_log, batch_of, path, verifiers) -> None:
    open_log().append(batch_of(*range(259)))
    open_log.close()
    log = open_log()
    assert (log.size, [o.offset for o in log.offsets()]) == (262, [259])
    log.append(batch_of(*range(250, 600)))
    assert (log.size, log.reader.records()) == (604, 600)
    assert findings(path, verifiers) == []


def test_a_second_writer_is_refused(open_log, path, batch_of) -> None:
    log = open_log()
    with pytest.raises(StoreBusyError):
        SqliteDatabase.open_writer(path)
    log.append(batch_of(0))


def test_a_writer_whose_lock_file_was_deleted_is_fenced(open_log, path, batch_of, verifiers) -> None:
    """The lock is advice; the epoch row is what holds."""
    first = open_log()
    path.with_name(path.name + ".lock").unlink()
    second = open_log()
    second.append(batch_of(0))
    with pytest.raises(StoreFencedError):
        first.append(batch_of(1))
    second.append(batch_of(1))
    assert findings(path, verifiers) == []


def test_a_writer_in_another_process_is_refused(open_log, path) -> None:
    open_log()
    code = "import sys, pathlib; from translog.sqlite import SqliteDatabase; SqliteDatabase.open_writer(pathlib.Path(sys.argv[1]))"
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "StoreBusyError" in run.stderr


def test_another_key_or_name_cannot_take_the_log_over(open_log, signer) -> None:
    open_log()
    open_log.close()
    for other in (Signer(signer.name, b"x" * 32), Signer("other", signer.seed)):
        with pytest.raises(RewrittenError):
            open_log(signer=other)
        open_log.close()


def test_a_pinned_checkpoint_is_checked_at_start(open_log, batch_of, signer) -> None:
    log = open_log()
    pinned = log.append(batch_of(*range(10))).checkpoint
    log.append(batch_of(*range(10, 20)))
    open_log.close()
    open_log(pinned=[pinned])
    open_log.close()
    with pytest.raises(RewrittenError):
        open_log(pinned=[pinned, Checkpoint(signer.name, 10, bytes(32))])
    open_log.close()
    with pytest.raises(RolledBackError):
        open_log(pinned=[Checkpoint(signer.name, 30, bytes(32))])


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM leaf WHERE leaf_index = 302",
        "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND tile_index = 1",
        "DELETE FROM tile WHERE level = 1",
        "DELETE FROM checkpoint",
        "DELETE FROM checkpoint WHERE size = 303",
        "UPDATE checkpoint SET note = replace(note, 'audit.finmesh', 'other.finmesh')",
    ],
)
def test_a_damaged_right_edge_stops_the_writer(open_log, batch_of, path, damage) -> None:
    log = open_log()
    log.append(batch_of(*range(200)))
    log.append(batch_of(*range(200, 300)))
    open_log.close()
    connection = sqlite3.connect(path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    with pytest.raises(Exception) as caught:
        open_log()
    assert type(caught.value).__name__ in {"TamperedError", "NotFoundError", "SignatureError"}


def test_a_failed_commit_spends_the_log_and_leaves_no_trace(open_log, batch_of, path, verifiers, record) -> None:
    def failing(content: bytes) -> bytes:
        raise OSError("the key store is away")

    log = open_log(seal=failing)
    log.append(batch_of(0))
    with pytest.raises(OSError, match="key store"):
        log.append(Batch((record(1), Poison(b"junk", "NOT_A_BATCH")), 1))
    assert log.spent
    assert findings(path, verifiers) == []
    open_log.close()
    assert open_log().reader.records() == 1


WRITER = """
    import sys, pathlib
    from translog.entries import Batch, Keys, NextOffset, Record, Source
    from translog.log import Log
    from translog.note import Signer
    from translog.sqlite import SqliteDatabase
    database = SqliteDatabase.open_writer(pathlib.Path(sys.argv[1]))
    signer = Signer("audit.finmesh.test/log", bytes(range(32)))
    log = Log.open(database, signer=signer, seal=bytes, commit=lambda content: [], now_ms=1)
    n = log.reader.records()
    while True:
        rows = tuple(Record(b"%d" % i, Keys(f"id-{i}"), Source("t", 0, "x", i)) for i in range(n, n + 200))
        n += 200
        log.append(Batch(rows, 1, (NextOffset("t", 0, "x", n),)))
        print(n, flush=True)
"""


@pytest.mark.timeout(60)
def test_kill_9_in_the_middle_of_batches(path, open_log, verifiers) -> None:
    """Killed while it writes, again and again: what it reported is there, nothing is half there, offsets say what leaves say."""
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        reported = [int(writer.stdout.readline()) for _ in range(7)][-1]
        os.kill(writer.pid, signal.SIGKILL)
        reported = max([reported, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
        writer.wait()
        writer.stdout.close()
        log = open_log()
        assert log.reader.records() >= reported
        assert [o.offset for o in log.offsets()] == [log.reader.records()]
        open_log.close()
    assert findings(path, verifiers) == []
