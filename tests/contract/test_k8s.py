"""What Kubernetes would be told: valid, hardened, closed but for the arrows, with the settings and ports that the code has."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from provisioning import services
from risk_scoring.main.parts import STREAM_GROUP

from .manifests import OVERLAYS, WORKLOADS, Resource, built, container, name, of_kind, pod, selects, workload
from .repository import ROOT
from .settings import unknown

# Kinds that a custom resource definition brings; their schemas are not part of Kubernetes.
CUSTOM = (
    {("Certificate", "cert-manager.io/v1"), ("Issuer", "cert-manager.io/v1")}
    | {(kind, "keda.sh/v1alpha1") for kind in ("ScaledObject", "TriggerAuthentication")}
    | {(kind, "monitoring.coreos.com/v1") for kind in ("PrometheusRule", "ServiceMonitor")}
)
# Workload, row of the process table.
SERVICES = {process.workload: process.name for process in services.load().processes}
# Workload, the engine in its pod.
ENGINES = {process.workload: process.engine for process in services.load().processes if process.engine}
# Tritons of their own, with their rows.
TRITONS = {"triton": "triton", "triton-encoder": "triton-encoder"}
# Read by libraries, not by our settings.
STANDARD = re.compile(r"^OTEL_")

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def _services(overlay: str) -> list[Resource]:
    return [workload(overlay, wanted) for wanted in SERVICES]


def _environment(resource: Resource) -> dict[str, Resource]:
    return {entry["name"]: entry for entry in container(resource).get("env", [])}


def _module(resource: Resource) -> str:
    return str(container(resource)["args"][0])


def test_core_kinds_are_valid(overlay: str) -> None:
    unknown = set()
    for resource in built(overlay):
        try:
            kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            unknown.add((resource["kind"], resource["apiVersion"]))
    assert unknown <= CUSTOM


def test_pods_are_hardened(overlay: str) -> None:
    for resource in of_kind(overlay, *WORKLOADS):
        spec, box = pod(resource)["spec"], container(resource)
        assert spec["securityContext"]["runAsNonRoot"] is True, name(resource)
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["serviceAccountName"] == name(resource)
        assert box["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in box["resources"]["limits"], name(resource)


def test_containers_beside_the_first_are_hardened_alike(overlay: str) -> None:
    for resource in of_kind(overlay, *WORKLOADS):
        for box in pod(resource)["spec"].get("initContainers", []):
            assert box["securityContext"] == container(resource)["securityContext"], f"{name(resource)}: {box['name']}"
            assert "memory" in box["resources"]["limits"], f"{name(resource)}: {box['name']}"


def test_what_serves_survives_a_drained_node(overlay: str) -> None:
    budgets = {name(resource): resource for resource in of_kind(overlay, "PodDisruptionBudget")}
    for resource in [*_services(overlay), *(workload(overlay, wanted) for wanted in TRITONS)]:
        assert selects(budgets[name(resource)]["spec"]["selector"], pod(resource)["metadata"]["labels"])
        spread = pod(resource)["spec"]["topologySpreadConstraints"]
        assert all(selects(rule["labelSelector"], pod(resource)["metadata"]["labels"]) for rule in spread)


def test_probes_ask_the_endpoint_that_answers_in_clear_text(overlay: str) -> None:
    for resource in _services(overlay):
        box = container(resource)
        asked = {probe: box[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert {each["port"] for each in asked.values()} == {"metrics"}
        assert asked["readinessProbe"]["path"] == "/ready"
        assert asked["livenessProbe"]["path"] == "/state"


def test_settings_exist_and_addresses_are_set(overlay: str) -> None:
    for resource in _services(overlay):
        given = {key for key in _environment(resource) if not STANDARD.match(key)}
        assert not unknown(_module(resource), given), f"{name(resource)} is told what it does not read"


def test_the_process_table_and_the_manifests_set_the_same(overlay: str, tmp_path: Path) -> None:
    rows = {row.name: row for row in table(Places(tmp_path), Ports())}
    for resource in _services(overlay):
        local = {key for key in rows[SERVICES[name(resource)]].env if key.startswith("FINMESH_")}
        assert local <= set(_environment(resource)), f"{name(resource)} lacks {sorted(local - set(_environment(resource)))}"


def test_ports_are_those_of_the_process_table(overlay: str, tmp_path: Path) -> None:
    rows = {row.name: row for row in table(Places(tmp_path), Ports())}
    for wanted, row in {**SERVICES, **TRITONS}.items():
        box = container(workload(overlay, wanted))
        ports = {port["name"]: port["containerPort"] for port in box["ports"]}
        assert ports == dict(rows[row].ports), wanted
        service = next(resource for resource in of_kind(overlay, "Service") if name(resource) == wanted)
        assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == ports
    for resource in _services(overlay):
        environment, ports = _environment(resource), {port["name"]: port["containerPort"] for port in container(resource)["ports"]}
        assert environment["FINMESH_LISTEN"]["value"] == f"0.0.0.0:{ports['grpc']}"
        assert environment["FINMESH_METRICS_LISTEN"]["value"] == f"0.0.0.0:{ports['metrics']}"
        if "http" in ports:
            assert environment["FINMESH_HTTP_LISTEN"]["value"] == f"0.0.0.0:{ports['http']}"


def test_the_service_table_and_the_manifests_agree(overlay: str) -> None:
    """Identity, module, and who may call: nobody whom the table does not name."""
    for service in services.load().services:
        for process in service.processes:
            resource = workload(overlay, process.workload)
            assert _module(resource) == process.module
            assert pod(resource)["metadata"]["labels"]["finmesh.io/identity"] == service.name
            assert re.split("[:@]", str(container(resource)["image"]).rpartition("/")[2])[0] == service.name
            callers = json.loads(_environment(resource)["FINMESH_CALLERS"]["value"])
            assert callers
            assert set(callers) <= set(service.callers) - {"simbank"}, "the simulated bank is of the local mesh alone"


def test_network_policies_are_the_arrows_of_the_service_table(overlay: str) -> None:
    """Each process reaches the processes that it may call, and what it uses; nothing of ours reaches another of ours otherwise."""
    table_, workloads = services.load(), {process.workload for process in services.load().processes}
    wanted = {
        (process.workload, table_[callee].called.workload)
        for service in table_.services
        for process in service.processes
        for callee in service.calls_of(process)
    } | {
        (puller.workload, process.workload)
        for process in table_.processes
        if process.engine
        for name in process.engine.pulled_by
        for puller in table_[name].processes
    }
    found = set()
    for resource in of_kind(overlay, "NetworkPolicy"):
        spec = resource["spec"]
        for rule in spec.get("egress", []):
            for peer in rule["to"]:
                ends = [
                    each.get("matchLabels", {}).get("app.kubernetes.io/name") for each in (spec["podSelector"], peer.get("podSelector", {}))
                ]
                if set(ends) <= workloads:
                    found.add(tuple(ends))
    assert found == wanted
    for process in table_.processes:
        dialled = {
            each["metadata"]["name"].removeprefix(f"{process.workload}-to-").removesuffix("-egress")
            for each in of_kind(overlay, "NetworkPolicy")
            if each["metadata"]["name"].startswith(f"{process.workload}-to-")
        }
        for server, used in (("kafka", "kafka"), ("redis", "redis"), ("triton", "triton"), ("triton-encoder", "encoder")):
            assert (server in dialled) is (used in process.uses), f"{process.workload} and {server}"


def test_modules_to_start_exist(overlay: str) -> None:
    for resource in of_kind(overlay, *WORKLOADS):
        if str(container(resource)["image"]).startswith("finmesh/") and "command" not in container(resource):
            assert find_spec(_module(resource)) is not None, name(resource)


def test_references_lead_somewhere(overlay: str) -> None:
    """ConfigMaps and Secrets come from the overlay, from cert-manager, or from the list that the overlay's head names."""
    made = {(resource["kind"], name(resource)) for resource in of_kind(overlay, "ConfigMap", "Secret")}
    made |= {("Secret", resource["spec"]["secretName"]) for resource in of_kind(overlay, "Certificate")}
    heads = "".join((ROOT / "deploy/k8s" / path / "kustomization.yaml").read_text() for path in ("base", f"overlays/{overlay}"))
    brought = set(re.findall(r"`([a-z-]+)`\s+(?:# )?\(", heads))
    for resource in of_kind(overlay, *WORKLOADS):
        for entry in container(resource).get("env", []):
            for kind, source in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                target = entry.get("valueFrom", {}).get(source, {}).get("name")
                assert target is None or (kind, target) in made or target in brought, f"{name(resource)}: {entry['name']} from {target}"
        for volume in pod(resource)["spec"].get("volumes", []):
            targets = {volume.get("secret", {}).get("secretName"), volume.get("configMap", {}).get("name")}
            targets |= {source["secret"]["name"] for source in volume.get("projected", {}).get("sources", [])}
            assert targets - {None} <= {known for _, known in made} | brought, f"{name(resource)}: volume {targets}"


