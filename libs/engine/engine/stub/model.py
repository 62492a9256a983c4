"""What Triton loads: `class TritonPythonModel(Model)`. Requests of Triton in, answers out; everything else is in `parts`.

Surprising: `initialize` returns when the model's files are checked and the engine is warm, so that Triton is not ready before. Nobody
but Triton can import this module.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from engine.handoff.publisher import Publisher
from engine.handoff.puller import Puller
from engine.parent import end_with
from engine.stub import settings as stub_settings
from engine.stub.parts import Parts, assemble
from engine.stub.process import write_pid

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TritonAnswer:
    """One request of Triton, which waits for its last response."""

    def __init__(self, request: Any) -> None:
        self._sender = request.get_response_sender()

    @property
    def is_cancelled(self) -> bool:
        """Whether whoever asked is gone."""
        return bool(self._sender.is_cancelled())

    def send(self, content: bytes, *, is_last: bool = False) -> None:
        """Send a response."""
        response = pb_utils.InferenceResponse([pb_utils.Tensor("BODY", np.frombuffer(content, np.uint8))])
        self._sender.send(response, flags=_FINAL if is_last else 0)

    def end(self) -> None:
        """Say that no more comes."""
        self._sender.send(flags=_FINAL)


class Model:
    """``publisher`` and ``puller``: what makes them, for who wants others than the real ones."""

    def __init__(self, publisher: Any = Publisher, puller: Any = Puller) -> None:
        self._publisher, self._puller = publisher, puller
        self._parts: Parts | None = None

    def initialize(self, args: dict[str, str]) -> None:
        """Load, check, warm up, and say which process this is."""
        end_with(os.getppid())
        told = stub_settings.read(Path(args["model_repository"]))
        self._parts = assemble(told, self._publisher, self._puller)
        if told.pid_file is not None:
            write_pid(told.pid_file, os.getppid())

    def execute(self, requests: list[Any]) -> None:
        """Take operations; each is answered through its own sender."""
        assert self._parts is not None
        for request in requests:
            answer = TritonAnswer(request)
            name = pb_utils.get_input_tensor_by_name(request, "OP").as_numpy()[0].decode("ascii", "replace")
            body = pb_utils.get_input_tensor_by_name(request, "BODY").as_numpy().tobytes()
            self._parts.operations.handle(name, body, answer)

    def finalize(self) -> None:
        """End everything."""
        if self._parts is not None:
            self._parts.close()
