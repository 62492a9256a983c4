"""Versions that must agree across environments, because two of them run the same model or the same generated code."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from provisioning import services

from .repository import ROOT

SERVICES = services.load().names
LOCKS = (*SERVICES, "provisioning", "local", "drills", "cli")
"""One for each service, and those of the tools beside them: `make run` installs them all into one environment."""
GENERATED = ROOT / "libs/contracts/gen/finmesh"


def lock(name: str) -> dict[str, str]:
    """Return the pinned versions of a lock; where a package stands more than once (by platform or Python), the last one."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return {
        found[1].lower().replace("_", "-"): found[2]
        for found in re.finditer(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==([^\s;\\]+)", text, re.MULTILINE)
    }


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def test_the_same_model_runs_on_the_same_runtime() -> None:
    assert lock("risk-scoring")["onnxruntime"] == lock("triton")["onnxruntime"] == lock("dev")["onnxruntime"]


@pytest.mark.parametrize("package", ["llguidance", "onnxruntime", "protobuf", "xxhash"])
def test_triton_runs_what_tests_ran(package: str) -> None:
    """The stub speaks the services' protobuf and computes the digests and masks that tests compare."""
    assert lock("triton")[package] == lock("dev")[package]


def test_the_gpu_image_runs_what_tests_ran_but_for_the_runtime() -> None:
    shared = {"flatbuffers", "llguidance", "numpy", "protobuf", "xxhash"}
    assert {package: lock("triton-gpu")[package] for package in shared} == {package: lock("triton")[package] for package in shared}
    assert {"onnxruntime"}.isdisjoint(lock("triton-gpu")), "two distributions of one package overwrite each other"


def test_the_gpu_runtime_knows_resting_rows_or_the_documents_say_that_it_does_not() -> None:
    """`query_seqlens` came with 1.32. When the lock gets there, the note goes."""
    noted = "onnxruntime-gpu 1.31.1" in (ROOT / "docs/operations.md").read_text()
    assert (numbers(lock("triton-gpu")["onnxruntime-gpu"]) < (1, 32, 0)) == noted


@pytest.mark.parametrize("name", [*LOCKS, "models"])
def test_tests_run_on_what_services_run_on(name: str) -> None:
    own, dev = lock(name), lock("dev")
    assert own
    assert {package: dev.get(package) for package in own} == own


def test_the_clients_of_registries_share_the_environment_of_services() -> None:
    """Software is fetched while packages are installed: none of what fetches may be replaced meanwhile."""
    own, dev = lock("bootstrap"), lock("dev")
    shared = own.keys() & dev.keys()
    assert {"jgo", "requests", "urllib3"} <= shared
    assert {package: own[package] for package in shared} == {package: dev[package] for package in shared}


@pytest.mark.parametrize("package", ["grpcio", "protobuf", "onnxruntime", "aiokafka", "redis", "pydantic", "cryptography"])
def test_installed_is_locked(package: str) -> None:
    assert version(package) == lock("dev")[package]


def test_triton_has_its_numpy() -> None:
    assert numbers(lock("triton")["numpy"])[0] == 1, "under numpy 2 Triton's Python stub returns empty outputs"
    assert numbers(lock("risk-scoring")["numpy"])[0] >= 2


def test_generated_code_fits_the_protobuf_runtime() -> None:
    runtime = numbers(lock("dev")["protobuf"])
    stamps = {
        numbers(found[1])
        for path in GENERATED.rglob("*_pb2.py")
        if (found := re.search(r"# Protobuf Python Version: (\S+)", path.read_text()))
    }
    assert stamps
    assert all(stamp[0] == runtime[0] and stamp <= runtime for stamp in stamps), f"generated {stamps}, runtime {runtime}"


def test_generated_code_fits_grpc() -> None:
    runtime = numbers(lock("dev")["grpcio"])
    stamps = {
        numbers(found[1])
        for path in GENERATED.rglob("*_pb2_grpc.py")
        if (found := re.search(r"GRPC_GENERATED_VERSION = '(.+)'", path.read_text()))
    }
    assert stamps
    assert all(stamp <= runtime for stamp in stamps), f"generated {stamps}, runtime {runtime}"


@pytest.mark.parametrize("name", ["bootstrap", *LOCKS, "dev", "triton", "triton-gpu", "models", "stack"])
def test_locks_carry_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.findall(r"^[A-Za-z0-9].*?==(?:.*\\\n)(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", text, re.MULTILINE)
    assert entries
    assert len(entries) == len(re.findall(r"^[A-Za-z0-9]\S*==", text, re.MULTILINE))
