"""The records of the audit benchmark are records of the log, each its own."""

from audit.translate import ProtobufBatchCodec

from bench.audit import record


def test_records_are_well_formed_and_differ() -> None:
    codec = ProtobufBatchCodec(None)
    keys = [codec.keys_of(record(number)) for number in range(1_000)]
    assert len({key.event_id for key in keys}) == 1_000
    assert {key.tenant for key in keys} == {"retail", "rural"}