def test_the_bank_reaches_every_door_of_the_gateway(overlay: str) -> None:
    """And nothing else there: metrics are of the cluster."""
    ports = services.load()["gateway"].processes[0].ports.by_use()
    spec = next(resource["spec"] for resource in of_kind(overlay, "NetworkPolicy") if name(resource) == "bank-to-gateway")
    (rule,) = spec["ingress"]
    assert {each["port"] for each in rule["ports"]} == {ports["grpc"], ports["http"]}


def test_nothing_talks_unless_an_arrow_allows_it(overlay: str) -> None:
    policies = {name(resource): resource["spec"] for resource in of_kind(overlay, "NetworkPolicy")}
    assert policies.pop("deny-all") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for wanted, spec in policies.items():
        (direction,) = spec["policyTypes"]
        (rule,) = spec[direction.lower()]
        (peer,) = rule["from" if direction == "Ingress" else "to"]
        assert peer and rule["ports"], f"{wanted} allows everybody"


def test_arrows_inside_meet(overlay: str) -> None:
    """Each egress to a pod of ours has its ingress there, on a port that the pod opens; and what settings dial is an arrow."""
    policies = [resource["spec"] for resource in of_kind(overlay, "NetworkPolicy")]
    pods = {name(resource): resource for resource in of_kind(overlay, *WORKLOADS)}
    dialled = set()
    for caller, resource in pods.items():
        for entry in container(resource).get("env", []):
            host, _, port = str(entry.get("value", "")).removeprefix("http://").rpartition(":")
            if host in pods:
                dialled.add((caller, host, int(port)))
    assert len(dialled) >= 4
    for caller, callee, port in dialled:
        ends = (pod(pods[caller])["metadata"]["labels"], pod(pods[callee])["metadata"]["labels"])
        for direction, (own, other) in (("Egress", ends), ("Ingress", ends[::-1])):
            assert any(_allows(spec, direction, own, other, port) for spec in policies), f"{direction} {caller} -> {callee}:{port}"
        assert port in {opened["containerPort"] for opened in container(pods[callee])["ports"]}


