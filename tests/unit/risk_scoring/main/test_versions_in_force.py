"""Whatever comes in force in risk-scoring is recorded: rules, rules on trial, channel table, key rings. What is broken never does."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from unittest.mock import Mock

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.audit.records import CHANNELS, KEYS, RULES, SHADOW_RULES, AuditRecords, Versions
from meshkit.clock import FakeClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import COMMITMENT, development
from meshkit.crypto.ring import Ring, RingKeys
from risk_scoring.adapters.file_policies import FilePolicies
from risk_scoring.domain.outcome import Thresholds
from risk_scoring.main.parts import follow_versions

from tests.unit.risk_scoring.rule_sets import RULES as SHIPPED
from tests.unit.risk_scoring.rule_sets import changed

CARD = b"\x0c" * 32


class Desk:
    """The files of one process, and what it records."""

    def __init__(self, folder: Path) -> None:
        for name in ("anti-fraud.json", "channels.yaml", "rates.yaml"):
            shutil.copy(SHIPPED / name, folder / name)
        self.rules, self.channels, self.shadow = folder / "anti-fraud.json", folder / "channels.yaml", folder / "shadow.json"
        rates, levels = folder / "rates.yaml", Thresholds(0.3, 0.6, 0.9)
        self.policies = FilePolicies(self.rules, self.channels, rates, levels, Mock(), self.shadow, CARD)
        self.put: list[AuditRecord] = []
        self.versions = Versions(AuditRecords("risk-scoring", "development", FakeClock()), self.put.append)
        follow_versions(self.versions, self.policies, Ring(development(COMMITMENT), CommitmentKey))

    def told(self) -> list[tuple[int, bytes, bytes]]:
        """What was recorded since the last time, after a look at the files."""
        self.policies.reload_if_changed()
        self.versions.look()
        found = [(each.change.version.of, each.change.version.before_sha256, each.change.version.after_sha256) for each in self.put]
        self.put.clear()
        return found

    def thresholds(self) -> bytes:
        return sha256(sha256(self.channels.read_bytes()).digest() + CARD).digest()


def digest(file: Path) -> bytes:
    return sha256(file.read_bytes()).digest()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_start_is_recorded(desk: Desk) -> None:
    found = {of: after for of, before, after in desk.told() if before == b""}
    assert found.keys() == {RULES, CHANNELS, KEYS}
    assert (found[RULES], found[CHANNELS]) == (digest(desk.rules), desk.thresholds())


def test_a_reload_is_recorded_with_what_was_in_force_before(desk: Desk) -> None:
    desk.told()
    before, thresholds = digest(desk.rules), desk.thresholds()
    desk.rules.write_bytes(changed("2026-12"))
    assert desk.told() == [(RULES, before, digest(desk.rules))]
    desk.channels.write_bytes(desk.channels.read_bytes() + "# 备注\n".encode())
    assert desk.told() == [(CHANNELS, thresholds, desk.thresholds())]
    desk.shadow.write_bytes(changed("trial"))
    on_trial = digest(desk.shadow)
    assert desk.told() == [(SHADOW_RULES, b"", on_trial)]
    desk.shadow.unlink()
    assert desk.told() == [(SHADOW_RULES, on_trial, b"")]
    assert desk.told() == []


@pytest.mark.parametrize("content", [b"{", b"", json.dumps({"nodes": []}).encode()])
def test_what_is_broken_never_comes_in_force(desk: Desk, content: bytes) -> None:
    desk.told()
    for file in (desk.rules, desk.channels, desk.shadow):
        file.write_bytes(content)
    assert desk.told() == []


def test_a_ring_is_told_by_its_ids_alone() -> None:
    def ring(primary: str, **secrets: bytes) -> bytes:
        return Ring(RingKeys(COMMITMENT, primary, secrets), CommitmentKey).hash

    one, two = b"1" * 32, b"2" * 32
    assert ring("a", a=one) == ring("a", a=two), "nothing of a secret shows"
    assert len({ring("a", a=one), ring("b", b=one), ring("a", a=one, b=two), ring("b", a=one, b=two)}) == 4
