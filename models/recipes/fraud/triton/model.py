"""Thin shim: Triton's Python backend in, libs/engine's ONNX Runtime wrapper out. The same file serves every version."""

from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from engine.onnx_session import OnnxSession


class TritonPythonModel:
    """FEATURES (n, features) float32 to PROBABILITY (n,) float32, and MODEL_SHA256 (32,) uint8: which model it was that answered."""

    def initialize(self, args: dict[str, str]) -> None:
        self._session = OnnxSession(Path(args["model_repository"]) / args["model_version"] / "model.onnx")
        self._sha256 = np.array(bytearray(self._session.sha256), dtype=np.uint8)

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        features = pb_utils.get_input_tensor_by_name(request, "FEATURES").as_numpy()
        try:
            scores = self._session.run(features)
        except ValueError as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))
        return pb_utils.InferenceResponse([pb_utils.Tensor("PROBABILITY", scores), pb_utils.Tensor("MODEL_SHA256", self._sha256)])
