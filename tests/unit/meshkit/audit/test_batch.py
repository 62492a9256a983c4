"""Envelopes: numbered, signed, split. The limits are tested in tests/protocol/test_d15_sizes.py."""

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditBatch
from hypothesis import given
from hypothesis import strategies as st
from meshkit.audit.batch import MAX_BATCH_BYTES, BatchSigner, BatchWriter
from meshkit.config import KeySettings
from pydantic import SecretStr

SIGNER = BatchSigner(KeySettings())


def one(*records: bytes) -> AuditBatch:
    """The only envelope of these records."""
    (envelope,) = BatchWriter("p", 7, SIGNER).envelopes(records)
    return AuditBatch.FromString(envelope)


def test_what_is_on_the_envelope() -> None:
    batch = one(b"a", b"b")
    assert (batch.producer, batch.epoch, batch.sequence, list(batch.records)) == ("p", 7, 0, [b"a", b"b"])
    assert batch.key_id == SIGNER.key_id
    assert SIGNER.verified(batch)


def test_numbers_go_on_and_no_records_make_no_envelope() -> None:
    writer = BatchWriter("p", 1, SIGNER)
    assert list(writer.envelopes([])) == []
    numbers = [AuditBatch.FromString(each).sequence for n in range(3) for each in writer.envelopes([b"%d" % n])]
    assert numbers == [0, 1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"producer": "q"}, {"epoch": 8}, {"sequence": 1}, {"key_id": "other"}, {"records": [b"a"]}, {"records": [b"b", b"a"]},
        {"records": [b"ab", b""]}, {"signature": b""}, {"signature": b"x" * 32},
    ],
    ids=str,
)  # fmt: skip
def test_whatever_is_changed_shows(change) -> None:
    batch = one(b"a", b"b")
    for name, value in change.items():
        if name == "records":
            del batch.records[:]
            batch.records.extend(value)
        else:
            setattr(batch, name, value)
    assert not SIGNER.verified(batch)


def test_another_key() -> None:
    assert not BatchSigner(KeySettings(secret=SecretStr("z" * 32))).verified(one(b"a"))


@given(st.lists(st.integers(0, 65_535), max_size=40))
def test_nothing_is_lost_or_reordered(sizes) -> None:
    records = [bytes([n % 256]) * size for n, size in enumerate(sizes)]
    batches = [AuditBatch.FromString(each) for each in BatchWriter("p", 1, SIGNER).envelopes(records)]
    assert [record for batch in batches for record in batch.records] == records
    assert all(sum(map(len, batch.records)) <= MAX_BATCH_BYTES for batch in batches)
