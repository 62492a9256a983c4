"""The 30-second rule: what the contracts name is found where its name says."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest
import yaml
from generate.settings import configs, settings
from google.protobuf.descriptor import ServiceDescriptor
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from meshkit.telemetry import names
from provisioning import services

from .repository import ROOT, tracked_files
from .settings import unknown


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def modules(service: services.Service) -> list[str]:
    """Modules of the gRPC services that a service answers: those that its row names, else the one of its own name."""
    named = [answered.rpartition(".") for answered in service.answers]
    own = f"finmesh.{service.name.partition('-')[0]}.v1.{service.package}_service_pb2"
    return [f"{package}.{snake(name)}_pb2" for package, _, name in named] or [own]


# Module of each gRPC service and the packages that answer it; the gateway forwards and owns nothing.
ANSWERED = [
    (module, ROOT / "services" / service.name / service.package)
    for service in services.load().services
    if service.name != "gateway"
    for module in modules(service)
]
OWNERS = sorted({module for module, _ in ANSWERED})
KIT = {("libs", "meshkit"), ("cli", "finmesh_cli"), *(("services", each.name) for each in services.load().services)}
GATEWAY = "finmesh.gateway.v1.gateway_service_pb2"


def service(module: str) -> ServiceDescriptor:
    (only,) = importlib.import_module(module).DESCRIPTOR.services_by_name.values()
    return only


@pytest.mark.parametrize(("module", "package"), ANSWERED)
def test_an_rpc_is_a_use_case_of_its_name(module: str, package: Path) -> None:
    folder = package / "usecases"
    missing = [method.name for method in service(module).methods if not (folder / f"{snake(method.name)}.py").exists()]
    assert not missing


DECISIONS = "finmesh.risk.v1.TransactionDecided"
"""risk-scoring's own log, read to restore and to look things up: no news to it."""
READ = [
    (service.package, topic["name"])
    for topic in yaml.safe_load((ROOT / "deploy/topics.yaml").read_text())["topics"]
    for service in services.load().services
    if service.name in topic["readers"] and topic["name"] != DECISIONS
]


@pytest.mark.parametrize(("package", "topic"), READ)
def test_an_event_is_a_use_case_of_its_name(package: str, topic: str) -> None:
    """Ours by the message, of others by the whole name of the topic."""
    name = snake(re.sub(r"^finmesh\.\w+\.v\d+\.", "", topic).replace(".", "_"))
    module = importlib.import_module(f"{package}.usecases.on_{name}")
    assert callable(getattr(module, "".join(part.title() for part in f"on_{name}".split("_"))))


def test_every_service_that_reads_has_an_event() -> None:
    assert {package for package, _ in READ} == {"risk_scoring", "audit", "gateway", "router", "rag"}


def test_clients_of_kafka_are_made_in_one_place() -> None:
    """Else settings that belong together (idempotence, acknowledgements, isolation) drift apart."""
    sources = [path for path in tracked_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[:2] in KIT]
    making = {path.name for path in sources if re.search(r"AIOKafka(?:Producer|Consumer)\(", path.read_text())}
    assert making == {"clients.py"}


@pytest.mark.parametrize("process", services.load().processes, ids=lambda process: process.name)
def test_a_process_is_composed_by_serve(process: services.Process) -> None:
    """``main`` reads settings and enters the service; who has both, a test for instance, calls ``serve``."""
    (service,) = (each for each in services.load().services if process in each.processes)
    module = importlib.import_module(f"{service.package}.main" if process.module == service.package else process.module)
    assert inspect.iscoroutinefunction(module.serve)
    first, second, *rest = inspect.signature(module.serve).parameters.values()
    assert (first.name, second.name) == ("config", "service")
    assert all(each.default is not each.empty for each in rest)
    assert "await serve(config, service)" in inspect.getsource(module.main)


def test_the_gateway_forwards_only_what_somebody_owns() -> None:
    owned = {method.name for module in OWNERS for method in service(module).methods}
    forwarded = {method.name for method in service(GATEWAY).methods}
    assert forwarded <= owned


def test_the_gateway_wraps_the_owner_s_messages() -> None:
    owned = {method.name: method for module in OWNERS for method in service(module).methods}
    for method in service(GATEWAY).methods:
        assert method.input_type.fields_by_name["request"].message_type is owned[method.name].input_type, method.name
        assert method.output_type.fields_by_name["response"].message_type is owned[method.name].output_type, method.name


def test_processes_are_told_what_they_read(tmp_path: Path) -> None:
    """A name that no settings class knows would be ignored in silence."""
    own = [row for row in table(Places(tmp_path), Ports()) if row.command[1] == "-m" and row.command[2] != "provisioning"]
    assert [row.name for row in own] == [process.name for process in services.load().processes]
    for row in own:
        wrong = unknown(row.command[2], (key for key in row.env if key.startswith("FINMESH_")))
        assert not wrong, f"{row.name}: {sorted(wrong)}"


@pytest.mark.parametrize("package", [service.package for service in services.load().services])
def test_settings_say_what_they_mean(package: str) -> None:
    for setting in (setting for config in configs(package) for setting in settings(config)):
        assert setting.description, f"{setting.variable} has no description"


def test_metrics_are_documented() -> None:
    made = re.compile(
        r"(?:create_(?:observable_)?(?:counter|gauge|histogram|up_down_counter)|histogram)\(\s*(?:\"([a-z._]+)\"|names\.([A-Z_]+))"
    )
    sources = [path for path in tracked_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in {"libs", "services"}]
    found = {name or getattr(names, constant) for path in sources for name, constant in made.findall(path.read_text())}
    page = (ROOT / "docs/telemetry.md").read_text()
    assert len(found) >= 8
    assert not {name for name in found if f"`{name}`" not in page}


def test_decisions_are_listed() -> None:
    files = {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}
    listed = set(re.findall(r"\]\(([0-9][^)]+\.md)\)", (ROOT / "docs/adr/README.md").read_text()))
    assert files == listed
    assert sorted(int(name[:4]) for name in files) == list(range(1, len(files) + 1))


def test_links_in_pages_lead_somewhere() -> None:
    links = [
        (page, target)
        for page in tracked_files()
        if page.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not target.startswith("mailto:")
    ]
    assert links
    assert not [f"{page.relative_to(ROOT)}: {target}" for page, target in links if not (page.parent / target).exists()]
