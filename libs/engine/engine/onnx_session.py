"""The one wrapper of ONNX Runtime: in Triton's Python stub and, as the declared fallback, inside the services.

Surprising: one thread on purpose. A row of boosted trees takes a microsecond, so threads cost more than they give, and a fixed order of
summation makes the same row give the same bits whatever batch it comes in. Runs under numpy 1.26 (Triton's stub) and numpy 2 (services)
alike. The file is read once: the digest is of the very bytes that the session was made from, whatever becomes of the file.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

F32 = npt.NDArray[np.float32]


class OnnxSession:
    """A model with one input (N, F) float32 and one output of N rows float32. Thread-safe, as ONNX Runtime's sessions are.

    ``sha256``: 32 bytes, of the model.
    """

    def __init__(self, model: Path | bytes, *, intra_op_threads: int = 1) -> None:
        """Load a graph. Raises ValueError when it has another shape than one tensor in and one out."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        content = model if isinstance(model, bytes) else model.read_bytes()
        self.sha256 = sha256(content).digest()
        self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 2:
            raise ValueError("the model must have one float input (N, F) and one output")
        self._input, self._output = inputs[0].name, outputs[0].name
        self.features = int(inputs[0].shape[1])

    def run(self, features: F32) -> F32:
        """Score rows: (N, F) float32 in, a copy of the output out ((N,) for a score). Raises ValueError on another shape or type."""
        if features.ndim != 2 or features.shape[1] != self.features or features.dtype != np.float32:
            raise ValueError(f"expected (N, {self.features}) float32, got {features.shape} {features.dtype}")
        (output,) = self._session.run([self._output], {self._input: np.ascontiguousarray(features)})
        return np.array(output, dtype=np.float32, copy=True)
