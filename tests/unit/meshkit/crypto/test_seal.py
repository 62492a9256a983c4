"""Sealed payloads: they open only with key, place and every byte as sealed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meshkit.crypto.derive import DEVELOPMENT_ROOT, SEAL, derive_ring
from meshkit.crypto.ring import Ring
from meshkit.crypto.seal import Sealer, SealKey
from meshkit.errors import DataCorrupted
from meshkit.testing.keys import payload_sealer

SEALER = payload_sealer()


@given(st.binary(max_size=300))
def test_what_was_sealed_opens(payload) -> None:
    assert SEALER.open(SEALER.seal(payload, "topic/0/1"), "topic/0/1") == payload


def test_empty_and_one_zero_byte_are_not_the_same() -> None:
    assert SEALER.open(SEALER.seal(b"", "p"), "p") == b""
    assert SEALER.open(SEALER.seal(b"\x00", "p"), "p") == b"\x00"


def test_nothing_of_the_payload_shows() -> None:
    assert b"CUST" not in SEALER.seal(b"CUST-1", "p")
    assert SEALER.seal(b"x", "p") != SEALER.seal(b"x", "p")


@pytest.mark.parametrize("at", [0, 11, 12, -1])
def test_one_bit_flipped(at) -> None:
    sealed = bytearray(SEALER.seal(b"payload", "p"))
    sealed[at] ^= 1
    with pytest.raises(DataCorrupted):
        SEALER.open(bytes(sealed), "p")


@pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 12, b"x" * 27])
def test_bytes_that_are_no_seal(sealed) -> None:
    with pytest.raises(DataCorrupted) as broken:
        SEALER.open(sealed, "p")
    assert broken.value.reason == "SEAL_BROKEN"


def test_another_place_key_or_key_id() -> None:
    sealed = SEALER.seal(b"payload", "topic/0/1")
    for sealer, place in (
        (SEALER, "topic/0/2"),
        (Sealer(Ring(derive_ring(DEVELOPMENT_ROOT, "dev-2", SEAL), SealKey)), "topic/0/1"),
        (Sealer(Ring(derive_ring(b"y" * 32, "dev-1", SEAL), SealKey)), "topic/0/1"),
    ):
        with pytest.raises(DataCorrupted):
            sealer.open(sealed, place)
