"""The same model in this process, through the same ONNX Runtime wrapper that runs inside Triton: the declared fallback."""

from __future__ import annotations

import numpy as np
from engine.onnx_session import OnnxSession
from meshkit.errors import Unavailable
from numpy.typing import NDArray

from risk_scoring.adapters.model_files import ModelFiles


class OnnxModel:
    """Scores in the event loop's thread: some microseconds a row, less than a hand-over to another thread costs."""

    def __init__(self, files: ModelFiles) -> None:
        self.version = files.version
        self.sha256 = files.sha256
        self._session = OnnxSession(files.graph)

    async def score(self, vectors: NDArray[np.float32], timeout_s: float) -> NDArray[np.float64]:
        """Return probabilities (n,). Raises Unavailable when the runtime fails."""
        del timeout_s
        try:
            return self._session.run(np.ascontiguousarray(vectors)).astype(np.float64)
        except (RuntimeError, ValueError) as error:
            raise Unavailable("the in-process model failed", reason="MODEL_FAILED") from error