def _allows(spec: Resource, direction: str, own: dict[str, str], other: dict[str, str], port: int) -> bool:
    if not selects(spec["podSelector"], own):
        return False
    for rule in spec.get(direction.lower(), []):
        peers = rule["from" if direction == "Ingress" else "to"]
        if any("podSelector" in peer and selects(peer["podSelector"], other) for peer in peers):
            return any(opened["port"] == port for opened in rule["ports"])
    return False


def test_stream_scales_to_its_partitions(overlay: str) -> None:
    (scaler,) = [resource for resource in of_kind(overlay, "ScaledObject") if name(resource) not in ENGINES]
    (trigger,) = scaler["spec"]["triggers"]
    endpoints = next(resource for resource in of_kind(overlay, "ConfigMap") if name(resource).startswith("endpoints"))
    prefix = endpoints["data"]["topic-prefix"]
    topic = trigger["metadata"]["topic"].removeprefix(prefix)
    assert trigger["metadata"]["consumerGroup"] == prefix + STREAM_GROUP
    partitions = {row["name"]: row["partitions"] for row in _topics()}
    assert scaler["spec"]["maxReplicaCount"] == partitions[topic]
    assert trigger["metadata"]["excludePersistentLag"] == "true"
    assert trigger["metadata"]["bootstrapServersFromEnv"] in _environment(workload(overlay, name(scaler)))


def _topics() -> list[Resource]:
    return list(yaml.safe_load((ROOT / "deploy/topics.yaml").read_text())["topics"])


def test_certificates_name_the_identity_and_what_is_dialled(overlay: str) -> None:
    certificates = {resource["spec"]["secretName"]: resource["spec"] for resource in of_kind(overlay, "Certificate")}
    for resource in _services(overlay):
        (volume,) = [volume for volume in pod(resource)["spec"]["volumes"] if volume["name"] == "tls"]
        spec = certificates[volume["secret"]["secretName"]]
        assert spec["uris"] == [f"spiffe://finmesh.local/{pod(resource)['metadata']['labels']['finmesh.io/identity']}"]
        assert name(resource) in spec["dnsNames"]
