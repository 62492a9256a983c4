"""`finmesh keys` as an operator types it: ids are shown, secrets never; a mistake is one line and status 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from finmesh_cli.__main__ import app
from meshkit.crypto.derive import DEVELOPMENT_ROOT, development
from meshkit.crypto.ring import read_ring
from provisioning import keys
from typer.testing import CliRunner


@pytest.fixture
def run(tmp_path: Path):
    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["keys", *arguments, "--folder", str(tmp_path / "密 钥")], env={"COLUMNS": "200"})
        return done.exit_code, done.output

    return run


def test_a_ring_from_its_first_key_to_its_last(run, tmp_path: Path) -> None:
    assert run("init", "--id", "first")[0] == 0
    assert run("add", "audit-batch.risk-scoring", "second")[0] == 0
    assert run("promote", "audit-batch.risk-scoring", "second")[0] == 0
    status, said = run("retire", "audit-batch.risk-scoring", "first")
    assert status == 0
    assert "audit-batch.risk-scoring     second (primary)\n" in said
    assert "audit-batch                  none\n" in said
    status, said = run("list")
    rings = list(keys.rings(tmp_path / "密 钥"))
    others = len(rings) - 2  # than that which was rotated and the shared one of old, which has none
    assert (status, said.count("first (primary)")) == (0, others)
    secrets = [secret.hex() for ring in rings for secret in ring.secrets.values()]
    assert secrets and not [secret for secret in secrets if secret in said]


def test_the_root_of_old_gives_the_keys_of_old(run, tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(DEVELOPMENT_ROOT + b"\n")
    assert run("init", "--root", str(tmp_path / "root"), "--id", "dev-1")[0] == 0
    assert read_ring(tmp_path / "密 钥" / "seal.json", "seal") == development("seal")
    assert read_ring(tmp_path / "密 钥" / "audit-batch.json", "audit-batch").secrets == development("audit-batch").secrets


def test_mistakes(run, tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"too short")
    assert run("list")[0] == 2
    assert run("init", "--root", str(tmp_path / "short"))[0] == 2
    assert run("init", "--root", str(tmp_path / "none"))[0] == 2
    assert run("add", "seal", "x")[0] == 2
    assert run("init")[0] == 0
    assert run("retire", "ids", "entity")[0] == 2
