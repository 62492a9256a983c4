"""OpenVINO GenAI inside Triton, by the open protocol: ids in, a response for each token out.

Surprising: one answer at a time. Its pipeline takes no second prompt while it writes, so that answers wait here for one another; the row
says `rows: 1`. Whoever has gone away ends its answer with the next token, which the pipeline is told.
"""

import json
import queue
import threading
from pathlib import Path

import numpy as np
import openvino as ov
import openvino_genai as genai
import triton_python_backend_utils as pb

FINAL = pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TritonPythonModel:
    """One pipeline, one thread that writes."""

    def initialize(self, args):
        given = {name: value["string_value"] for name, value in json.loads(args["model_config"])["parameters"].items()}
        path = Path(given["model"]).resolve()  # its suffix says what it is
        self.pipeline = genai.LLMPipeline(str(path), given["device"])
        self.requests = queue.Queue()
        self.answer([1, 2, 3], self.asked(1, 0.0, 1.0, 0, 0, False), lambda ids, reason: None)
        threading.Thread(target=self.run, daemon=True).start()

    def execute(self, requests):
        for request in requests:
            self.requests.put((request, request.get_response_sender()))

    def run(self):
        while True:
            request, sender = self.requests.get()
            try:
                names = ("MAX_TOKENS", "TEMPERATURE", "TOP_P", "TOP_K", "SEED", "IGNORE_END")
                ids, *how = (pb.get_input_tensor_by_name(request, name).as_numpy() for name in ("INPUT_IDS", *names))
                self.answer(ids.tolist(), self.asked(*(each[0] for each in how)), lambda ids, reason, to=sender: self.send(to, ids, reason))
                sender.send(flags=FINAL)
            except Exception as error:
                sender.send(pb.InferenceResponse(error=pb.TritonError(type(error).__name__)), flags=FINAL)

    def asked(self, most, temperature, top_p, top_k, seed, goes_on):
        config = self.pipeline.get_generation_config()
        config.apply_chat_template = False
        config.max_new_tokens = int(most)
        config.ignore_eos = bool(goes_on)
        config.do_sample = float(temperature) > 0
        if config.do_sample:
            config.temperature, config.top_p, config.rng_seed = float(temperature), float(top_p), int(seed)
            config.top_k = int(top_k) or config.top_k
        return config

    def answer(self, ids, config, tell):
        told = Told(tell, int(config.max_new_tokens), set() if config.ignore_eos else set(config.stop_token_ids))
        tokens = np.array([ids], np.int64)
        prompt = genai.TokenizedInputs(ov.Tensor(tokens), ov.Tensor(np.ones_like(tokens)))
        self.pipeline.generate(prompt, config, told)
        if not told.is_over:
            tell([], b"stop")

    @staticmethod
    def send(sender, ids, reason):
        if not sender.is_cancelled():
            tensors = [pb.Tensor("OUTPUT_IDS", np.array(ids, np.int64)), pb.Tensor("FINISH", np.array([reason], np.object_))]
            sender.send(pb.InferenceResponse(tensors))
        return not sender.is_cancelled()


class Told(genai.StreamerBase):
    """Passes tokens on, one by one or several at once, and says why the last was the last."""

    def __init__(self, tell, most, ends):
        super().__init__()
        self.tell, self.most, self.ends, self.count, self.is_over = tell, most, ends, 0, False

    def write(self, token):
        ids = list(token) if isinstance(token, list | tuple) else [token]
        self.count += len(ids)
        reason = b"stop" if ids[-1] in self.ends else b"length" if self.count >= self.most else b""
        self.is_over = bool(reason)
        return genai.StreamingStatus.CANCEL if self.tell(ids, reason) is False else genai.StreamingStatus.RUNNING

    def end(self):
        pass
