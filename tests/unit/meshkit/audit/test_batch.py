"""Envelopes: numbered, signed, split. The limits are tested in tests/protocol/test_d15_sizes.py."""

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditBatch
from hypothesis import given
from hypothesis import strategies as st
from meshkit.audit.batch import MAX_BATCH_BYTES, BatchVerifier, BatchWriter, SigningKey
from meshkit.crypto.derive import derive_ring, signing
from meshkit.crypto.ring import Ring
from meshkit.testing.keys import batch_signer, batch_verifier

SIGNER, VERIFIER = batch_signer(), batch_verifier()


def one(*records: bytes) -> AuditBatch:
    """The only envelope of these records."""
    (envelope,) = BatchWriter("risk-scoring/p", 7, SIGNER).envelopes(records)
    return AuditBatch.FromString(envelope)


def test_what_is_on_the_envelope() -> None:
    batch = one(b"a", b"b")
    assert (batch.producer, batch.epoch, batch.sequence, list(batch.records)) == ("risk-scoring/p", 7, 0, [b"a", b"b"])
    assert batch.key_id == "dev-1"
    assert VERIFIER.problem(batch) == ""


def test_numbers_go_on_and_no_records_make_no_envelope() -> None:
    writer = BatchWriter("p", 1, SIGNER)
    assert list(writer.envelopes([])) == []
    numbers = [AuditBatch.FromString(each).sequence for n in range(3) for each in writer.envelopes([b"%d" % n])]
    assert numbers == [0, 1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"producer": "risk-scoring/q"}, {"epoch": 8}, {"sequence": 1}, {"key_id": "other"}, {"records": [b"a"]}, {"records": [b"b", b"a"]},
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
    assert VERIFIER.problem(batch) == "SIGNATURE_WRONG"


def test_another_key() -> None:
    keys = derive_ring(b"z" * 32, "dev-1", signing("risk-scoring"))
    other = BatchVerifier({"risk-scoring": Ring(keys, SigningKey)}, {"risk-scoring/": "risk-scoring"})
    assert other.problem(one(b"a")) == "SIGNATURE_WRONG"


@given(st.lists(st.integers(0, 65_535), max_size=40))
def test_nothing_is_lost_or_reordered(sizes) -> None:
    records = [bytes([n % 256]) * size for n, size in enumerate(sizes)]
    batches = [AuditBatch.FromString(each) for each in BatchWriter("p", 1, SIGNER).envelopes(records)]
    assert [record for batch in batches for record in batch.records] == records
    assert all(sum(map(len, batch.records)) <= MAX_BATCH_BYTES for batch in batches)
