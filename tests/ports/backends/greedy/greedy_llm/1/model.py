"""Greedy answers by plain ONNX Runtime: the whole sequence anew for each token. Knows nothing of finmesh but the inputs of its graph."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb

FOLDER = Path("greedy-model")
CAPACITY = 1024


class TritonPythonModel:
    """One session of two threads, four answers at a time."""

    def initialize(self, args):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 2
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession((FOLDER / "model.onnx").read_bytes(), options)
        self.ends = set(json.loads((FOLDER / "manifest.json").read_text())["end_ids"])
        self.past = {
            each.name: np.zeros((1, each.shape[1], CAPACITY, each.shape[3]), np.float32)
            for each in self.session.get_inputs()
            if each.name.startswith("past.")
        }
        self.pool = ThreadPoolExecutor(4)

    def execute(self, requests):
        for request in requests:
            self.pool.submit(self.answer, request, request.get_response_sender())

    def answer(self, request, sender):
        try:
            tokens, most, goes_on = (pb.get_input_tensor_by_name(request, name).as_numpy() for name in ("TOKENS", "MAX_NEW", "IGNORE_EOS"))
            ids = list(tokens)
            for left in range(int(most[0]) - 1, -1, -1):
                ids.append(self.next(ids))
                is_end = ids[-1] in self.ends and not goes_on[0]
                self.send(sender, [ids[-1]], b"stop" if is_end else b"" if left else b"length")
                if is_end:
                    break
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
        except Exception as error:
            sender.send(pb.InferenceResponse(error=pb.TritonError(type(error).__name__)), flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def next(self, ids):
        count = len(ids)
        feeds = {
            "input_ids": np.array([ids], np.int64),
            "query_seqlens": np.array([count], np.int32),
            "seqlens_k": np.array([count - 1], np.int32),
            "total_sequence_length": np.array(CAPACITY, np.int32),
            "logits_at": np.array([[count - 1]], np.int64),
        }
        (logits,) = self.session.run(["logits"], feeds | self.past)
        return int(logits[0, 0].argmax())

    def send(self, sender, ids, reason):
        sender.send(pb.InferenceResponse([pb.Tensor("NEXT", np.array(ids, np.int32)), pb.Tensor("REASON", np.array([reason], np.object_))]))
