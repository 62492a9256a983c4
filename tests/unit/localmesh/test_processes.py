import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from localmesh import encoder
from localmesh.external import External
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table, without_language_models
from localmesh.rows import Row, ordered
from provisioning import services


@pytest.fixture(params=["var", "我的 文件", "a,b#1 %41 'q' $HOME;&"])
def places(tmp_path: Path, request: pytest.FixtureRequest) -> Places:
    return replace(Places.default(), var=tmp_path / request.param, specialists=None)


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_the_table_has_an_order_and_no_port_twice(places: Places) -> None:
    rows = table(places, Ports.free())
    assert {row.name for row in ordered(rows)} == {
        "kafka", "redis", "triton", "zipkin", "provision", "audit", "risk-stream", "risk-rpc", "gateway",
        "router", "inference-prefill", "inference-decode", "triton-prefill", "triton-decode", "rag-rpc", "rag-ingest", "triton-encoder",
        "milvus",
    }  # fmt: skip
    ports = [port for row in rows for port in row.ports.values()]
    assert len(ports) == len(set(ports)) == 37


def test_topics_exist_before_any_service_starts(places: Places) -> None:
    rows = by_name(table(places, Ports()))
    services = [row for row in rows.values() if "FINMESH_LISTEN" in row.env]
    assert len(services) == 9
    assert all("provision" in row.needs for row in services)
    assert rows["provision"].one_shot


def test_every_process_can_be_probed_or_ends(places: Places) -> None:
    assert all(row.one_shot or row.health is not None for row in table(places, Ports()))


@pytest.mark.parametrize(
    "setting, gone",
    [
        ("kafka", "kafka"),
        ("redis", "redis"),
        ("triton", "triton"),
        ("otlp", "zipkin"),
        ("triton_prefill", "triton-prefill"),
        ("triton_decode", "triton-decode"),
        ("triton_encoder", "triton-encoder"),
        ("milvus", "milvus"),
    ],
)
def test_an_external_server_takes_the_place_of_a_row(places: Places, setting: str, gone: str) -> None:
    rows = by_name(table(places, Ports(), External(**{setting: "http://elsewhere:1"})))
    assert gone not in rows
    assert len(rows) == 17
    assert all(gone not in row.needs for row in rows.values())
    assert any("http://elsewhere:1" in value for row in rows.values() for value in row.env.values())


def test_external_servers_are_read_from_the_environment() -> None:
    external = External.from_environment({"FINMESH_EXTERNAL_KAFKA": "a:1,b:1", "FINMESH_EXTERNAL_REDIS": ""})
    assert external == External(kafka="a:1,b:1")


def test_servers_listen_on_loopback_alone_and_triton_is_closed(places: Places) -> None:
    rows = by_name(table(places, Ports()))
    triton = " ".join(rows["triton"].command)
    assert triton.count("-address=127.0.0.1") == 3
    assert "--model-control-mode=none" in triton
    assert "--grpc-restricted-protocol=model-repository,shared-memory" in triton
    redis = rows["redis"].command
    assert redis[redis.index("--bind") + 1] == "127.0.0.1"
    assert redis[redis.index("--maxmemory-policy") + 1] == "noeviction"


def test_kafka_is_given_its_storage_once_and_its_ports_each_time(places: Places) -> None:
    first = by_name(table(places, Ports()))["kafka"]
    assert first.prepare is not None
    first.prepare()
    marker = places.var / "kafka" / "log" / "kept"
    marker.touch()
    second = by_name(table(places, replace(Ports(), kafka=1234)))["kafka"]
    assert second.prepare is not None
    second.prepare()
    assert marker.exists()
    assert (places.var / "kafka" / "log" / "meta.properties").exists()
    assert second.cwd == places.var / "kafka"
    properties = (second.cwd / "server.properties").read_bytes().decode("ascii")
    assert "log.dirs=log\n" in properties
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:1234\n" in properties
    assert "auto.create.topics.enable=false\n" in properties


