"""The real Triton names the model that its session was made from, and not the file that lies there now."""

import asyncio
import datetime as dt
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from localmesh.ports import LOOPBACK, Ports
from localmesh.servers import triton_row
from localmesh.supervisor import Mesh
from meshkit.config import TritonSettings
from meshkit.rpc.tls import of_triton
from meshkit.triton.client import TritonClient
from provisioning import certificates
from risk_scoring.adapters.model_files import ModelFiles
from risk_scoring.adapters.onnx_model import OnnxModel
from risk_scoring.adapters.triton_model import TritonModel
from risk_scoring.domain.decision import MODEL_IN_PROCESS
from risk_scoring.domain.features import COUNT
from risk_scoring.steps.score import Scorer

from tests.contract.manifests import container, workload
from tests.protocol.desks import Health, model_files
from tests.stack import Stack

OURS = model_files()
ROWS = np.abs(np.random.default_rng(5).normal(size=(32, COUNT)) * np.logspace(-1, 4, COUNT)).astype(np.float32)


def another(files: ModelFiles) -> bytes:
    """The same trees with every leaf moved: a model of the right shape that scores otherwise."""
    model = onnx.load_from_string(files.graph)
    (weights,) = [each for node in model.graph.node for each in node.attribute if each.name == "target_weights"]
    weights.floats[:] = [value + 0.05 for value in weights.floats]
    return bytes(model.SerializeToString())


@asynccontextmanager
async def scratch_triton(stack: Stack, repository: Path, *options: str) -> AsyncIterator[str]:
    """A Triton of this test alone, which looks every second for changed files; gives host:port."""
    shutil.copytree(stack.places.models, repository)
    ports = Ports.free()
    row = triton_row(replace(stack.places, models=repository), ports)
    command = tuple("--model-control-mode=poll" if word == "--model-control-mode=none" else word for word in row.command)
    async with Mesh([replace(row, command=(*command, "--repository-poll-secs=1", *options))], repository.parent / "var"):
        yield f"{LOOPBACK}:{ports.triton_grpc}"


@pytest.mark.stack
async def test_a_model_that_is_swapped_under_load_is_never_used(stack: Stack, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    file = repository / "fraud" / OURS.version / "model.onnx"
    health, seen = Health(), Counter[tuple[int, ...]]()
    async with scratch_triton(stack, repository) as address, TritonClient(address) as client:
        served, inside = TritonModel(client, OURS), OnnxModel(OURS)
        scorer = Scorer(served, inside, health, 5.0)  # type: ignore[arg-type]
        right = (await inside.score(ROWS, 1.0)).round(6).tolist()

        async def until(flagged: tuple[int, ...], missing: dict[str, str]) -> None:
            """Score without a pause until batches are flagged so; every one of them has our model's scores."""
            async with asyncio.timeout(60):
                while True:
                    scores = await scorer.score(ROWS)
                    assert scores.values.tolist() == right and scores.model_sha256 == OURS.sha256
                    seen[scores.degradations] += 1
                    if scores.degradations == flagged and health.missing == missing:
                        return

        await until((), {})
        swap(file, another(OURS))
        await until((MODEL_IN_PROCESS,), {"triton": "MODEL_NOT_OURS"})
        swap(file, OURS.graph)
        await until((), {})
    assert set(seen) == {(), (MODEL_IN_PROCESS,)}


@pytest.mark.stack
async def test_each_version_names_its_own(stack: Stack, tmp_path: Path) -> None:
    """One call is one batch, of any number of rows; the digest is one a call."""
    repository = tmp_path / "repository"
    shutil.copytree(stack.places.models, repository)
    shutil.copytree(repository / "fraud" / OURS.version, repository / "fraud" / "77")
    (repository / "fraud" / "77" / "model.onnx").write_bytes(another(OURS))
    ports = Ports.free()
    row = triton_row(replace(stack.places, models=repository), ports)
    async with Mesh([row], tmp_path / "var"), TritonClient(f"{LOOPBACK}:{ports.triton_grpc}") as client:
        digests = {}
        for version in (OURS.version, "77"):
            for rows in (1, 32):
                answer = await client.infer("fraud", version, {"FEATURES": ROWS[:rows]}, 10.0)
                assert answer["PROBABILITY"].shape == (rows,) and answer["MODEL_SHA256"].shape == (32,)
                digests[version, rows] = answer["MODEL_SHA256"].tobytes()
        assert digests[OURS.version, 1] == digests[OURS.version, 32] == OURS.sha256
        assert digests["77", 1] == digests["77", 32] != OURS.sha256


def swap(file: Path, content: bytes) -> None:
    """Replace a file in one step, as a deployment does."""
    fresh = file.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(file)


@pytest.mark.stack
async def test_over_mutual_tls_with_the_options_of_the_manifests(stack: Stack, tmp_path: Path) -> None:
    """The real server takes the options, and answers those who show a certificate alone."""
    certs, repository = tmp_path / "certs", tmp_path / "repository"
    certificates.ensure_certificates(certs, dt.datetime.now(dt.UTC), ("triton", "risk-scoring"))
    mounted = {"tls.crt": certs / "triton.pem", "tls.key": certs / "triton.key", "ca.crt": certs / "authority.pem"}
    options = [
        word for word in container(workload("prod", "triton"))["args"] if "/etc/finmesh/tls/" in word or "-age" in word or "ssl" in word
    ]
    for name, path in mounted.items():
        options = [word.replace(f"/etc/finmesh/tls/{name}", str(path)) for word in options]
    async with scratch_triton(stack, repository, *options) as address:
        settings = TritonSettings(url=address, tls=True, authority=certs / "authority.pem")
        ours = settings.model_copy(update={"certificate": certs / "risk-scoring.pem", "key": certs / "risk-scoring.key"})
        for each, answers in ((ours, True), (settings, False), (TritonSettings(url=address), False)):
            async with TritonClient(each.url, of_triton(each)) as client:
                assert await client.ready("fraud", timeout_s=5.0) is answers
        async with TritonClient(ours.url, of_triton(ours)) as client:
            assert (await TritonModel(client, OURS).score(ROWS, 10.0)).shape == (len(ROWS),)
