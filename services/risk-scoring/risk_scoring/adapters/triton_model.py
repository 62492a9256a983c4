"""The fraud model behind Triton Inference Server, one batch a call. The request names the version (rule D5).

A number is no evidence: each answer names the model that made it, and one that another model made is not used.
"""

from __future__ import annotations

import numpy as np
from meshkit.errors import Unavailable
from meshkit.triton.client import TritonClient
from numpy.typing import NDArray

from risk_scoring.adapters.model_files import MODEL_NAME, ModelFiles

_SHA256_BYTES = 32


class TritonModel:
    """Tensor names: FEATURES (n, features) float32 in, PROBABILITY (n,) float32 and MODEL_SHA256 (32,) uint8 out."""

    def __init__(self, client: TritonClient, files: ModelFiles) -> None:
        self.version = files.version
        self.sha256 = files.sha256
        self._client = client

    async def score(self, vectors: NDArray[np.float32], timeout_s: float) -> NDArray[np.float64]:
        """Return probabilities (n,). Raises Unavailable (MODEL_NOT_OURS, MODEL_SHAPE, or nobody answers), DeadlineExceeded."""
        answer = await self._client.infer(MODEL_NAME, self.version, {"FEATURES": np.ascontiguousarray(vectors)}, timeout_s)
        made_by = answer.get("MODEL_SHA256")
        if made_by is None or made_by.dtype != np.uint8 or made_by.shape != (_SHA256_BYTES,) or made_by.tobytes() != self.sha256:
            raise Unavailable("another model answered", reason="MODEL_NOT_OURS")
        values = answer.get("PROBABILITY")
        if values is None or values.size != len(vectors):
            raise Unavailable("the model gave another number of rows", reason="MODEL_SHAPE")
        return values.reshape(-1).astype(np.float64)
