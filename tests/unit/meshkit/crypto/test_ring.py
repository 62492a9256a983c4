"""Rings: what was written under any accepted key is read, a file in the wrong place or half written changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import DEVELOPMENT_ROOT, derive_key
from meshkit.crypto.ring import Ring, RingKeys
from meshkit.errors import FailedPrecondition

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def ring_file(path: Path, **changes: Any) -> Path:
    """A file as an operator writes it."""
    document = {"purpose": "commitment", "primary": "old", "keys": {"old": OLD.hex()}} | changes
    path.write_text(json.dumps(document), "utf-8")
    path.chmod(0o600)
    return path


def opened(path: Path) -> Ring[CommitmentKey]:
    """The ring of a file, as a service opens it."""
    return Ring.of_file(path, "commitment", CommitmentKey)


def test_sub_keys_of_every_purpose_never_change() -> None:
    """The bytes in use before there were rings: they stand in stores, topics and logs."""
    root = DEVELOPMENT_ROOT
    found = {label: derive_key(root, label).hex() for label in ("entity", "id", "fingerprint", "commitment", "seal", "audit-batch")}
    assert found == {
        "entity": "f5160944e3d70ae04d82293a7d65193832b4fa43b8e6d61280d1a8bc2624cc33",
        "id": "ccd345e25de5b977fb253e9779ac2aacefc7c0b49e04340bb12035f5e87af557",
        "fingerprint": "0781e0ab2b5805f7eb9106bedb75a80aa299c7a0d266037aa2162998674ad267",
        "commitment": "0abe6849109094eba372a52f90dd1fa24d7ea2919814b597ed3190bfd58d7c07",
        "seal": "7d16ca64d18af80250af1c470e8375d9eb781d41cf13647ff633e493dfd11b05",
        "audit-batch": "5493d376a1e962b788beb7f33ee6619a76175ff4c6c347c486643eb190e69083",
    }
    assert derive_key(root, "audit-log|finmesh.local/audit").hex() == "c0a3d7b806f8bc01203d6ec691887f1fe47d54b50b9f781aa545f62a4c89413a"


def test_the_primary_writes_and_every_accepted_key_reads() -> None:
    ring = Ring(RingKeys("commitment", "new", {"old": OLD, "new": NEW}), CommitmentKey)
    assert ring.primary.id == "new"
    assert [key.id for key in ring.accepted] == ["new", "old"]
    old = ring.get("old")
    assert old is not None
    assert old.commit(b"x") == CommitmentKey("other id", OLD).commit(b"x") != ring.primary.commit(b"x")
    assert ring.get("retired") is None


def test_content_comes_back() -> None:
    keys = RingKeys("audit-batch|risk-scoring", "", {"old": OLD, "new": NEW})
    assert RingKeys.parse(keys.content(), "audit-batch|risk-scoring") == keys
    assert OLD.hex() not in repr(keys)


async def test_add_promote_retire_without_a_restart(tmp_path) -> None:
    path = ring_file(tmp_path / "ring.json")
    ring = opened(path)
    both = {"old": OLD.hex(), "new": NEW.hex()}
    seen = []
    for primary, keys in (("old", both), ("new", both), ("new", {"new": NEW.hex()})):
        ring_file(path, primary=primary, keys=keys)
        await ring.reload()
        seen.append((ring.primary.id, [key.id for key in ring.accepted]))
    assert seen == [("old", ["old", "new"]), ("new", ["new", "old"]), ("new", ["new"])]


async def test_a_change_that_was_taken_back_is_not_kept(tmp_path) -> None:
    """Seen by a look in between, not by the reloader."""
    path = ring_file(tmp_path / "ring.json")
    ring = opened(path)
    ring_file(path, keys={"old": OLD.hex(), "new": NEW.hex()})
    ring.refresh()
    assert ring.get("new") is not None
    ring_file(path)
    await ring.reload()
    assert ring.get("new") is None


WRONG = {
    "another purpose": json.dumps({"purpose": "seal", "primary": "old", "keys": {"old": OLD.hex()}}),
    "no json": "{",
    "empty": "",
    "a list": "[]",
    "nested": "[" * 5_000,
    "unknown field": json.dumps({"purpose": "commitment", "primary": "old", "keys": {"old": OLD.hex()}, "root": "x"}),
    "a field twice": f'{{"purpose": "commitment", "primary": "old", "primary": "old", "keys": {{"old": "{OLD.hex()}"}}}}',
    "an id twice": f'{{"purpose": "commitment", "primary": "old", "keys": {{"old": "{NEW.hex()}", "old": "{OLD.hex()}"}}}}',
    "primary unknown": json.dumps({"purpose": "commitment", "primary": "new", "keys": {"old": OLD.hex()}}),
    "primary gone": json.dumps({"purpose": "commitment", "primary": None, "keys": {"old": OLD.hex()}}),
    "primary empty": json.dumps({"purpose": "commitment", "primary": "", "keys": {"old": OLD.hex()}}),
    "primary a list": json.dumps({"purpose": "commitment", "primary": ["old"], "keys": {"old": OLD.hex()}}),
    "short": json.dumps({"purpose": "commitment", "primary": "old", "keys": {"old": "00" * 31}}),
    "no hexadecimal": json.dumps({"purpose": "commitment", "primary": "old", "keys": {"old": "密钥" * 32}}),
    "no text": json.dumps({"purpose": "commitment", "primary": "old", "keys": {"old": 1}}),
    "keys a list": json.dumps({"purpose": "commitment", "primary": "old", "keys": [OLD.hex()]}),
    "one key under two ids": json.dumps({"purpose": "commitment", "primary": "old", "keys": {"old": OLD.hex(), "new": OLD.hex()}}),
    "id with a separator": json.dumps({"purpose": "commitment", "primary": "a|b", "keys": {"a|b": OLD.hex()}}),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_file_keeps_the_last_good_keys(tmp_path, content) -> None:
    path = ring_file(tmp_path / "ring.json")
    ring = opened(path)
    path.write_text(content, "utf-8")
    with pytest.raises(FailedPrecondition) as refused:
        await ring.reload()
    assert refused.value.reason == "KEY_RING_INVALID"
    assert OLD.hex() not in str(refused.value)
    assert (ring.primary.id, len(ring.accepted)) == ("old", 1)


async def test_a_file_that_is_gone_keeps_the_last_good_keys(tmp_path) -> None:
    path = ring_file(tmp_path / "ring.json")
    ring = opened(path)
    path.unlink()
    with pytest.raises(FailedPrecondition, match="No such file"):
        await ring.reload()
    assert ring.primary.id == "old"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666])
def test_a_file_that_everybody_may_read_or_write_is_refused(tmp_path, mode) -> None:
    path = ring_file(tmp_path / "ring.json")
    path.chmod(mode)
    with pytest.raises(FailedPrecondition):
        opened(path)


def test_a_ring_that_only_reads_says_so() -> None:
    ring = Ring(RingKeys("audit-batch", "", {"old": OLD}), CommitmentKey)
    assert [key.id for key in ring.accepted] == ["old"]
    with pytest.raises(FailedPrecondition) as refused:
        _ = ring.primary
    assert refused.value.reason == "NO_PRIMARY_KEY"
