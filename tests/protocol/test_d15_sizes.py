"""D15. Audit batches are split below the broker's limit, a record fits a tile entry, and the store has one writer."""

import os

from finmesh.audit.v1.audit_record_pb2 import AuditBatch
from meshkit.audit import batch
from meshkit.audit.batch import BatchWriter
from meshkit.errors import InvalidArgument, TooOld
from meshkit.events import dead_letter
from meshkit.events.dead_letter import rejected
from meshkit.testing.keys import batch_signer, payload_sealer
from translog import sqlite
from translog.errors import StoreBusyError
from translog.sqlite import SqliteDatabase

from tests.protocol.desks import record
from tests.protocol.mutants import assert_fails_without, swapped

BROKER_LIMIT = 1_048_576


def writer() -> BatchWriter:
    """A producer's writer."""
    return BatchWriter("risk-scoring/stream/0", 1, batch_signer())


async def test_split_by_bytes() -> None:
    def check() -> None:
        records = [bytes([n % 256]) * 60_000 for n in range(40)]
        envelopes = list(writer().envelopes(records))
        assert all(len(envelope) < BROKER_LIMIT * 0.9 for envelope in envelopes)
        batches = [AuditBatch.FromString(envelope) for envelope in envelopes]
        assert [record for each in batches for record in each.records] == records
        assert [each.sequence for each in batches] == list(range(len(batches)))
        assert len(batches) == 4

    await assert_fails_without("D15", check, swapped(batch, "MAX_BATCH_BYTES", 10**9))


async def test_a_record_fits_sixteen_bits() -> None:
    def check() -> None:
        list(writer().envelopes([b"x" * 65_535]))
        refused = False
        try:
            list(writer().envelopes([b"x" * 65_536]))
        except InvalidArgument as error:
            refused = error.reason == "AUDIT_RECORD_TOO_LARGE"
        assert refused

    await assert_fails_without("D15", check, swapped(batch, "MAX_RECORD_BYTES", 65_536))


async def test_a_dead_letter_fits_whatever_its_payload_was() -> None:
    """A poison message as large as the broker takes must not become one that it refuses: it would stop its partition for ever."""

    def check() -> None:
        sealer = payload_sealer()
        payload = bytes(range(256)) * 4096
        letter = rejected(sealer, record(payload), TooOld("too old"))
        assert len(letter.value) + sum(len(name) + len(value) for name, value in letter.headers) < 900_000
        assert dict(letter.headers)["payload_bytes"] == b"1048576"
        assert sealer.open(letter.value, "in/0/0") == payload[: dead_letter.MAX_SEALED_BYTES]

    await assert_fails_without("D15", check, swapped(dead_letter, "MAX_SEALED_BYTES", 10**9))


async def test_a_second_writer_on_the_store_is_refused(tmp_path) -> None:
    def check() -> None:
        path = tmp_path / "audit.db"
        first = SqliteDatabase.open_writer(path)
        refused, second = False, None
        try:
            second = SqliteDatabase.open_writer(path)
        except StoreBusyError:
            refused = True
        finally:
            first.close()
            if second is not None:
                second.close()
        assert refused

    unlocked = swapped(sqlite, "_exclusive_lock", lambda path: os.open(path, os.O_RDWR | os.O_CREAT))
    await assert_fails_without("D15", check, unlocked)
