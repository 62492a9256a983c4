"""`finmesh status` reads the launcher's file and asks each of our services."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from finmesh_cli.commands.status import ours
from localmesh import status
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from meshkit.config import TlsSettings
from meshkit.rpc.server import MeshServer
from meshkit.telemetry.metrics import Endpoint
from provisioning import services

from .conftest import Cli


@pytest.fixture
def told() -> dict[str, Any]:
    return {"service": "audit", "state": "ready", "missing": {}}


@pytest.fixture
async def audit_server(certs: Path) -> AsyncIterator[MeshServer]:
    own = TlsSettings(certificate=certs / "audit.pem", key=certs / "audit.key", authority=certs / "authority.pem")
    server = MeshServer("127.0.0.1:0", own, callers=["gateway"])
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
def endpoint(told: dict[str, Any]) -> Iterator[Endpoint]:
    serving = Endpoint("127.0.0.1:0", lambda: told)
    yield serving
    serving.close()


@pytest.fixture
def mesh(tmp_path: Path, audit_server: MeshServer, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a launcher that runs (its lock is held) with one service and one server."""
    monkeypatch.setenv("FINMESH_VAR", str(tmp_path))
    row = {"state": "ready", "pid": 4711, "restarts": 0, "took_s": 1.0, "reason": "", "log": ""}
    processes = {
        "kafka": {**row, "ports": {"broker": 19092}},
        "provision": {**row, "state": "done", "pid": None, "ports": {}},
        "audit": {**row, "ports": {"grpc": audit_server.port, "metrics": endpoint.port}},
    }
    (tmp_path / "mesh.json").write_text(json.dumps({"launcher": 1, "state": "ready", "processes": processes}))
    with status.held(tmp_path):
        yield tmp_path / "mesh.json"


async def test_all_is_up(cli: Cli, mesh: Path, audit_server: MeshServer) -> None:
    await audit_server.set_health("", serving=True)
    result = await cli("status")
    assert result.exit_code == 0, result.stderr
    for words in ("kafka", "audit", "SERVING", "4711"):
        assert words in result.output


async def test_what_is_missing_is_said_and_is_no_failure(cli: Cli, mesh: Path, audit_server: MeshServer, told: dict[str, Any]) -> None:
    await audit_server.set_health("", serving=True)
    told["missing"] = {"kafka": "down"}
    result = await cli("status")
    assert result.exit_code == 0
    assert "kafka: down" in " ".join(result.output.split())


async def test_not_serving(cli: Cli, mesh: Path, audit_server: MeshServer) -> None:
    await audit_server.set_health("", serving=False)
    result = await cli("status")
    assert result.exit_code == 3
    assert "not up: audit" in result.stderr


async def test_a_process_that_gave_up(cli: Cli, mesh: Path, audit_server: MeshServer) -> None:
    await audit_server.set_health("", serving=True)
    content = json.loads(mesh.read_text())
    content["processes"]["kafka"] |= {"state": "failed", "reason": "exit status 1"}
    mesh.write_text(json.dumps(content))
    result = await cli("status")
    assert result.exit_code == 3
    assert "not up: kafka" in result.stderr
    assert "exit status 1" in " ".join(result.output.split())


async def test_no_mesh(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINMESH_VAR", str(tmp_path / "nothing"))
    result = await cli("status")
    assert result.exit_code == 3
    assert "no mesh runs" in result.stderr


async def test_a_launcher_that_died_left_its_file(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINMESH_VAR", str(tmp_path))
    (tmp_path / "mesh.json").write_text(json.dumps({"launcher": 1, "state": "ready", "processes": {}}))
    (tmp_path / "mesh.lock").write_text("1")
    assert (await cli("status")).exit_code == 3


def test_every_service_of_ours_is_asked_whatever_doors_it_has_and_no_server_of_others() -> None:
    rows = [row.name for row in table(Places.default(), Ports.free())]
    assert set(ours(rows)) == {process.name for process in services.load().processes} < set(rows)


def test_a_copy_is_ours_too() -> None:
    assert ours(["gateway-2", "triton-decode-2", "redis"]) == ["gateway-2"]
