"""What would be in clear text to other hosts, or rests on keys that everybody knows, does not start: exit status 2 and one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from meshkit.crypto.derive import derive_ring
from provisioning import services
from provisioning.certificates import write_private

MAINS = {process.name: [process.module] for service in services.load().services for process in service.processes} | {
    "history": ["risk_scoring.main.history", "transactions.bin"],
    "provisioner": ["provisioning", "topics"],
    "watch": ["finmesh_cli", "watch", "--count", "1"],
}
ELSEWHERE = "192.0.2.1"  # a documentation address (RFC 5737): nobody answers there, and nobody is asked
KAFKA = {"FINMESH_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:1,{ELSEWHERE}:9092"}
TLS = {f"FINMESH_TLS__{name}": f"/nowhere/{name}" for name in ("CERTIFICATE", "KEY", "AUTHORITY")}


WITHOUT_KAFKA = ("inference-prefill", "inference-decode")


def start(main: str, environment: dict[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FINMESH_", "PG"))}
    command = [sys.executable, "-m", *MAINS[main]]
    return subprocess.run(command, env=clean | environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("main", "environment", "setting"),
    [
        *((main, KAFKA, "FINMESH_KAFKA__SECURITY_PROTOCOL") for main in MAINS if main not in WITHOUT_KAFKA),
        *((main, {"FINMESH_LISTEN": "0.0.0.0:0"}, "FINMESH_LISTEN") for main in WITHOUT_KAFKA),
        ("gateway", {"FINMESH_LISTEN": "0.0.0.0:0"}, "FINMESH_LISTEN"),
        ("gateway", {"FINMESH_LISTEN": "0.0.0.0:0", **TLS}, "FINMESH_KEYS__AUDIT_BATCH"),
        ("gateway", {"FINMESH_REDIS__URL": f"redis://:secret-word@{ELSEWHERE}/0"}, "FINMESH_REDIS__URL"),
        ("risk-rpc", {"FINMESH_TRITON__URL": f"ipv4:127.0.0.1:1,{ELSEWHERE}:1"}, "FINMESH_TRITON__TLS"),
        ("audit", {"FINMESH_AUDIT__DATABASE_URL": f"postgresql://u:secret-word@{ELSEWHERE}/d"}, "FINMESH_AUDIT__DATABASE_URL"),
        ("audit", {"FINMESH_ALLOW_CLEAR_TEXT": "kafka,everything"}, "allow_clear_text"),
    ],
)
def test_one_line_names_the_setting(main: str, environment: dict[str, str], setting: str, tmp_path: Path) -> None:
    ended = start(main, environment, tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert setting in ended.stderr
    assert "secret-word" not in ended.stderr and ELSEWHERE not in ended.stderr


@pytest.mark.parametrize(
    ("main", "status", "told"),
    [("watch", 3, "no decisions from"), ("provisioner", 1, ""), ("audit", 2, "NO_PRODUCERS")],
)
def test_what_is_allowed_by_name_goes_on(main: str, status: int, told: str, tmp_path: Path) -> None:
    """The list names another host behind one that refuses at once, so that nothing has to time out."""
    allowed = {"FINMESH_KAFKA__BOOTSTRAP_SERVERS": "no-such-host.invalid:1", "FINMESH_ALLOW_CLEAR_TEXT": "kafka"}
    ended = start(main, allowed | {"FINMESH_ALLOW_DEVELOPMENT_KEYS": "true"}, tmp_path)
    assert ended.returncode == status
    assert told in ended.stderr
    assert "SECURITY_PROTOCOL" not in ended.stderr


def test_the_log_s_own_development_key(tmp_path: Path) -> None:
    """The file of the development overlay, by content; other keys are none of it."""
    keys = Path(__file__).parents[3] / "deploy/k8s/overlays/dev/keys"
    for name, purpose in (("seal", "seal"), ("commitment", "commitment"), ("gateway", "audit-batch|gateway")):
        write_private(tmp_path / f"{name}.json", derive_ring(b"a root of its own, of 32 bytes and more", "k", purpose).content())
    write_private(tmp_path / "log.key", (keys / "audit-log.key").read_bytes())
    environment = {
        "FINMESH_KAFKA__BOOTSTRAP_SERVERS": f"{ELSEWHERE}:1",
        "FINMESH_ALLOW_CLEAR_TEXT": "kafka",
        "FINMESH_KEYS__SEAL": "seal.json",
        "FINMESH_KEYS__COMMITMENT": "commitment.json",
        "FINMESH_KEYS__AUDIT_BATCH": '{"gateway": "gateway.json"}',
        "FINMESH_AUDIT__PRODUCERS": '{"gateway/": "gateway"}',
    }
    for given in ({}, {"FINMESH_AUDIT__SIGNING_KEY_FILE": "log.key"}):
        ended = start("audit", environment | given, tmp_path)
        assert ended.returncode == 2
        assert "FINMESH_AUDIT__SIGNING_KEY_FILE: a development key" in ended.stderr.splitlines()[-1]
