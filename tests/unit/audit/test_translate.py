"""Envelopes and records from the wire: what is read, and what can't be used and why."""

import pytest
from audit.domain.message import Envelope, UnusableError
from audit.translate import ProtobufBatchCodec, leaf_message
from finmesh.audit.v1 import audit_service_pb2 as pb
from finmesh.audit.v1.audit_record_pb2 import AuditBatch, AuditRecord
from meshkit.audit.batch import BatchSigner, BatchWriter, SigningKey
from meshkit.crypto.derive import derive_ring, signing
from meshkit.crypto.ring import Ring
from meshkit.testing.keys import batch_signer, batch_verifier
from translog.entries import Keys, Kind
from translog.reader import Leaf

SIGNER = batch_signer()
CODEC = ProtobufBatchCodec(batch_verifier())


def signed(**fields) -> bytes:
    batch = AuditBatch(**({"producer": "risk-scoring/rpc/1", "epoch": 3, "sequence": 4} | fields))
    SIGNER.sign(batch)
    return batch.SerializeToString()


def reason(call, *arguments) -> str:
    with pytest.raises(UnusableError) as caught:
        call(*arguments)
    return caught.value.reason


def test_an_envelope_that_the_kit_wrote() -> None:
    (value,) = BatchWriter("risk-scoring/rpc/1", 3, SIGNER).envelopes([b"one", b"\x00\xff"])
    assert CODEC.envelope(value) == Envelope("risk-scoring/rpc/1", 3, 0, (b"one", b"\x00\xff"))


def test_forgeries() -> None:
    genuine = AuditBatch.FromString(signed(records=[b"one"]))
    changes = {"producer": "risk-scoring/rpc/2", "epoch": 99, "sequence": 99, "key_id": "other", "signature": b"x" * 32}
    for field, value in changes.items():
        forged = AuditBatch.FromString(genuine.SerializeToString())
        setattr(forged, field, value)
        assert reason(CODEC.envelope, forged.SerializeToString()) == "SIGNATURE_WRONG", field
    forged = AuditBatch.FromString(genuine.SerializeToString())
    forged.records.append(b"two")
    assert reason(CODEC.envelope, forged.SerializeToString()) == "SIGNATURE_WRONG"
    unsigned = AuditBatch(producer="p", records=[b"one"]).SerializeToString()
    assert reason(CODEC.envelope, unsigned) == "SIGNATURE_WRONG"
    assert ProtobufBatchCodec(None).envelope(unsigned).records == (b"one",)


def test_another_secret_signs_nothing() -> None:
    keys = derive_ring(b"another secret of sufficient length", "dev-1", signing("risk-scoring"))
    (value,) = BatchWriter("risk-scoring/rpc/1", 1, BatchSigner(Ring(keys, SigningKey))).envelopes([b"one"])
    assert reason(CODEC.envelope, value) == "SIGNATURE_WRONG"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", "ENVELOPE_MALFORMED"),
        (b"\xff\xff\xff", "NOT_A_BATCH"),
        (b"\x0a\x02\xff\xfe", "NOT_A_BATCH"),
        (signed(producer=""), "ENVELOPE_MALFORMED"),
        (signed(producer="a\x00"), "ENVELOPE_MALFORMED"),
        (signed(epoch=1 << 63), "ENVELOPE_MALFORMED"),
        (signed(sequence=(1 << 64) - 1), "ENVELOPE_MALFORMED"),
    ],
)
def test_no_envelope(value: bytes, expected: str) -> None:
    assert reason(CODEC.envelope, value) == expected


def test_keys_of_a_record() -> None:
    record = AuditRecord(audit_record_id="a-1", request_id="r-1", decision_id="d-1", tenant="rural-1")
    assert CODEC.keys_of(record.SerializeToString()) == Keys("a-1", "r-1", "d-1", "rural-1")
    assert CODEC.keys_of(AuditRecord(audit_record_id="a-1", tenant="t").SerializeToString()) == Keys("a-1", "", "", "t")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"\xff\xff", "NOT_A_RECORD"),
        (b"\x0a\x02\xff\xfe", "NOT_A_RECORD"),
        (b"", "RECORD_MALFORMED"),
        (AuditRecord(audit_record_id="a-1").SerializeToString(), "RECORD_MALFORMED"),
        (AuditRecord(audit_record_id="a\x00", tenant="t").SerializeToString(), "RECORD_MALFORMED"),
        (AuditRecord(audit_record_id="a-1", tenant="农商银行").SerializeToString(), "RECORD_MALFORMED"),
        (AuditRecord(audit_record_id="a-1", tenant="t\x00").SerializeToString(), "RECORD_MALFORMED"),
        (AuditRecord(audit_record_id="a-1", tenant="t", request_id="x" * 129).SerializeToString(), "RECORD_MALFORMED"),
        (AuditRecord(audit_record_id="a-1", tenant="t", decision_id="d\n").SerializeToString(), "RECORD_MALFORMED"),
    ],
)
def test_no_record(record: bytes, expected: str) -> None:
    assert reason(CODEC.keys_of, record) == expected


def test_leaves_of_every_kind() -> None:
    for kind in Kind:
        message = leaf_message(Leaf(7, kind, b"body", b"h" * 32, "id", "", "", "t", 1_795_000_000_123))
        assert pb.LeafKind.Name(message.kind) == f"LEAF_KIND_{kind.name}"
        assert (message.index, message.body, message.received_time.ToMilliseconds()) == (7, b"body", 1_795_000_000_123)
