"""What Triton loads: `class TritonPythonModel(Model)`. Ids and mask in, vectors and the encoder's identity out.

Surprising: `execute` only queues; answers are sent from the encoder's own thread, so that a question that comes while passages are run is
next (`waiting`), which Triton's own queue, in front of a model that is busy, cannot do within a batch. Nobody but Triton can import this
module.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from engine.encoder import manifest as manifests
from engine.encoder.loop import BusyError, Loop
from engine.encoder.rows import WrongRowsError, rows_of
from engine.encoder.session import EncoderSession
from engine.encoder.waiting import F32, Work
from engine.parent import end_with

FOLDER = "model"
THREADS = "FINMESH_ENCODER_THREADS"
_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class Model:
    """IDS, MASK (n, s) int64 and IS_QUERY (1,) bool to VECTORS (n, dimension) float32 and MODEL_SHA256 (32,) uint8."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the encoder that lies in the model's folder, check it, and start its thread."""
        end_with(os.getppid())
        folder = Path(args["model_repository"]) / FOLDER
        self._manifest = manifests.read(folder)
        threads = int(os.environ.get(THREADS) or len(os.sched_getaffinity(0)))
        session = EncoderSession(folder, self._manifest, threads=threads)
        self._sha256 = np.array(bytearray(session.sha256), dtype=np.uint8)
        self._loop = Loop(session.encode)

    def execute(self, requests: list[Any]) -> None:
        """Queue requests; each is answered through its own sender."""
        for request in requests:
            self._take(request)

    def finalize(self) -> None:
        """End the thread."""
        self._loop.close()

    def _take(self, request: Any) -> None:
        sender = request.get_response_sender()
        ids, mask, is_query = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("IDS", "MASK", "IS_QUERY"))

        def answer(found: F32 | Exception) -> None:
            sender.send(self._response(found), flags=_FINAL)

        try:
            rows = rows_of(ids, mask, self._manifest.vocabulary, self._manifest.max_tokens)
            self._loop.submit(Work(rows, bool(is_query[0]), answer))
        except (WrongRowsError, BusyError) as error:
            answer(error)

    def _response(self, found: F32 | Exception) -> Any:
        if isinstance(found, Exception):
            kind = {WrongRowsError: pb_utils.TritonError.INVALID_ARG, BusyError: pb_utils.TritonError.UNAVAILABLE}
            code = kind.get(type(found), pb_utils.TritonError.INTERNAL)
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(found), code))
        return pb_utils.InferenceResponse([pb_utils.Tensor("VECTORS", found), pb_utils.Tensor("MODEL_SHA256", self._sha256)])
