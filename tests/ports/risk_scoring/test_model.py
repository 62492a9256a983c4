"""The port Model: Triton and the in-process session give the same rounded scores for the same vectors (rule D23)."""

import numpy as np
import pytest
from meshkit.errors import DeadlineExceeded, Unavailable
from meshkit.triton.client import TritonClient
from risk_scoring.adapters.onnx_model import OnnxModel
from risk_scoring.adapters.triton_model import TritonModel
from risk_scoring.domain.features import COUNT
from risk_scoring.domain.outcome import rounded_scores

from tests.protocol.desks import model_files


def vectors(n: int = 257) -> np.ndarray:
    """Rows that meet many leaves."""
    return np.abs(np.random.default_rng(5).normal(size=(n, COUNT)) * np.logspace(-1, 4, COUNT)).astype(np.float32)


@pytest.mark.stack
async def test_both_give_the_same_rounded_scores(stack) -> None:
    files = model_files()
    async with TritonClient(stack.triton) as client:
        served = await TritonModel(client, files).score(vectors(), 10.0)
    inside = await OnnxModel(files).score(vectors(), 1.0)
    assert rounded_scores(served).tobytes() == rounded_scores(inside).tobytes()
    assert len(np.unique(rounded_scores(inside))) > 20


@pytest.mark.stack
async def test_an_unknown_version_is_no_score(stack) -> None:
    async with TritonClient(stack.triton) as client:
        model = TritonModel(client, model_files())
        model.version = "999"
        with pytest.raises(Exception) as refused:
            await model.score(vectors(1), 5.0)
        assert refused.value.__class__.__module__ == "meshkit.errors"


async def test_nobody_answers() -> None:
    async with TritonClient("127.0.0.1:1") as client:
        with pytest.raises((Unavailable, DeadlineExceeded)):
            await TritonModel(client, model_files()).score(vectors(1), 0.2)


async def test_in_process_refuses_what_is_no_vector() -> None:
    with pytest.raises(Unavailable) as refused:
        await OnnxModel(model_files()).score(np.zeros((1, COUNT + 1), dtype=np.float32), 1.0)
    assert refused.value.reason == "MODEL_FAILED"


async def test_shapes() -> None:
    scores = await OnnxModel(model_files()).score(vectors(3), 1.0)
    assert scores.shape == (3,) and scores.dtype == np.float64
    assert ((scores >= 0) & (scores <= 1)).all()
