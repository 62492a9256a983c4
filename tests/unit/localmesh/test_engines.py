"""Rows of engines: a Triton of its own for each instance, with a repository of its own."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from localmesh.engines import PID_FILE, engine_row, folder_of
from localmesh.places import Places
from localmesh.ports import Ports, free_ports
from provisioning.engines import NoModelError
from provisioning.services import Engine, EnginePorts, Process, ProcessPorts, Service

ENGINE = Engine(
    name="triton-prefill", role="prefill", ports=EnginePorts(http=1, grpc=2, metrics=3, kv=4), keys=("tickets",), pulled_by=("decoders",)
)
PROCESS = Process(name="p", workload="p", module="p", ports=ProcessPorts(grpc=5, metrics=6), uses=(), engine=ENGINE)
SERVICE = Service(name="inference-prefill", package="p", description="", callers=("router",), processes=(PROCESS,))


@pytest.fixture(params=["var", "我的 文件", "v" * 100])
def places(tmp_path: Path, request: pytest.FixtureRequest) -> Places:
    shim, model = tmp_path / "shims" / "llm_prefill", tmp_path / "模型"
    for folder in (shim / "1", model):
        folder.mkdir(parents=True)
    (shim / "config.pbtxt").write_text("")
    (shim / "1" / "model.py").write_text("")
    (model / "manifest.json").write_text("{}")
    return replace(Places.default(), var=tmp_path / request.param, shims=shim.parent, llm_model=model)


@pytest.fixture
def ports() -> Ports:
    names = [f"triton_prefill{number}_{use}" for number in ("", "_2") for use in ("http", "grpc", "metrics", "kv")]
    usual = Ports().by_name()
    free = [port for port in free_ports(len(names) + len(usual)) if port not in usual.values()]
    return Ports.of(usual | dict(zip(names, free[: len(names)], strict=True)))


def said(places: Places, name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder_of(places, name) / "repository" / "llm_prefill" / "engine.json").read_bytes())
    return content


def test_instances_have_nothing_of_one_another(places: Places, ports: Ports) -> None:
    rows = [engine_row(places, ports, SERVICE, ENGINE, number=number) for number in (1, 2)]
    for row in rows:
        assert row.prepare is not None
        row.prepare()
    assert [row.name for row in rows] == ["triton-prefill", "triton-prefill-2"]
    first, second = (said(places, row.name) for row in rows)
    assert {name for name in first if first[name] != second[name]} == {"worker_id", "kv"}
    kv_first, kv_second = first["kv"], second["kv"]
    assert isinstance(kv_first, dict) and isinstance(kv_second, dict)
    assert {name for name in kv_first if kv_first[name] != kv_second[name]} == {"socket", "listen", "address"}
    assert kv_first["peers"] == ["decoders"]
    assert (places.var / "triton-prefill" / str(kv_first["certificate"])).readlink() == places.certs / "inference-prefill.pem"
    runs = [places.var / row.name / str(said(places, row.name)["pid_file"]) for row in rows]
    assert [run.resolve() for run in runs] == [(folder_of(places, row.name) / PID_FILE).resolve() for row in rows]
    assert not set(rows[0].ports.values()) & set(rows[1].ports.values())
    memory = [word for row in rows for word in row.command if "shm-region-prefix-name" in word]
    assert len(set(memory)) == 2


def test_what_the_stub_is_told_is_ascii_wherever_the_mesh_lies(places: Places, ports: Ports) -> None:
    """Its Python can open nothing else."""
    row = engine_row(places, ports, SERVICE, ENGINE)
    assert row.prepare is not None
    row.prepare()
    text = (folder_of(places, row.name) / "repository" / "llm_prefill" / "engine.json").read_text()
    assert text.isascii()
    assert row.cwd is not None
    assert (row.cwd / str(said(places, row.name)["model"]) / "manifest.json").is_file()


def test_a_socket_s_path_is_short_and_its_folder_private(places: Places, ports: Ports) -> None:
    row = engine_row(places, ports, SERVICE, ENGINE)
    assert row.prepare is not None
    for _ in range(2):
        row.prepare()
        kv = said(places, row.name)["kv"]
        assert isinstance(kv, dict)
        socket = Path(kv["socket"])
        assert len(str(socket).encode()) < 108, "the kernel's bound"
        assert socket.parent.is_dir()
        if not socket.is_relative_to(places.var):
            assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        socket.touch()  # left by one that was killed
    row.prepare()
    assert not socket.exists()
    socket.parent.rmdir() if not socket.is_relative_to(places.var) else None


def test_the_pid_of_a_dead_server_is_nobody_s(places: Places, ports: Ports) -> None:
    """Whoever ends a hung engine must not end what has its old pid now."""
    row = engine_row(places, ports, SERVICE, ENGINE)
    assert row.prepare is not None
    row.prepare()
    (folder_of(places, row.name) / PID_FILE).write_text("1\n")
    row.prepare()
    assert not (folder_of(places, row.name) / PID_FILE).exists()


def test_a_mesh_without_a_model_says_so(places: Places, ports: Ports) -> None:
    row = engine_row(replace(places, llm_model=places.var / "none"), ports, SERVICE, ENGINE)
    assert row.prepare is not None
    with pytest.raises(NoModelError, match="make setup"):
        row.prepare()


def test_an_engine_that_was_ended_often_is_still_started_again_soon(places: Places, ports: Ports) -> None:
    """The service that fronts it ends it when it hangs, and a generation waits ten seconds at most."""
    row = engine_row(places, ports, SERVICE, ENGINE)
    assert max(row.restart.delay_s(deaths) for deaths in range(1, 50)) <= 2.0
