"""The command `finmesh` against the whole mesh: decide, explain, prove, block, check, each as a person would type it."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from localmesh.places import ROOT
from localmesh.ports import LOOPBACK, Ports
from meshkit.crypto.derive import DEVELOPMENT_ROOT
from provisioning import services, tokens

from tests.stack import Stack

pytestmark = pytest.mark.stack

Finmesh = Callable[..., subprocess.CompletedProcess[str]]
SECRETS = {"FINMESH_KEYS__SECRET": "root secret of old", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=of-the-tracing-backend"}
"""In the environment of whoever starts the mesh; the first is nobody's any more, the second our services' alone."""
TRIES = 30
"""Commands of about a second each, until a list entry has reached whoever decides."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> Iterator[dict[str, str]]:
    """A running mesh on free ports with run state of its own, and a tiny language model."""
    ports, var = Ports.free(), tmp_path_factory.mktemp("mesh")
    chosen = {f"FINMESH_PORT_{name.upper()}": str(port) for name, port in ports.by_name().items()}
    own = SECRETS | {
        "FINMESH_VAR": str(var),
        "FINMESH_GATEWAY": f"{LOOPBACK}:{ports.grpc('gateway')}",
        "FINMESH_LLM_MODEL": str(stack.llm_model),
        "FINMESH_LANGUAGE": "en",
        "COLUMNS": "200",
    }
    env = {**os.environ, **chosen, **own}
    localmesh = [sys.executable, "-m", "localmesh"]
    up = subprocess.run([*localmesh, "up"], env=env, capture_output=True, text=True, timeout=180, check=False)
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield env
    finally:
        subprocess.run([*localmesh, "down"], env=env, capture_output=True, timeout=120, check=False)


@pytest.fixture
def finmesh(environment: dict[str, str]) -> Finmesh:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "finmesh_cli", *arguments]
        return subprocess.run(command, env=environment | more, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_no_process_finds_what_is_not_its_own(environment: dict[str, str]) -> None:
    """Neither the root, nor another's key files and certificate; what is in files is `tests/contract/test_least_privilege.py`'s."""
    var = Path(environment["FINMESH_VAR"])
    table = {process.name: (service.name, process.keys) for service in services.load().services for process in service.processes}
    seen = {}
    for name, row in json.loads((var / "mesh.json").read_text())["processes"].items():
        if not row["pid"]:  # done
            continue
        pairs = Path(f"/proc/{row['pid']}/environ").read_text().split("\0")
        found = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        service, purposes = table.get(name, ("", ()))
        text = " ".join(found.values())
        assert SECRETS["FINMESH_KEYS__SECRET"] not in text and DEVELOPMENT_ROOT.decode() not in text
        assert ("OTEL_EXPORTER_OTLP_HEADERS" in found) == bool(service)
        assert {path.stem for path in (var / "certs").glob("*.key") if str(path) in text} == ({service} if service else set())
        seen[name] = {path.name for path in (var / "keys").iterdir() if str(path) in text}
        assert len(seen[name]) >= len(purposes)
    assert seen["gateway"] == {"audit-batch.gateway.json", "principals.json"}
    assert "seal.json" in seen["risk-stream"] and "seal.json" not in seen["risk-rpc"]
    assert "ids.json" in seen["risk-rpc"] and "ids.json" not in seen["audit"]
    assert seen["kafka"] == seen["redis"] == seen["triton"] == set()


def transfer(*more: str) -> tuple[str, ...]:
    return ("send", "--amount", "1280.50", "--customer", "cus-1", "--account", "acc-1", "--counterparty", "acc-2", *more)


def decided(done: subprocess.CompletedProcess[str]) -> str:
    """Return the decision's id."""
    assert done.returncode == 0, done.stdout + done.stderr
    return next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("decision "))


def test_everything_is_up(finmesh: Finmesh) -> None:
    done = finmesh("status")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SERVING") == len(services.load().processes) == 9


def test_decided_once_and_proven(finmesh: Finmesh) -> None:
    uetr, at = str(uuid.uuid4()), dt.datetime.now(dt.UTC).isoformat()
    first, second = (finmesh(*transfer("--uetr", uetr, "--at", at)) for _ in range(2))
    assert decided(first) == decided(second)
    assert "the stored decision was returned" in second.stdout
    explained = finmesh("decision", "--uetr", uetr)
    assert decided(explained) == decided(first)
    assert "proven in a log of" in explained.stdout


def test_the_same_transfer_with_another_amount_is_refused(finmesh: Finmesh) -> None:
    uetr, at = str(uuid.uuid4()), dt.datetime.now(dt.UTC).isoformat()
    assert finmesh(*transfer("--uetr", uetr, "--at", at)).returncode == 0
    other = finmesh(*transfer("--uetr", uetr, "--at", at, "--amount", "9999"))
    assert other.returncode == 2
    assert "IDEMPOTENCY_CONFLICT" in other.stderr


def test_a_blocked_device_is_declined(finmesh: Finmesh, environment: dict[str, str], tmp_path: Path) -> None:
    refused = finmesh("list", "block", "device", "dev-stolen")
    assert refused.returncode == 2, "the usual token may score, not edit lists"
    assert "POLICY_DENIED" in refused.stderr
    key = tokens.issuer_key(Path(environment["FINMESH_VAR"]) / "certs")
    (tmp_path / "editor.jwt").write_text(tokens.mint(key, dt.datetime.now(dt.UTC), roles=["list-editor"]))
    done = finmesh("list", "block", "device", "dev-stolen", FINMESH_TOKEN=str(tmp_path / "editor.jwt"))
    assert done.returncode == 0, done.stderr
    for _ in range(TRIES):
        sent = finmesh(*transfer("--device", "dev-stolen", "--json"))
        assert sent.returncode == 0, sent.stderr
        decision = json.loads(sent.stdout)
        if decision["outcome"] == "OUTCOME_DECLINE":
            break
    assert decision["outcome"] == "OUTCOME_DECLINE"
    assert decision["reasons"][0]["code"] == "R_BLOCK_LISTED"


