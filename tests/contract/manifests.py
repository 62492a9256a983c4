"""The Kubernetes manifests as `kubectl kustomize` builds them, for the contract tests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from localmesh.fetch import kubectl
from localmesh.places import Places

from .repository import ROOT

OVERLAYS = tuple(sorted(path.parent.name for path in (ROOT / "deploy/k8s/overlays").glob("*/kustomization.yaml")))
WORKLOADS = {"Deployment", "StatefulSet", "Job"}

Resource = dict[str, Any]


@cache
def built(overlay: str) -> tuple[Resource, ...]:
    """Return every resource of an overlay. Works without a network and without a cluster."""
    program = kubectl.fetch(Places.default().stack)
    done = subprocess.run([program, "kustomize", str(ROOT / "deploy/k8s/overlays" / overlay)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> Iterator[Resource]:
    """Yield the resources of some kinds."""
    return (resource for resource in built(overlay) if resource["kind"] in kinds)


def name(resource: Resource) -> str:
    """Return a resource's name."""
    return str(resource["metadata"]["name"])


def pod(workload: Resource) -> Resource:
    """Return the pod template of a workload."""
    template: Resource = workload["spec"]["template"]
    return template


def container(workload: Resource) -> Resource:
    """Return the only container of a workload."""
    (only,) = pod(workload)["spec"]["containers"]
    return dict(only)


def workload(overlay: str, wanted: str) -> Resource:
    """Return one workload by name."""
    return next(resource for resource in of_kind(overlay, *WORKLOADS) if name(resource) == wanted)


def selects(selector: Resource, labels: dict[str, str]) -> bool:
    """Whether a label selector matches; the operators that the manifests use are known, any other is an error."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "Exists", expression
        if expression["key"] not in labels:
            return False
    return True
