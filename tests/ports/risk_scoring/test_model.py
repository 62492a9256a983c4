"""The Model port: the released version answers alike behind Triton and in this process (rules D22, D23)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest
from meshkit.errors import MeshError
from meshkit.triton.client import TritonClient
from risk_scoring.adapters.model_files import ModelFiles, load_model_files
from risk_scoring.adapters.onnx_model import OnnxModel
from risk_scoring.adapters.triton_model import TritonModel
from risk_scoring.domain.features import COUNT
from risk_scoring.domain.outcome import rounded_scores
from risk_scoring.ports import Model

from tests.stack import Stack

REPOSITORY = Path(__file__).resolve().parents[3] / "models" / "repository"


@pytest.fixture(scope="module")
def files() -> ModelFiles:
    return load_model_files(REPOSITORY)


@pytest.fixture(params=["in_process", pytest.param("triton", marks=pytest.mark.stack)])
async def model(request: pytest.FixtureRequest, files: ModelFiles) -> AsyncIterator[Model]:
    if request.param == "in_process":
        yield OnnxModel(files)
        return
    stack: Stack = request.getfixturevalue("stack")
    async with TritonClient(stack.triton) as client:
        yield TritonModel(client, files)


def _vectors(count: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    vectors = rng.lognormal(1.0, 2.0, (count, COUNT)).astype(np.float32)
    return np.where(rng.random(vectors.shape) < 0.5, np.float32(0), vectors)


async def test_scores_are_those_of_the_native_trees(model: Model, files: ModelFiles) -> None:
    vectors = _vectors(300)
    scores = await model.score(vectors, timeout_s=5.0)
    native = lgb.Booster(model_file=str(files.folder / "model.txt")).predict(vectors)
    assert scores.shape == (300,)
    assert np.ptp(scores) > 0.1, "vectors must reach different leaves"
    assert np.abs(rounded_scores(scores) - rounded_scores(np.asarray(native))).max() <= 2e-6


async def test_a_row_scores_the_same_in_any_batch(model: Model) -> None:
    vectors = _vectors(64)
    together = rounded_scores(await model.score(vectors, timeout_s=5.0))
    alone = [rounded_scores(await model.score(row[None, :], timeout_s=5.0))[0] for row in vectors]
    assert together.tolist() == alone


async def test_vectors_of_another_schema_are_refused(model: Model) -> None:
    with pytest.raises(MeshError):
        await model.score(np.zeros((2, COUNT + 1), dtype=np.float32), timeout_s=5.0)


async def test_the_version_and_digest_are_those_of_the_files(model: Model, files: ModelFiles) -> None:
    assert (model.version, model.digest) == (files.version, files.digest)