def test_what_decided_is_what_is_released(finmesh: Finmesh, environment: dict[str, str], tmp_path: Path) -> None:
    finmesh("decision", decided(finmesh(*transfer())))
    log = Path(environment["FINMESH_VAR"]) / "audit" / "audit.db"
    rules = ROOT / "services/risk-scoring/rules"
    known = finmesh("audit", "evidence", str(log), str(ROOT / "models/repository"), str(rules))
    assert known.returncode == 0, known.stdout + known.stderr
    assert "anti-fraud.json" in known.stdout
    assert finmesh("audit", "evidence", str(log), str(rules)).returncode == 1, "nobody vouches for the model and its card"


def test_the_log_only_grows(finmesh: Finmesh, environment: dict[str, str], tmp_path: Path) -> None:
    kept, growth = tmp_path / "kept.note", tmp_path / "growth.json"
    finmesh("decision", decided(finmesh(*transfer())))
    assert finmesh("proof", "checkpoint", "-o", str(kept)).returncode == 0
    finmesh("decision", decided(finmesh(*transfer())))
    assert finmesh("proof", "export", "--since", str(kept), "-o", str(growth)).returncode == 0
    assert json.loads(growth.read_text())["old_checkpoint"] == kept.read_text()
    checked = finmesh("fsck", str(Path(environment["FINMESH_VAR"]) / "audit" / "audit.db"), "--pinned", str(kept))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_keys_rotate_while_payments_are_decided(finmesh: Finmesh, environment: dict[str, str]) -> None:
    """Signatures and commitments of the running mesh: every payment is proven, nothing is poison, nobody starts anew."""
    var, rings = Path(environment["FINMESH_VAR"]), ("audit-batch.risk-scoring", "commitment")
    folder, log = ("--folder", str(var / "keys")), var / "logs" / "risk-rpc.log"
    before = {name: row["pid"] for name, row in json.loads((var / "mesh.json").read_text())["processes"].items()}

    def proven() -> None:
        explained = finmesh("decision", decided(finmesh(*transfer())))
        assert explained.returncode == 0 and "proven in a log of" in explained.stdout, explained.stdout + explained.stderr

    def changed(step: str, key_id: str) -> None:
        """Change both rings, and go on as soon as the process that signs has read them."""
        seen = log.read_text().count("key ring")
        for ring in rings:
            done = finmesh("keys", step, ring, key_id, *folder)
            assert done.returncode == 0, done.stderr
        for _ in range(TRIES):
            if log.read_text().count("key ring") >= seen + len(rings):
                break
            proven()
        else:
            raise AssertionError(f"the rings of {step} were not read: {log.read_text()[-500:]}")

    for step, key_id in (("add", "next"), ("promote", "next"), ("retire", "dev-1")):
        changed(step, key_id)
        proven()
    assert finmesh("keys", "retire", rings[0], "next", *folder).returncode == 2, "the primary stays"
    checked = finmesh("fsck", str(var / "audit" / "audit.db"))
    assert checked.returncode == 0 and "poison" not in checked.stdout, checked.stdout
    assert {name: row["pid"] for name, row in json.loads((var / "mesh.json").read_text())["processes"].items()} == before


def test_a_model_answers_and_its_records_are_proven(finmesh: Finmesh, environment: dict[str, str], tmp_path: Path) -> None:
    (model,) = (json.loads(line) for line in finmesh("models", "--json").stdout.splitlines())
    assert model["available"]
    said = finmesh("chat", "--once", "请用一句话解释什么是洗钱", "--max-tokens", "16", "--seed", "7", "--temperature", "0.5", "--usage")
    assert said.returncode == 0, said.stderr
    assert model["name"] in said.stdout and "handed over [ALWAYS]" in said.stdout
    began, ended = (line.split()[2] for line in said.stdout.splitlines() if line.startswith("audit record"))
    certs = Path(environment["FINMESH_VAR"]) / "certs"
    for number, record in enumerate((began, ended)):
        arguments = ("--token", str(certs / "assistant.jwt"), "proof", "export", record, "-o", str(tmp_path / f"{number}.json"))
        for _ in range(TRIES):  # the log is written behind the answer
            done = finmesh(*arguments)
            if done.returncode == 0:
                break
        assert done.returncode == 0, done.stderr
    engines = json.loads(finmesh("pool", "--json").stdout)["backends"]
    assert {engine["load"]["state"] for engine in engines} == {"WORKER_STATE_READY"}
    assert {engine["description"]["role"] for engine in engines} == {"WORKER_ROLE_PREFILL", "WORKER_ROLE_DECODE"}
    refused = finmesh("chat", "--once", "问", "--grade", "4")
    assert refused.returncode == 2 and "POLICY_DENIED" in refused.stderr


def test_watching_sees_them(finmesh: Finmesh) -> None:
    wanted = decided(finmesh(*transfer()))
    seen = finmesh("watch", "--from-start", "--count", "1")
    assert seen.returncode == 0, seen.stderr
    for count in range(1, TRIES):
        if wanted in seen.stdout:
            break
        seen = finmesh("watch", "--from-start", "--count", str(count))
    assert wanted in seen.stdout
