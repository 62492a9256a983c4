"""Each process is told the purposes it has, and nothing of another's: keys, passwords, addresses."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from localmesh import launcher
from localmesh.child import Child
from localmesh.external import External
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from localmesh.rows import Row
from meshkit.crypto.derive import DEVELOPMENT_ID, DEVELOPMENT_ROOT, derive_key
from provisioning import services
from provisioning.keys import ensure_keys
from provisioning.services import Specialist
from pydantic import BaseModel

from .manifests import OVERLAYS, WORKLOADS, container, of_kind, pod, workload
from .repository import ROOT
from .settings import process_config
from .test_k8s import SERVICES

PROCESSES = services.load().processes
FILES = {
    "gateway": {"audit-batch.gateway.json", "principals.json"},
    "risk-stream": {"ids.json", "commitment.json", "audit-batch.risk-scoring.json", "seal.json"},
    "risk-rpc": {"ids.json", "commitment.json", "audit-batch.risk-scoring.json"},
    "audit": {
        "seal.json",
        "commitment.json",
        "audit-batch.gateway.json",
        "audit-batch.risk-scoring.json",
        "audit-batch.router.json",
        "audit-batch.rag.json",
        "audit-batch.json",
        "audit-log.key",
    },
    "router": {"audit-batch.router.json", "commitment.json", "namespaces.json"},
    "rag-rpc": {"audit-batch.rag.json", "commitment.json", "seal.json"},
    "rag-ingest": {"audit-batch.rag.json", "commitment.json", "seal.json"},
    "inference-prefill": set(),
    "inference-decode": set(),
}
ENGINES = {engine.name: {"tickets.json"} for process in PROCESSES for engine in process.fronted}
GROUPS = {
    "gateway": {"tls", "auth", "quota", "budget", "http", "redis", "kafka", "keys"},
    "risk-stream": {"tls", "kafka", "keys", "redis", "triton"},
    "risk-rpc": {"tls", "kafka", "keys", "redis", "triton"},
    "audit": {"tls", "kafka", "keys", "audit"},
    "router": {"tls", "kafka", "keys", "redis", "text", "evidence", "routing"},
    "rag-rpc": {"tls", "kafka", "keys", "encoder", "milvus", "ledger", "reader"},
    "rag-ingest": {"tls", "kafka", "keys", "encoder", "milvus", "ledger", "ingest"},
    "inference-prefill": {"tls", "keys", "health", "kafka"},
    "inference-decode": {"tls", "keys", "health", "kafka"},
}
LABELS = {
    "ids.json": {"entity", "id", "fingerprint"},
    "commitment.json": {"commitment"},
    "seal.json": {"seal"},
    "principals.json": {"principals"},
    "audit-batch.json": {"audit-batch"},
    "audit-batch.gateway.json": {"audit-batch|gateway"},
    "audit-batch.risk-scoring.json": {"audit-batch|risk-scoring"},
    "audit-batch.router.json": {"audit-batch|router"},
    "audit-batch.rag.json": {"audit-batch|rag"},
    "namespaces.json": {"namespaces"},
    "tickets.json": {"tickets"},
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    launcher.ensure_identity(places)
    return places


@pytest.fixture
def rows(places: Places) -> dict[str, Row]:
    return {row.name: row for row in table(places, Ports())}


def values(settings: BaseModel) -> Iterator[Any]:
    """Every value of a configuration, those of groups, lists and maps included."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from values(value)
        elif isinstance(value, dict):
            yield from value.values()
        else:
            yield value


@pytest.mark.parametrize("process", FILES)
def test_a_process_reads_the_key_files_of_its_purposes(process: str, rows: dict[str, Row], places: Places, monkeypatch) -> None:
    for name in [name for name in os.environ if name.startswith("FINMESH_")]:
        monkeypatch.delenv(name)
    for name, value in rows[process].env.items():
        monkeypatch.setenv(name, value)
    config = process_config(rows[process].command[2])()
    assert {value.name for value in values(config) if isinstance(value, Path) and value.is_relative_to(places.keys)} == FILES.get(
        process, set()
    )
    assert {name for name in type(config).model_fields if isinstance(getattr(config, name), BaseModel)} == GROUPS.get(process, {"tls"})


