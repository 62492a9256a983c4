"""Key files: made as processes derived them before, changed whole, private, never so that somebody is left without."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from meshkit.crypto.derive import DEVELOPMENT_ID, DEVELOPMENT_ROOT, IDS, development, signing
from meshkit.crypto.ring import read_ring
from meshkit.errors import FailedPrecondition
from provisioning import keys
from translog.note import Signer

RISK = signing("risk-scoring")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.ensure_keys(tmp_path / "密钥", DEVELOPMENT_ROOT, DEVELOPMENT_ID, ["risk-scoring"])
    return tmp_path / "密钥"


def ids(folder: Path, purpose: str) -> tuple[str, list[str]]:
    ring = read_ring(keys.path_of(folder, purpose), purpose)
    return ring.primary, list(ring.secrets)


def test_the_first_keys_are_those_that_processes_derived(folder: Path) -> None:
    """Stores, topics and logs of a mesh that had one root secret stay readable."""
    for purpose in (IDS, "commitment", "seal", RISK):
        assert read_ring(keys.path_of(folder, purpose), purpose) == development(purpose)
    shared = read_ring(keys.path_of(folder, "audit-batch"), "audit-batch")
    assert (shared.primary, shared.secrets) == ("", development("audit-batch").secrets)
    log = Signer.parse((folder / keys.LOG_KEY).read_text())
    assert (log.name, log.seed.hex()) == ("finmesh.local/audit", "c0a3d7b806f8bc01203d6ec691887f1fe47d54b50b9f781aa545f62a4c89413a")


def test_what_is_there_stays(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    keys.ensure_keys(folder, b"another root", "other", ["risk-scoring", "gateway"])
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.items() <= after.items()
    assert after.keys() - before.keys() == {"audit-batch.gateway.json"}


def test_a_new_root_has_no_shared_key(tmp_path: Path) -> None:
    keys.ensure_keys(tmp_path, b"r" * 32, "first", [], shared=False)
    assert ids(tmp_path, "audit-batch") == ("", [])


def test_add_promote_retire(folder: Path) -> None:
    keys.add(folder, RISK, "2026-12")
    assert ids(folder, RISK) == ("dev-1", ["dev-1", "2026-12"])
    keys.promote(folder, RISK, "2026-12")
    assert ids(folder, RISK) == ("2026-12", ["dev-1", "2026-12"])
    keys.retire(folder, RISK, "dev-1")
    assert ids(folder, RISK) == ("2026-12", ["2026-12"])
    assert read_ring(keys.path_of(folder, RISK), RISK).secrets["2026-12"] != development(RISK).secrets["dev-1"]
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.json")} == {0o600}


@pytest.mark.parametrize(
    ("change", "purpose", "key_id", "why"),
    [
        (keys.retire, RISK, "dev-1", "promote another first"),
        (keys.retire, RISK, "unknown", "has no key unknown"),
        (keys.promote, RISK, "unknown", "has no key unknown"),
        (keys.add, RISK, "dev-1", "has a key dev-1"),
        (keys.add, RISK, "二", "with ids of 64 letters"),
        (keys.add, RISK, "a|b", "with ids of 64 letters"),
        (keys.add, "ids", "other", "never rotate"),
        (keys.retire, "ids", "entity", "never rotate"),
        (keys.add, "audit-batch", "other", "only ever retired"),
        (keys.add, "audit-batch|nobody", "x", "has no ring"),
        (keys.add, "../ids", "x", "has no ring"),
    ],
)
def test_what_would_leave_somebody_without_is_refused(folder: Path, change, purpose: str, key_id: str, why: str) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix}
    with pytest.raises(FailedPrecondition, match=why):
        change(folder, purpose, key_id)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix} == before


def test_two_operators_at_once_lose_no_key(folder: Path) -> None:
    names = [f"k-{n}" for n in range(12)]
    threads = [threading.Thread(target=keys.add, args=(folder, "seal", name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ids(folder, "seal")[1]) == {"dev-1", *names}


def test_a_reader_never_sees_half_a_file(folder: Path) -> None:
    """Whatever the moment, the file is whole: it is replaced, not written into."""
    path, stop = keys.path_of(folder, "seal"), threading.Event()
    wrong: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                json.loads(path.read_bytes())
            except ValueError as error:
                wrong.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        keys.add(folder, "seal", f"k-{number}")
    stop.set()
    reader.join()
    assert wrong == []
