"""Keyed ids: stable, apart by purpose, tenant and secret; UUIDv8 in form."""

import hmac
from uuid import UUID

import pytest
from meshkit.crypto.derive import IDS, derive_key, derive_ring
from meshkit.crypto.keyed_ids import KeyedIds, uuid_bytes, uuid_text
from meshkit.testing.keys import commitment_ring, keyed_ids

KEYS = keyed_ids()


def test_known_answers() -> None:
    """These must never change: they stand in every store and every log."""
    assert KEYS.entity_key("bank-a", "c1").hex() == "37fae505c2881fe11c43e96f945f8325"
    assert KEYS.derived_id("decision", b"x").hex() == "1abfbe363bf082bfa13f51594670808d"
    assert KEYS.fingerprint(b"x").hex() == "46ecbfa27b8fdd2d9f80332ed39c5a28"
    assert commitment_ring().primary.commit(b"x").hex() == "f8f9412f6996bc400a4d942715aa1be8ebc8104d3f19072527aeb46d28ad54a5"


def test_keys_are_derived_as_rfc_5869_says() -> None:
    extracted = hmac.digest(b"finmesh", b"secret", "sha256")
    assert derive_key(b"secret", "entity") == hmac.digest(extracted, b"entity\x01", "sha256")


def test_an_entity_key_is_apart_by_tenant_and_id() -> None:
    found = {KEYS.entity_key(tenant, entity) for tenant in ("a", "b") for entity in ("1", "2", "客户")}
    assert len(found) == 6
    assert all(len(key) == 16 for key in found)
    assert KEYS.entity_key("a", "") == b""


def test_tenant_and_id_do_not_run_into_each_other() -> None:
    assert KEYS.entity_key("bank", "a1") != KEYS.entity_key("banka", "1")


def test_purposes_are_apart() -> None:
    content = b"content"
    derived = KEYS.derived_id("decision", content), KEYS.derived_id("audit", content), KEYS.fingerprint(content)
    assert len({*derived, commitment_ring().primary.commit(content)[:16]}) == 4


def test_another_secret_gives_other_everything() -> None:
    other = KeyedIds(derive_ring(b"x" * 32, "", IDS))
    assert other.fingerprint(b"x") != KEYS.fingerprint(b"x")
    assert other.derived_id("d", b"x") != KEYS.derived_id("d", b"x")
    assert other.entity_key("a", "1") != KEYS.entity_key("a", "1")


def test_derived_ids_are_uuids_of_version_8() -> None:
    found = UUID(bytes=KEYS.derived_id("decision", b"x"))
    assert (found.version, found.variant) == (8, "specified in RFC 4122")


def test_text_and_bytes() -> None:
    raw = KEYS.derived_id("decision", b"x")
    assert uuid_bytes(uuid_text(raw)) == raw
    assert uuid_text(raw) == str(UUID(bytes=raw))


@pytest.mark.parametrize("text", ["", "no", "{00000000-0000-8000-8000-000000000000}", "00000000000080008000000000000000", "A" * 36])
def test_only_the_canonical_form(text) -> None:
    with pytest.raises(ValueError, match=r".+"):
        uuid_bytes(text)
