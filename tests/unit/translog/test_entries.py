"""What may enter the log, and leaves that tell their kind from their committed bytes."""

import hashlib
import json

import pytest
from translog.entries import PREFIX, Commitment, Gap, Keys, Kind, Record, Source, gap_body, kind_of, quarantined_body
from translog.errors import ExitCode, MalformedError, NewerFormatError, RecordTooLargeError, ReservedRecordError

SOURCE = Source("topic", 3, "topic-id", 41, 2)


def test_a_record_fits_an_entry_bundle_or_is_refused() -> None:
    assert len(Record(b"x" * 65_535, Keys("id")).body) == 65_535
    with pytest.raises(RecordTooLargeError):
        Record(b"x" * 65_536, Keys("id"))


def test_a_record_cannot_pretend_to_be_a_leaf_of_the_log() -> None:
    with pytest.raises(ReservedRecordError):
        Record(gap_body(Gap("forged", {})), Keys("id"))
    with pytest.raises(MalformedError):
        Record(b"bytes", Keys(""))


def test_kinds_follow_from_bytes() -> None:
    gap = gap_body(Gap("producer-sequence", {"producer": "risk-scoring/stream/3", "expected": 4, "seen": 7}, SOURCE))
    poison = quarantined_body(
        Kind.POISON, commitment=Commitment("k-2", b"\xab" * 32), sealed=b"sealed", source=SOURCE, reason="NOT_A_BATCH"
    )
    assert (kind_of(b"\x0a\x01x"), kind_of(b""), kind_of(gap), kind_of(poison)) == (Kind.RECORD, Kind.RECORD, Kind.GAP, Kind.POISON)
    assert json.loads(gap)["source"] == ["topic", 3, "topic-id", 41, 2]
    assert (json.loads(poison)["key_id"], json.loads(poison)["commitment"]) == ("k-2", "ab" * 32)
    assert json.loads(poison)["sealed_sha256"] == hashlib.sha256(b"sealed").hexdigest()


@pytest.mark.parametrize(
    "body",
    [
        PREFIX,
        PREFIX + b'"record","version":1}',
        PREFIX + b'"other"}',
        PREFIX + b'"gap","version":"1"}',
        PREFIX + b'"\\u001b[2J","version":1}',
        PREFIX + b'"\\ud800","version":1}',
        PREFIX + b'"","version":1}',
        PREFIX + b'"gap","version":true}',
        PREFIX + b'"gap","version":0}',
        PREFIX + b"[]}",
        PREFIX + b'"gap"',
        PREFIX + b"\xff",
        PREFIX + b"[" * 60_000,
    ],
)
def test_a_reserved_prefix_that_is_none_of_ours(body: bytes) -> None:
    with pytest.raises(MalformedError):
        kind_of(body)


@pytest.mark.parametrize(
    "body", [PREFIX + b'"witnessed","version":1}', PREFIX + b'"poison","version":3}', PREFIX + b'"position","version":2}']
)
def test_what_only_a_newer_program_writes_is_no_damage(body: bytes) -> None:
    with pytest.raises(NewerFormatError) as caught:
        kind_of(body)
    assert caught.value.exit_code == ExitCode.USAGE