def test_kafka_is_formatted_again_when_that_was_broken_off(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(source: Path, target: Path, **_: object) -> None:
        (target / "half").touch()
        raise OSError("no space left")

    row = by_name(table(places, Ports()))["kafka"]
    assert row.prepare is not None
    with monkeypatch.context() as patched, pytest.raises(OSError, match="no space"):
        patched.setattr("shutil.copytree", broken)
        row.prepare()
    row.prepare()
    assert (places.var / "kafka" / "log" / "meta.properties").exists()


def test_no_shell_sees_where_triton_lies(places: Places) -> None:
    row = by_name(table(places, Ports()))["triton"]
    assert row.prepare is not None
    for _ in range(2):  # it is laid out before each start
        row.prepare()
    assert row.cwd == places.var / "triton"
    named = dict(word.removeprefix("--").split("=", 1) for word in row.command[1:] if "=" in word)
    stub = Path(named["backend-directory"], "python", "triton_python_backend_stub")
    for path in (stub, Path(named["model-repository"], "fraud", "config.pbtxt"), Path("lib")):
        assert not path.is_absolute()
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", str(path))
        assert (row.cwd / path).exists()
    assert os.access(row.cwd / stub, os.X_OK)
    first = Path(row.env["PATH"].split(":")[0])
    assert (row.cwd / first.relative_to("/proc/self/cwd")).samefile(places.triton_python / "bin")


def test_each_service_has_the_certificate_of_its_identity(places: Places) -> None:
    rows = by_name(table(places, Ports()))
    identities = {name: Path(row.env["FINMESH_TLS__CERTIFICATE"]).stem for name, row in rows.items() if "FINMESH_LISTEN" in row.env}
    assert identities == {
        "audit": "audit", "risk-stream": "risk-scoring", "risk-rpc": "risk-scoring", "gateway": "gateway", "router": "router",
        "inference-prefill": "inference-prefill", "inference-decode": "inference-decode", "rag-rpc": "rag", "rag-ingest": "rag",
    }  # fmt: skip


def test_instances_of_a_process_differ_in_name_and_ports_alone(places: Places) -> None:
    rows = by_name(table(places, Ports(), copies={"gateway": 2, "risk-rpc": 3}))
    assert {name for name in rows if name.startswith(("gateway", "risk-rpc"))} == {
        "gateway", "gateway-2", "risk-rpc", "risk-rpc-2", "risk-rpc-3",
    }  # fmt: skip
    first, second = rows["gateway"], rows["gateway-2"]
    listens = {"FINMESH_LISTEN", "FINMESH_HTTP_LISTEN", "FINMESH_METRICS_LISTEN"}
    assert {name for name in first.env if first.env[name] != second.env[name]} == listens
    assert not set(first.ports.values()) & set(second.ports.values())
    assert (first.command, first.needs, first.reads) == (second.command, second.needs, second.reads)


def test_a_caller_is_told_of_every_instance(places: Places) -> None:
    rows = by_name(table(places, Ports(), copies={"risk-rpc": 2}))
    addresses = [f"127.0.0.1:{rows[name].ports['grpc']}" for name in ("risk-rpc", "risk-rpc-2")]
    assert rows["gateway"].env["FINMESH_UPSTREAM__RISK_SCORING"] == f"ipv4:{addresses[0]},{addresses[1]}"
    assert rows["gateway"].env["FINMESH_UPSTREAM__AUDIT"] == f"127.0.0.1:{rows['audit'].ports['grpc']}"


def test_each_instance_fronts_an_engine_of_its_own(places: Places) -> None:
    rows = by_name(table(places, Ports(), copies={"inference-decode": 2, "triton-decode": 2, "inference-prefill": 1}))
    for process, engine in (("inference-decode", "triton-decode"), ("inference-decode-2", "triton-decode-2")):
        (told,) = json.loads(rows[process].env["FINMESH_ENGINES"])
        assert told == {
            "url": f"127.0.0.1:{rows[engine].ports['grpc']}",
            "pid_file": str(places.var / "engines" / engine / "triton.pid"),
        }
        assert engine in rows[process].needs
    assert rows["router"].env["FINMESH_UPSTREAM__INFERENCE_DECODE"].startswith("ipv4:")
    assert "triton-prefill-2" not in rows


def test_a_decode_engine_expects_a_prefill_engine_where_it_pulls(places: Places, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "manifest.json").write_text("{}")
    expected = {}
    for name, row in by_name(table(replace(places, llm_model=model), Ports())).items():
        if name in {engine.name for engine in services.load().engines}:
            assert row.prepare is not None
            row.prepare()
            told = json.loads(next((places.var / "engines" / name).rglob("engine.json")).read_bytes())
            expected[name] = told["kv"]["server_name"], told["kv"]["peers"]
    assert expected == {"triton-prefill": ("", ["inference-decode"]), "triton-decode": ("inference-prefill", [])}


@pytest.mark.parametrize(
    "copies, external, words",
    [
        ({"triton-decode": 2}, External(), "as many of both"),
        ({"inference-decode": 2, "triton-decode": 1}, External(), "as many of both"),
        ({"inference-decode": 2}, External(triton_decode="127.0.0.1:1"), "runs already"),
    ],
)
def test_an_engine_without_a_process_of_its_own_is_refused(places: Places, copies: dict[str, int], external: External, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        table(places, Ports(), external, copies=copies)


def test_what_decides_transactions_runs_without_language_models(places: Places) -> None:
    rows = without_language_models(table(places, Ports(), copies={"gateway": 2, "router": 2, "inference-decode": 2}))
    assert {row.name for row in rows} == {
        "kafka", "redis", "triton", "zipkin", "provision", "audit", "risk-stream", "risk-rpc", "gateway", "gateway-2",
    }  # fmt: skip
    assert [row.name for row in ordered(rows)]


def test_an_engine_that_runs_already_is_not_ours_to_end(places: Places) -> None:
    rows = by_name(table(places, Ports(), External(triton_decode="127.0.0.1:1")))
    assert json.loads(rows["inference-decode"].env["FINMESH_ENGINES"]) == [{"url": "127.0.0.1:1"}]


def test_who_is_ready_when_it_has_heard_of_engines_waits_for_those_who_front_them(places: Places) -> None:
    """Its own time to become ready does not begin before: engines need minutes on a crowded machine."""
    rows = by_name(table(places, Ports(), copies={"inference-prefill": 2}))
    assert {"inference-prefill", "inference-prefill-2", "inference-decode"} <= set(rows["router"].needs)
    assert not {"router", "inference-decode"} & set(rows["gateway"].needs), "what decides transactions waits for no language model"


@pytest.mark.parametrize("copies", [{"gatewy": 2}, {"gateway": 0}, {"kafka": 2}])
def test_copies_of_what_is_not_there_are_refused(places: Places, copies: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no such process"):
        table(places, Ports(), copies=copies)


def test_another_language_model_is_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINMESH_LLM_MODEL", raising=False)
    assert Places.default().llm_model == Places.default().root / "var" / "models" / "default"
    monkeypatch.setenv("FINMESH_LLM_MODEL", str(tmp_path / "模型"))
    assert Places.default().llm_model == tmp_path / "模型"


def test_the_encoder_is_started_where_a_process_uses_it(places: Places) -> None:
    rows = by_name(table(places, Ports()))
    using = {name for name, row in rows.items() if encoder.NAME in row.needs}
    assert using == {process.name for process in services.load().processes if "encoder" in process.uses} == {"rag-rpc", "rag-ingest"}
    for name in using:
        assert rows[name].env["FINMESH_ENCODER__URL"] == f"127.0.0.1:{rows[encoder.NAME].ports['grpc']}"
        assert rows[name].env["FINMESH_ENCODER__MODEL"] == str(places.encoder_model)
    assert encoder.NAME not in by_name(without_language_models(list(rows.values())))


def test_the_encoder_s_repository_is_the_shim_and_the_folder_served(places: Places, tmp_path: Path) -> None:
    model, repository = tmp_path / "模型", places.var / "encoder" / "repository"
    row = by_name(table(replace(places, encoder_model=model), Ports()))[encoder.NAME]
    assert row.prepare is not None
    with pytest.raises(encoder.NoEncoderError, match="make setup"):
        row.prepare()
    model.mkdir()
    (model / "manifest.json").write_text("{}")
    for _ in range(2):  # before each start
        row.prepare()
        (repository / "left-over").touch()
    row.prepare()
    assert [path.name for path in repository.iterdir()] == ["encoder"]
    assert (repository / "encoder" / "model").resolve() == model
    assert (repository / "encoder" / "config.pbtxt").is_file()
