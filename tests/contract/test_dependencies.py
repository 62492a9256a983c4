"""A service's image holds what its own lock names: each service is imported by an interpreter that sees nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence

import pytest
from provisioning import services

from .repository import IMPORT_ROOTS, ROOT
from .test_versions import lock

sys.path.insert(0, str(ROOT / "deploy/docker"))
from distributions import needed

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
modules = list(asked["modules"])
for package in map(importlib.import_module, asked["packages"]):
    walked = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    modules += [found.name for found in walked if not found.name.endswith("__main__")]
for name in modules:
    importlib.import_module(name)
print(len(modules))
"""


def imported(service: services.Service, distributions: set[str]) -> subprocess.CompletedProcess[str]:
    """Import every module of a service where only some distributions and what is ours are to be had."""
    packages = {"libs/contracts": "finmesh"}
    names = [packages.get(folder, folder.rpartition("/")[2].replace("-", "_")) for folder in needed(ROOT, f"services/{service.name}")]
    return asked(names, distributions, packages=[service.package])


def asked(
    own: Iterable[str], distributions: set[str], packages: Sequence[str] = (), modules: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Import packages, with every module of theirs, and modules."""
    words = json.dumps({"own": list(own), "distributions": sorted(distributions), "packages": packages, "modules": modules})
    return subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, input=words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("service", services.load().services, ids=lambda service: service.name)
def test_a_service_is_imported_with_the_distributions_of_its_lock_alone(service: services.Service) -> None:
    done = imported(service, set(lock(service.name)))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5


def test_tools_start_with_what_set_up_installs() -> None:
    """A target that asks for `make setup` alone does without the packages of tests, which come with `make dev`."""
    targets = re.findall(r"^[a-z-]+: setup ##.*\n\t.*\$\(BIN\)/python -m ([a-z_.]+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"bench", "drills.bankday", "localmesh"} <= set(targets)
    locks = [path.stem for path in (ROOT / "requirements").glob("*.txt") if (ROOT / "services" / path.stem).is_dir()]
    installed = set().union(*(lock(name) for name in [*locks, "provisioning", "local", "drills", "cli"]))
    own = {path.name for root in IMPORT_ROOTS for path in (ROOT / root).iterdir() if path.is_dir()}
    done = asked(own | {"bench"}, installed, modules=[f"{name}.__main__" for name in sorted({*targets, "finmesh_cli"})])
    assert done.returncode == 0, done.stderr


def test_what_is_not_in_the_lock_cannot_be_imported() -> None:
    done = imported(services.load()["audit"], set(lock("audit")) - {"aiokafka"})
    assert "aiokafka is in no distribution of the lock" in done.stderr


def test_no_lock_names_what_its_service_has_no_use_for() -> None:
    assert {"onnxruntime", "tritonclient", "lxml", "psycopg"}.isdisjoint(lock("gateway"))
    assert {"redis", "tritonclient", "onnxruntime", "cedarpy", "pyjwt"}.isdisjoint(lock("audit"))
    assert "psycopg" in lock("audit")  # which it imports when its URL says PostgreSQL
    assert {"psycopg", "cedarpy", "pyjwt"}.isdisjoint(lock("risk-scoring"))


def test_an_image_holds_the_libraries_that_its_service_needs() -> None:
    assert set(needed(ROOT, "services/gateway")[:-1]) >= {"libs/contracts", "libs/meshkit"}
    assert {"libs/engine", "libs/translog"}.isdisjoint(needed(ROOT, "services/gateway"))
    assert "libs/translog" in needed(ROOT, "services/audit")
    recipe = (ROOT / "deploy/docker/Dockerfile").read_text()
    assert "distributions.py" in recipe
    assert 'requirements/$(basename "${SERVICE}").txt' in recipe
