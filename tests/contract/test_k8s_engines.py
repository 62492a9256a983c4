"""Pods with an engine of language models: told apart by what the table says, closed, and given the time that the longest stream takes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gateway.routes import ROUTES
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from meshkit.crypto.derive import TICKETS
from meshkit.crypto.ring import RingKeys
from provisioning import services
from provisioning.__main__ import app
from provisioning.certificates import write_private
from provisioning.engines import SHIMS
from provisioning.services import Engine, Process, Specialist, model_of
from typer.testing import CliRunner

from .manifests import OVERLAYS, Resource, container, name, of_kind, pod, selects, workload
from .repository import ROOT

FRONTED = [(process, engine) for process in services.load().processes for engine in process.fronted]
STREAMED = ("gateway", "router", *dict.fromkeys(process.workload for process, _ in FRONTED))
SPECIALISTS = "/opt/finmesh/models/specialists"
MARGIN_S = 10

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)
each_engine = pytest.mark.parametrize(("process", "engine"), FRONTED, ids=[engine.name for _, engine in FRONTED])


def init(resource: Resource, wanted: str) -> Resource:
    """A container that starts before the first one."""
    return next(box for box in pod(resource)["spec"]["initContainers"] if box["name"] == wanted)


def telling(resource: Resource, engine: Engine) -> Resource:
    """The container before an engine's: it writes what the engine is told."""
    boxes = pod(resource)["spec"]["initContainers"]
    box: Resource = boxes[boxes.index(init(resource, engine.name)) - 1]
    return box


def environment(box: Resource) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in box.get("env", [])}