@pytest.mark.parametrize("process", FILES)
def test_neither_the_root_nor_a_foreign_key_is_within_reach(process: str, rows: dict[str, Row], places: Places) -> None:
    """What is in the environment, and in every file that the environment names."""
    given = " ".join(rows[process].env.values())
    named = [path for path in places.var.rglob("*") if path.is_file() and str(path) in given]
    told = given + "".join(path.read_text() for path in named)
    own = set().union(*(LABELS.get(name, set()) for name in FILES.get(process, set())))
    foreign = set().union(*LABELS.values()) - own
    assert DEVELOPMENT_ROOT.decode() not in told
    assert not [label for label in foreign if derive_key(DEVELOPMENT_ROOT, label).hex() in told]
    assert all(derive_key(DEVELOPMENT_ROOT, label).hex() in told for label in own)
    private = {path.name for path in named if path.suffix == ".key"}
    assert private == {f"{rows[process].env['OTEL_SERVICE_NAME']}.key"} | FILES.get(process, set()) & {"audit-log.key"}


async def test_what_the_launcher_was_told_reaches_whom_it_is_for(rows: dict[str, Row], tmp_path: Path, monkeypatch) -> None:
    secrets = {
        "FINMESH_KEYS__SECRET": "root of old",
        "FINMESH_EXTERNAL_DATABASE": "postgresql://u:password@h/d",
        "FINMESH_KAFKA__SASL_PASSWORD": "of kafka",
        "FINMESH_AUDIT__SIGNING_KEY": "of the log",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=token",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    found = {}
    for row in rows.values():
        seen = tmp_path / f"{row.name}.seen"
        child = await Child.start(_printing(row, seen), tmp_path / f"{row.name}.log")
        assert await child.exited() == 0
        found[row.name] = secrets.keys() & json.loads(seen.read_text())
    kafka = {"FINMESH_KAFKA__SASL_PASSWORD"}
    expected = {process.name: {"OTEL_EXPORTER_OTLP_HEADERS"} | (kafka if "kafka" in process.uses else set()) for process in PROCESSES}
    expected["audit"].add("FINMESH_AUDIT__SIGNING_KEY")
    assert found == expected | {
        "kafka": set(),
        "redis": set(),
        "triton": set(),
        "triton-encoder": set(),
        "milvus": set(),
        "zipkin": set(),
        "provision": kafka,
        **{engine.name: set() for engine in services.load().engines},  # specialists are of the default mesh alone
    }


def _printing(row: Row, seen: Path) -> Row:
    """The row with a program that writes down its environment."""
    program = "import json, os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(os.environ)))"
    return replace(row, command=(sys.executable, "-c", program, str(seen)), cwd=None)


def test_passwords_of_external_servers_go_where_they_are_used(places: Places) -> None:
    external = External(redis="redis://:redis-pw@h:1/0", database="postgresql://u:database-pw@h/d")
    told = {row.name: " ".join(row.env.values()) for row in table(places, Ports(), external)}
    assert {name for name, text in told.items() if "redis-pw" in text} == {"gateway", "risk-stream", "risk-rpc", "router"}
    assert {name for name, text in told.items() if "database-pw" in text} == {"audit"}


def test_files_are_private(places: Places) -> None:
    private = [*places.keys.iterdir(), *places.certs.glob("*.key"), *places.certs.glob("*.jwt")]
    assert len(private) > 10
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (places.keys, places.certs)} == {0o700}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_is_told_of_the_keys_of_its_purposes(
    engine: str, rows: dict[str, Row], places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever fronts it of none: neither in its environment nor in a file that this names."""
    monkeypatch.setattr("localmesh.fetch.triton.lay_out", lambda folder, *_: folder.mkdir(parents=True))  # the software alone
    process, told_of = next((process, each) for process in PROCESSES for each in process.fronted if each.name == engine)
    (service,) = [service for service in services.load().services if process in service.processes]
    is_specialist = isinstance(told_of, Specialist)
    model = tmp_path / "models" / (told_of.serves if isinstance(told_of, Specialist) else "general")
    model.mkdir(parents=True)
    (model / "manifest.json").write_text("{}")
    here = replace(places, specialists=model.parent) if is_specialist else replace(places, llm_model=model)
    row = {row.name: row for row in table(here, Ports())}[engine]
    assert row.prepare is not None
    row.prepare()
    assert row.cwd is not None
    linked = {path.readlink() for path in row.cwd.iterdir() if path.is_symlink()}
    named = {path.name for path in linked if path.parent in {places.keys, places.certs}}
    assert not linked & {places.keys, places.certs, places.var}, "a folder with the keys of others"
    told = next((places.var / "engines" / engine).rglob("engine.json")).read_text() + " ".join(row.env.values())
    assert str(places.keys) not in told and str(places.certs) not in told
    assert named == ENGINES[engine] | {f"{service.name}.pem", f"{service.name}.key", "authority.pem"}
    fronting = " ".join(rows[process.name].env.values())
    assert not [name for name in ENGINES[engine] if name in fronting]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_mounts_the_secrets_of_its_purposes(overlay: str) -> None:
    for name, process in SERVICES.items():
        volumes = pod(workload(overlay, name))["spec"]["volumes"]
        projected = [source["secret"]["name"] for volume in volumes for source in volume.get("projected", {}).get("sources", [])]
        files = FILES.get(process, set()).union(
            *(ENGINES[engine.name] for each in PROCESSES if each.name == process for engine in each.fronted)
        )
        wanted = {"keys-" + file.rpartition(".")[0].replace(".", "-") for file in files}
        assert set(projected) == wanted and len(projected) == len(wanted), name
        identity = pod(workload(overlay, name))["metadata"]["labels"]["finmesh.io/identity"]
        assert [volume["secret"]["secretName"] for volume in volumes if "secret" in volume] == [f"{identity}-tls"]
        told = json.dumps(container(workload(overlay, name))["env"])
        assert set(re.findall(r"/etc/finmesh/keys/([a-z.-]+)", told)) == FILES.get(process, set()), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_password_is_one_identity_s(overlay: str) -> None:
    """Keys have several holders, which `FILES` names; a user of Redis or of a database has one."""
    holders: dict[str, set[str]] = {}
    for resource in of_kind(overlay, *WORKLOADS):
        labels = pod(resource)["metadata"]["labels"]
        for entry in container(resource).get("env", []):
            secret = entry.get("valueFrom", {}).get("secretKeyRef", {}).get("name")
            if secret:
                holders.setdefault(secret, set()).add(labels.get("finmesh.io/identity", resource["metadata"]["name"]))
    assert len(holders) >= 2
    assert not {secret: names for secret, names in holders.items() if len(names) > 1}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_log_s_manifest_says_what_the_service_table_says(overlay: str) -> None:
    environment = {entry["name"]: entry.get("value", "") for entry in container(workload(overlay, "audit"))["env"]}
    producers = services.load().producers
    assert json.loads(environment["FINMESH_AUDIT__PRODUCERS"]) == producers
    assert json.loads(environment["FINMESH_KEYS__AUDIT_BATCH"]).keys() == set(producers.values())


def test_the_development_overlay_has_the_development_keys(tmp_path: Path) -> None:
    ensure_keys(tmp_path, DEVELOPMENT_ROOT, DEVELOPMENT_ID, services.load().producers.values())
    folder = ROOT / "deploy/k8s/overlays/dev/keys"
    assert {path.name: path.read_text() for path in folder.glob("[a-z]*")} == {
        path.name: path.read_text() for path in tmp_path.glob("[a-z]*")
    }


def test_rotating_a_key_restarts_no_pod() -> None:
    """A name with a hash of the content would."""
    secrets = {resource["metadata"]["name"] for resource in of_kind("dev", "Secret")}
    assert {"keys-ids", "keys-seal", "keys-audit-log"} <= secrets
