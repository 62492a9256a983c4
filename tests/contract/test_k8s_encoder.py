"""The pod of the encoder and those who ask it: one folder, mounted where each looks for it."""

from __future__ import annotations

import pytest
from localmesh.encoder import NAME
from provisioning import services

from .manifests import OVERLAYS, Resource, container, pod, workload
from .repository import ROOT

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)
ASKING = [process.workload for process in services.load().processes if "encoder" in process.uses]


def claim_at(resource: Resource, path: str) -> object:
    """What is mounted there."""
    (mount,) = [each for each in container(resource)["volumeMounts"] if each["mountPath"] == path]
    (volume,) = [each for each in pod(resource)["spec"]["volumes"] if each["name"] == mount["name"]]
    assert mount["readOnly"] is True
    return volume["persistentVolumeClaim"]["claimName"]


def test_who_serves_and_who_asks_read_one_encoder(overlay: str) -> None:
    """Else each answer would be refused (ENCODER_NOT_OURS)."""
    shim = (ROOT / "libs/engine/engine/encoder/model.py").read_text()
    assert 'FOLDER = "model"' in shim
    served = claim_at(workload(overlay, NAME), "/encoder/encoder/model")
    assert ASKING
    for wanted in ASKING:
        resource = workload(overlay, wanted)
        (path,) = [each["value"] for each in container(resource)["env"] if each["name"] == "FINMESH_ENCODER__MODEL"]
        assert claim_at(resource, path) == served


def test_the_image_holds_the_shim_where_its_triton_looks(overlay: str) -> None:
    assert "--model-repository=/encoder" in container(workload(overlay, NAME))["args"]
    assert (ROOT / "models/encoder/encoder/config.pbtxt").is_file()
    recipe = (ROOT / "deploy/docker/Dockerfile").read_text()
    assert "COPY models/encoder /encoder" in recipe.partition("AS triton\n")[2].partition("FROM")[0]
    assert "!models/encoder" in (ROOT / "deploy/docker/Dockerfile.dockerignore").read_text()


def test_it_is_told_how_many_cores_are_its_own(overlay: str) -> None:
    """It would else count those of its node."""
    box = container(workload(overlay, NAME))
    (threads,) = [each["value"] for each in box["env"] if each["name"] == "FINMESH_ENCODER_THREADS"]
    assert threads == box["resources"]["requests"]["cpu"]
