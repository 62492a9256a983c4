"""A service's image holds what its own lock names: each service is imported by an interpreter that sees nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
from localmesh import services

from .repository import ROOT
from .test_versions import lock

FOLDERS = {"finmesh-localmesh": "deploy/local", "finmesh-cli": "cli"}  # where a distribution of ours is not in libs/ under its name

# Runs in a process of its own. Everything installed is on its path, as in the one environment of `make run`; a finder before all others
# refuses what belongs to a distribution that was not named.
PROGRAM = """
import importlib, importlib.metadata, json, pkgutil, sys

asked = json.load(sys.stdin)
allowed = set(asked["own"])
for name, distributions in importlib.metadata.packages_distributions().items():
    if {each.lower().replace("_", "-").replace(".", "-") for each in distributions} & set(asked["distributions"]):
        allowed.add(name)


class Refusing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names and not top.startswith("_"):
            raise ModuleNotFoundError(f"{name} is in no distribution of the lock", name=name)


sys.meta_path.insert(0, Refusing())
package = importlib.import_module(asked["package"])
modules = [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".") if not found.name.endswith("__main__")]
for name in modules:
    importlib.import_module(name)
print(len(modules))
"""


def project(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    return found


def own(folder: str) -> set[str]:
    """Folders of our distributions that one in ``folder`` needs, itself among them."""
    needed, waiting = {folder}, [folder]
    while waiting:
        for name in project(waiting.pop())["dependencies"]:
            if name.startswith("finmesh-"):
                plain = re.split(r"[\[<>=]", name)[0]
                found = FOLDERS.get(plain, f"libs/{plain.removeprefix('finmesh-')}")
                if found not in needed:
                    needed.add(found)
                    waiting.append(found)
    return needed


def imported(service: services.Service, distributions: set[str]) -> subprocess.CompletedProcess[str]:
    """Import every module of a service where only some distributions and what is ours are to be had."""
    packages = {"libs/contracts": "finmesh"}
    names = [packages.get(folder, folder.rpartition("/")[2].replace("-", "_")) for folder in own(f"services/{service.name}")]
    asked = {"own": names, "distributions": sorted(distributions), "package": service.package}
    return subprocess.run([sys.executable, "-c", PROGRAM], input=json.dumps(asked), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("service", services.load().services, ids=lambda service: service.name)
def test_a_service_is_imported_with_the_distributions_of_its_lock_alone(service: services.Service) -> None:
    done = imported(service, set(lock(service.name)))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_what_is_not_in_the_lock_cannot_be_imported() -> None:
    done = imported(services.load()["audit"], set(lock("audit")) - {"psycopg"})
    assert "psycopg is in no distribution of the lock" in done.stderr


def test_no_lock_names_what_its_service_has_no_use_for() -> None:
    assert {"onnxruntime", "tritonclient", "lxml", "psycopg"}.isdisjoint(lock("gateway"))
    assert {"redis", "tritonclient", "onnxruntime", "cedarpy", "pyjwt"}.isdisjoint(lock("audit"))
    assert {"psycopg", "cedarpy", "pyjwt"}.isdisjoint(lock("risk-scoring"))


@pytest.mark.parametrize("folder", [*(f"services/{name}" for name in services.load().names), "deploy/local"])
def test_an_image_is_built_from_the_libraries_that_its_service_names(folder: str) -> None:
    recipe = (ROOT / "deploy/docker/Dockerfile").read_text()
    (libs,) = re.findall(rf"SERVICE={folder} +--build-arg LIBS=\"([a-z ]+)\"", recipe)
    assert {f"libs/{name}" for name in libs.split()} == own(folder) - {folder}
