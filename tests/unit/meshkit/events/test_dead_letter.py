"""A dead letter says where it comes from and what is wrong, and shows nothing of the payload."""

from types import SimpleNamespace

import pytest
from meshkit.crypto.derive import DEVELOPMENT_ROOT, SEAL
from meshkit.crypto.ring import Ring
from meshkit.crypto.seal import Sealer, SealKey
from meshkit.errors import DataCorrupted, FieldViolation, InvalidArgument, TooOld
from meshkit.events.dead_letter import rejected
from meshkit.testing.keys import payload_sealer
from provisioning import keys

SEALER = payload_sealer()


def letter(value: bytes | None, error):
    """The dead letter of a record."""
    return rejected(SEALER, SimpleNamespace(topic="t", partition=3, offset=41, key=b"ACCT-1", value=value), error)


def test_place_reason_and_sealed_payload() -> None:
    made = letter(b"CUST-1", TooOld("too old"))
    headers = dict(made.headers)
    assert (made.topic, made.partition, made.key) == ("t.dead-letter", 0, b"t/3/41")
    assert (headers["reason"], headers["detail"]) == (b"TOO_OLD", b"too old")
    assert (headers["source_topic"], headers["source_partition"], headers["source_offset"]) == (b"t", b"3", b"41")
    assert SEALER.open(made.value, "t/3/41") == b"CUST-1"
    assert b"CUST" not in made.value and b"ACCT" not in made.value + made.key


def test_fields_are_named() -> None:
    wrong = (FieldViolation("amount.amount_minor", "must be positive"), FieldViolation("tenant", "is required"))
    headers = dict(letter(b"x", InvalidArgument("bad", violations=wrong)).headers)
    assert headers["detail"] == b"amount.amount_minor: must be positive; tenant: is required"


def test_a_tombstone_and_a_long_story() -> None:
    made = letter(None, InvalidArgument("长" * 1000))
    headers = dict(made.headers)
    assert headers["payload_bytes"] == b"0" and SEALER.open(made.value, made.key.decode()) == b""
    assert len(headers["detail"]) <= 512


async def test_a_letter_names_the_key_that_sealed_it_and_old_letters_still_open(tmp_path) -> None:
    keys.ensure_keys(tmp_path, DEVELOPMENT_ROOT, "dev-1", [])
    ring = Ring.of_file(tmp_path / "seal.json", SEAL, SealKey)
    sealer, record = Sealer(ring), SimpleNamespace(topic="t", partition=3, offset=41, key=b"", value=b"CUST-1")
    before = rejected(sealer, record, TooOld("too old"))
    keys.add(tmp_path, SEAL, "new")
    keys.promote(tmp_path, SEAL, "new")
    await ring.reload()
    after = rejected(sealer, record, TooOld("too old"))
    assert [dict(made.headers)["sealed_key_id"] for made in (before, after)] == [b"dev-1", b"new"]
    assert [sealer.open(made.value, "t/3/41") for made in (before, after)] == [b"CUST-1"] * 2
    keys.retire(tmp_path, SEAL, "dev-1")
    await ring.reload()
    assert sealer.open(after.value, "t/3/41") == b"CUST-1"
    with pytest.raises(DataCorrupted):
        sealer.open(before.value, "t/3/41")


def test_identifiers_in_the_detail_are_masked_before_it_is_cut() -> None:
    wrong = InvalidArgument("x", violations=(FieldViolation("卡6222021234567890128", "y" * 480 + " 手机13812345678"),))
    detail = dict(letter(b"x", wrong).headers)["detail"].decode(errors="replace")
    assert detail.startswith("卡[card]: ") and "138" not in detail and len(detail.encode()) <= 512 + 2
