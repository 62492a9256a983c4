"""The component that mounts accelerators.yaml: into the two services that front engines, and nowhere else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from localmesh.fetch import kubectl
from localmesh.places import Places

from .manifests import OVERLAYS, container, name, pod
from .repository import ROOT

FRONTING = {"inference-prefill", "inference-decode"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_both_services_that_front_engines_get_the_file_and_its_secrets(overlay: str, tmp_path: Path) -> None:
    k8s = os.path.relpath(ROOT / "deploy" / "k8s", tmp_path.resolve())
    content = {"resources": [f"{k8s}/overlays/{overlay}"], "components": [f"{k8s}/components/accelerators"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    program = kubectl.fetch(Places.default().stack)
    done = subprocess.run([program, "kustomize", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    workloads = {name(each): each for each in yaml.safe_load_all(done.stdout) if each["kind"] in ("Deployment", "StatefulSet")}
    assert workloads.keys() >= FRONTING
    for called, workload in workloads.items():
        told = {entry["name"]: entry.get("value") for box in pod(workload)["spec"]["containers"] for entry in box.get("env", [])}
        assert ("FINMESH_ACCELERATORS" in told) is (called in FRONTING)
        if called in FRONTING:
            mounts = {each["name"]: each["mountPath"] for each in container(workload)["volumeMounts"]}
            volumes = {each["name"] for each in pod(workload)["spec"]["volumes"]}
            assert told["FINMESH_ACCELERATORS"] == f"{mounts['accelerators']}/accelerators.yaml"
            assert {"accelerators", "accelerator-secrets"} <= volumes & mounts.keys()