@each_engine
def test_an_engine_is_a_sidecar_of_the_process_that_fronts_it(overlay: str, process: Process, engine: Engine) -> None:
    resource = workload(overlay, process.workload)
    triton = init(resource, engine.name)
    assert triton["restartPolicy"] == "Always", "a sidecar: up before the service, down after it"
    assert triton["startupProbe"]["httpGet"]["path"] == "/v2/health/ready", "the service starts when the engine is warm"
    assert triton["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
    assert pod(resource)["spec"]["shareProcessNamespace"] is True, "the service ends a Triton whose engine hangs"
    repositories = [
        {mount["name"] for mount in box["volumeMounts"] if mount["mountPath"] == "/models"} for box in (telling(resource, engine), triton)
    ]
    assert repositories[0] == repositories[1] != set(), "what the engine is told is written before it starts"
    told = json.loads(environment(container(resource))["FINMESH_ENGINES"])[process.fronted.index(engine)]
    assert told["url"] == f"127.0.0.1:{engine.ports.grpc}"
    assert f"--pid-file={told['pid_file']}" in telling(resource, engine)["args"], "whoever hangs is ended, not its neighbour"
    (run,) = [mount["name"] for mount in container(resource)["volumeMounts"] if told["pid_file"].startswith(mount["mountPath"])]
    assert run in {mount["name"] for mount in triton["volumeMounts"]}


@each_engine
def test_its_ports_are_those_of_the_table_and_only_health_is_for_the_network(overlay: str, process: Process, engine: Engine) -> None:
    triton = init(workload(overlay, process.workload), engine.name)
    arguments = dict(argument.removeprefix("--").split("=", 1) for argument in triton["args"] if "=" in argument)
    assert {use: int(arguments[f"{use}-port"]) for use in ("http", "grpc", "metrics")} == {
        use: port for use, port in engine.ports.by_use().items() if use != "kv"
    }
    assert arguments["grpc-address"] == "127.0.0.1"
    closed = set(arguments["http-restricted-api"].partition(":")[0].split(","))
    assert closed == {
        "metadata", "inference", "model-config", "model-repository", "statistics", "shared-memory", "trace", "logging",
    }, "whoever reaches the port of the probes can ask for health alone"  # fmt: skip
    assert "--model-control-mode=none" in triton["args"]
    opened = {port["containerPort"] for port in triton["ports"]}
    assert opened == set(engine.ports.by_use().values()) - {engine.ports.grpc}
    policies = [resource["spec"] for resource in of_kind(overlay, "NetworkPolicy")]
    labels = pod(workload(overlay, process.workload))["metadata"]["labels"]
    reached = {
        port["port"]
        for spec in policies
        if spec["podSelector"] and selects(spec["podSelector"], labels)
        for rule in spec.get("ingress", [])
        for port in rule["ports"]
    }
    of_engines = {port for each in process.fronted for port in (each.ports.metrics, each.ports.kv)}
    assert reached == {process.ports.grpc, process.ports.metrics} | of_engines - {None}


@each_engine
def test_what_a_pod_s_engine_is_told_is_what_the_launcher_tells(overlay: str, process: Process, engine: Engine, tmp_path: Path) -> None:
    """The command of the manifest, run here: the same fields as on one machine, its own identity, peers and ports."""
    box = telling(workload(overlay, process.workload), engine)
    module, command, *rest = box["args"]
    assert (module, command) == ("provisioning", "engine")
    pod_values = {"POD_NAME": f"{process.workload}-7d9f", "POD_IP": "10.0.0.7"}
    assert {each for each in environment(box) if each != "FINMESH_ALLOW_DEVELOPMENT_KEYS"} == {
        found for argument in rest for found in re.findall(r"\$\((\w+)\)", argument)
    }
    given = [re.sub(r"\$\((\w+)\)", lambda found: pod_values[found[1]], argument) for argument in rest]
    is_specialist = isinstance(engine, Specialist)
    model, shims = tmp_path / "llms" / (engine.serves if isinstance(engine, Specialist) else "general"), tmp_path / "shims"
    for folder in (model, shims / engine.model):
        folder.mkdir(parents=True)
    (model / "manifest.json").write_text("{}")
    repository, keys = tmp_path / "models", tmp_path / "tickets.json"
    write_private(keys, RingKeys(TICKETS, "2026-12", {"2026-12": b"k" * 32}).content())
    done = CliRunner().invoke(
        app,
        [command, *given, f"--model={model}", f"--shims={shims}", f"--repository={repository}", f"--ticket-keys={keys}"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    said = json.loads((repository / engine.model / "engine.json").read_bytes())
    places = Places(tmp_path / "var", shims=shims, specialists=model.parent)
    local = {row.name: row for row in table(places if is_specialist else replace(places, llm_model=model), Ports())}[engine.name]
    assert local.prepare is not None
    local.prepare()
    here = json.loads((tmp_path / "var" / "engines" / engine.name / "repository" / engine.model / "engine.json").read_bytes())
    assert said.keys() == here.keys()
    assert said["kv"].keys() == here["kv"].keys()
    sizes = ("rows", "max_len_tokens", "chunk_tokens", "threads", "arena_bytes", "prefix_store_bytes")
    assert [said[size] for size in sizes] == [here[size] for size in sizes]
    suffix = engine.name.removeprefix(process.fronted[0].name)
    assert (said["role"], said["worker_id"]) == (engine.role, pod_values["POD_NAME"] + suffix), "no two workers of a name"
    assert tuple(said["kv"]["peers"]) == engine.pulled_by == tuple(here["kv"]["peers"])
    assert said["kv"]["server_name"] == here["kv"]["server_name"]
    if engine.role == "decode":
        (pulled,) = {each.workload for each, other in FRONTED if other.pulled_by}
        labels = pod(workload(overlay, pulled))["metadata"]["labels"]
        assert said["kv"]["server_name"] == labels["finmesh.io/identity"], "whom it pulls from, not itself"
    if engine.ports.kv:
        assert said["kv"]["listen"] == f"0.0.0.0:{engine.ports.kv}"
        assert said["kv"]["address"] == f"10.0.0.7:{engine.ports.kv}"
    else:
        assert (said["kv"]["listen"], said["kv"]["address"]) == ("", "")
    assert said["kv"]["socket"] == "", "the engines that pull are in other pods"


@each_engine
def test_what_the_engine_reads_is_mounted_where_it_is_told(overlay: str, process: Process, engine: Engine) -> None:
    resource = workload(overlay, process.workload)
    triton = init(resource, engine.name)
    options = dict(argument.removeprefix("--").split("=", 1) for argument in telling(resource, engine)["args"] if "=" in argument)
    mounts = {mount["mountPath"]: mount for mount in triton["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod(resource)["spec"]["volumes"]}
    assert volumes[mounts[options["tls"]]["name"]]["secret"]["secretName"] == "-".join(
        (pod(resource)["metadata"]["labels"]["finmesh.io/identity"], "tls")
    )
    keys = mounts[str(Path(options["ticket-keys"]).parent)]
    assert volumes[keys["name"]]["projected"]["sources"] == [{"secret": {"name": "keys-tickets"}}]
    if isinstance(engine, Specialist):
        assert options["model"] == f"{SPECIALISTS}/{engine.serves}", "the images hold it"
    else:
        assert "persistentVolumeClaim" in volumes[mounts[options["model"]]["name"]]
    assert not mounts[str(Path(options["pid-file"]).parent)].get("readOnly"), "the engine writes its Triton's pid"
    assert volumes[mounts["/dev/shm"]["name"]]["emptyDir"]["medium"] == "Memory"
    assert keys["name"] not in {mount["name"] for mount in container(resource)["volumeMounts"]}, "the service has no use for ticket keys"
    written = {"/models", "/dev/shm", "/tmp"}
    for other in process.fronted:
        beside = {mount["name"] for mount in init(resource, other.name)["volumeMounts"] if mount["mountPath"] in written}
        assert other is engine or not beside & {mounts[path]["name"] for path in written}, "two Tritons in one folder"


def test_whoever_reads_models_is_told_of_all_that_engines_serve(overlay: str) -> None:
    for process in services.load().processes:
        if "models" not in process.uses:
            continue
        resource = workload(overlay, process.workload)
        general, *shipped = json.loads(environment(container(resource))["FINMESH_MODELS"])
        assert shipped == [f"{SPECIALISTS}/{name}" for name in dict.fromkeys(each.serves for each in services.load().specialists)]
        assert general in {mount["mountPath"] for mount in container(resource)["volumeMounts"]}


def test_production_accepts_no_ticket_key_that_everybody_knows(overlay: str) -> None:
    for process, engine in FRONTED:
        allowed = environment(telling(workload(overlay, process.workload), engine)).get("FINMESH_ALLOW_DEVELOPMENT_KEYS")
        assert allowed == (None if overlay == "prod" else "true")


def test_whoever_streams_may_end_the_longest_stream(overlay: str) -> None:
    longest = max(route.maximum_s for route in ROUTES)
    for wanted in STREAMED:
        resource = workload(overlay, wanted)
        grace_s = float(environment(container(resource))["FINMESH_SHUTDOWN_GRACE_S"])
        assert grace_s >= longest, wanted
        assert pod(resource)["spec"]["terminationGracePeriodSeconds"] >= grace_s + MARGIN_S, wanted


@each_engine
def test_a_pod_that_drains_stays_in_the_name_until_it_is_gone(overlay: str, process: Process, engine: Engine) -> None:
    """The router finds pods by DNS and lets go of what is no longer there; whether a worker takes anything new, the worker says."""
    (service,) = [resource["spec"] for resource in of_kind(overlay, "Service") if name(resource) == process.workload]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)


def test_engines_scale_on_what_waits(overlay: str) -> None:
    page = (ROOT / "docs/telemetry.md").read_text()
    made = {name_.replace(".", "_") for name_ in re.findall(r"`(finmesh\.[a-z_.]+)`", page)}
    scalers = {name(resource): resource["spec"] for resource in of_kind(overlay, "ScaledObject")}
    for process, _ in FRONTED:
        spec = scalers[process.workload]
        assert spec["scaleTargetRef"]["name"] == process.workload
        (trigger,) = spec["triggers"]
        (metric, job) = re.fullmatch(r'sum\((\w+)\{job="([a-z-]+)"\}\)', trigger["metadata"]["query"]).groups()  # type: ignore[union-attr]
        assert job == process.workload
        assert metric in made, "a metric that nobody makes would never scale anything"


def test_shims_and_specialists_are_in_the_images(overlay: str) -> None:
    recipe = (ROOT / "deploy/docker/Dockerfile").read_text()
    for _, engine in FRONTED:
        assert (SHIMS / model_of(engine.role) / "config.pbtxt").is_file()
    assert "COPY models/llm /opt/finmesh/models/llm" in recipe
    let = (ROOT / "deploy/docker/Dockerfile.dockerignore").read_text().split()
    assert {"!models/llm", "!models/specialists"} <= set(let)
    stages = {stage.split("\n", 1)[0].rpartition(" AS ")[2]: stage for stage in recipe.split("\nFROM ")[1:]}
    for stage in ("triton", "service"):
        assert f"COPY models/specialists {SPECIALISTS}\n" in stages[stage]
    for each in services.load().specialists:
        assert (ROOT / "models" / "specialists" / each.serves / "manifest.json").is_file()
