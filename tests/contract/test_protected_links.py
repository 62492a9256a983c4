"""What Kubernetes would start starts: the settings of every pod pass the check that a process makes of its links and keys."""

from __future__ import annotations

import os

import pytest
from meshkit import links
from meshkit.config import Environment, KafkaToolConfig
from provisioning import services
from pydantic import ValidationError

from .manifests import OVERLAYS, WORKLOADS, Resource, container, name, of_kind, workload
from .settings import process_config
from .test_k8s import ENGINES, SERVICES

SECRETS = {
    ("prod", "redis"): "rediss://redis.redis:6379/0",
    ("dev", "redis"): "redis://redis.redis:6379/0",
    ("prod", "rag-ledger"): "postgresql://rag@postgresql.postgresql/rag?sslmode=verify-full",
    ("dev", "rag-ledger"): "postgresql://rag@postgresql.postgresql/rag?sslmode=verify-full",
    ("prod", "audit-database"): "postgresql://audit@postgresql.postgresql/audit?sslmode=verify-full",
}
"""What the head of an overlay asks for."""

PODS = [*SERVICES, "provisioner"]
ON_KAFKA = {"provisioner", *(process.workload for process in services.load().processes if "kafka" in process.uses)}
ALLOWED = {"FINMESH_ALLOW_CLEAR_TEXT", "FINMESH_ALLOW_DEVELOPMENT_KEYS"}
PROTECTING = ("FINMESH_TLS__", "FINMESH_TRITON__TLS", "FINMESH_KAFKA__SECURITY_PROTOCOL", "FINMESH_KEYS__", *ALLOWED)


def environment(overlay: str, pod: str) -> dict[str, str]:
    """The FINMESH_ variables of a pod, with what the institution's Secrets would hold."""
    made = {name(resource): resource.get("data", {}) for resource in of_kind(overlay, "ConfigMap")}
    found = {}
    for entry in container(workload(overlay, pod))["env"]:
        source: Resource = entry.get("valueFrom", {})
        if reference := source.get("configMapKeyRef"):
            found[entry["name"]] = made[reference["name"]][reference["key"]]
        elif reference := source.get("secretKeyRef"):
            kind = next(known for known in ("audit-database", "rag-ledger", "redis") if reference["name"].startswith(known))
            found[entry["name"]] = SECRETS[overlay, kind]
        else:
            found[entry["name"]] = entry.get("value", "")
    return {key: value for key, value in found.items() if key.startswith("FINMESH_")}


def problems(pod: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What its process would say at start."""
    with monkeypatch.context() as patch:
        for key in [key for key in os.environ if key.startswith("FINMESH_")]:
            patch.delenv(key)
        for key, value in given.items():
            patch.setenv(key, value)
        kind: type[Environment] = KafkaToolConfig if pod == "provisioner" else process_config(container(workload("prod", pod))["args"][0])
        try:
            return links.problems(kind())
        except ValidationError as error:
            return [str(error)]


@pytest.mark.parametrize("pod", PODS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_starts_and_none_of_what_protects_it_is_idle(overlay: str, pod: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(overlay, pod)
    assert problems(pod, given, monkeypatch) == []
    protecting = {key for key in given if key.startswith(PROTECTING)} - {
        "FINMESH_KEYS__AUDIT_BATCH_SHARED",
        "FINMESH_ALLOW_DEVELOPMENT_KEYS",
    }
    for key in protecting if overlay == "prod" else protecting & ALLOWED:
        assert problems(pod, {other: value for other, value in given.items() if other != key}, monkeypatch), f"{key} protects nothing"


def test_production_allows_nothing_and_development_names_what_it_allows() -> None:
    assert not [pod for pod in PODS if ALLOWED & environment("prod", pod).keys()]
    named = {pod: environment("dev", pod).get("FINMESH_ALLOW_CLEAR_TEXT") for pod in PODS}
    without_redis = {pod for pod, words in named.items() if words == "kafka"}
    assert without_redis == {*ENGINES, "rag-rpc", "rag-ingest", "provisioner"}, "these reach no Redis"
    assert set(named.values()) == {"kafka,redis", "kafka"}


def test_clients_show_the_certificate_that_is_mounted() -> None:
    """To Kafka and to Triton in production; files are those of the volume `tls`."""
    for pod in PODS:
        given = environment("prod", pod)
        tritons = [group for group, service in (("TRITON", "risk-scoring"), ("ENCODER", "rag")) if pod.startswith(service)]
        for group in (*(["KAFKA"] if pod in ON_KAFKA else []), *tritons):
            files = [given[f"FINMESH_{group}__{file}"] for file in ("AUTHORITY", "CERTIFICATE", "KEY")]
            assert files == [f"/etc/finmesh/tls/{file}" for file in ("ca.crt", "tls.crt", "tls.key")]
        mounts = {mount["name"]: mount["mountPath"] for mount in container(workload("prod", pod))["volumeMounts"]}
        assert mounts["tls"] == "/etc/finmesh/tls"


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("triton", ["triton", "triton-encoder"])
def test_tritons_speak_tls_and_end_connections(overlay: str, triton: str) -> None:
    arguments = container(workload(overlay, triton))["args"]
    files = {"--grpc-server-cert": "tls.crt", "--grpc-server-key": "tls.key", "--grpc-root-cert": "ca.crt"}
    assert {"--grpc-use-ssl-mutual=true", *(f"{option}=/etc/finmesh/tls/{file}" for option, file in files.items())} <= set(arguments)
    assert any(argument.startswith("--grpc-max-connection-age=") for argument in arguments)


def test_every_workload_is_looked_at() -> None:
    assert {name(resource) for resource in of_kind("prod", *WORKLOADS)} == {*PODS, "triton", "triton-encoder", "otel-collector"}


def test_kafka_is_reached_where_the_arrows_lead() -> None:
    for overlay in OVERLAYS:
        port = int(environment(overlay, "audit")["FINMESH_KAFKA__BOOTSTRAP_SERVERS"].rpartition(":")[2])
        arrows = [resource["spec"]["egress"] for resource in of_kind(overlay, "NetworkPolicy") if name(resource).endswith("-to-kafka")]
        assert len(arrows) == len(ON_KAFKA)
        assert {rule["ports"][0]["port"] for (rule,) in arrows} == {port}
