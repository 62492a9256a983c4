"""The fraud model behind Triton Inference Server, one batch a call. The request names the version (rule D5)."""

from __future__ import annotations

import numpy as np
from meshkit.errors import Unavailable
from meshkit.triton.client import TritonClient
from numpy.typing import NDArray

from risk_scoring.adapters.model_files import MODEL_NAME, ModelFiles


class TritonModel:
    """Tensor names: FEATURES (n, features) float32 in, PROBABILITY (n,) float32 out."""

    def __init__(self, client: TritonClient, files: ModelFiles) -> None:
        self.version = files.version
        self.digest = files.digest
        self._client = client

    async def score(self, vectors: NDArray[np.float32], timeout_s: float) -> NDArray[np.float64]:
        """Return probabilities (n,). Raises Unavailable or DeadlineExceeded."""
        answer = await self._client.infer(MODEL_NAME, self.version, {"FEATURES": np.ascontiguousarray(vectors)}, timeout_s)
        values = answer["PROBABILITY"].reshape(-1)
        if len(values) != len(vectors):
            raise Unavailable("the model gave another number of rows", reason="MODEL_SHAPE")
        return values.astype(np.float64)
