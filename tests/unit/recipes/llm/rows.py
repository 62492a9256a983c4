"""Steps of a model over caches that are bound in place, as plainly as it can be done; for tests of graphs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from engine.llm import manifest as manifests

Row = tuple[Sequence[int], int]
"""The tokens of this step and the length before it."""


class Rows:
    """`caches`: keys and values of each layer, (rows, kv heads, capacity, head dim)."""

    def __init__(self, folder: Path, rows: int, capacity: int = 64) -> None:
        self.manifest = manifests.read(folder)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.capacity = capacity
        layout = self.manifest.layout
        shape = (rows, layout.kv_heads, capacity, layout.head_dim)
        self.dtype = np.dtype(layout.dtype)
        self.caches = [np.zeros(shape, self.dtype) for _ in range(2 * layout.layers)]

    def step(self, rows: Sequence[Row], *, first: int = 0) -> npt.NDArray[np.float32]:
        """Logits of every position, (rows, chunk, vocabulary). `first`: the row of the caches where `rows` begin."""
        count, chunk = len(rows), max(1, *(len(tokens) for tokens, _ in rows))
        ids = np.full((count, chunk), 7, np.int64)  # what stands in the padding must not matter
        for index, (tokens, _) in enumerate(rows):
            ids[index, : len(tokens)] = tokens
        inputs = {
            "input_ids": ids,
            "query_seqlens": np.array([len(tokens) for tokens, _ in rows], np.int32),
            "seqlens_k": np.array([max(0, before + len(tokens) - 1) for tokens, before in rows], np.int32),
            "total_sequence_length": np.array(self.capacity, np.int32),
            "logits_at": np.tile(np.arange(chunk, dtype=np.int64), (count, 1)),
        }
        return self.run(inputs, slice(first, first + count))

    def run(self, inputs: dict[str, npt.NDArray[np.generic]], rows: slice) -> npt.NDArray[np.float32]:
        binding = self.session.io_binding()
        for name, value in inputs.items():
            binding.bind_cpu_input(name, value)
        for index, whole in enumerate(self.caches):
            name, view = f"{index // 2}.{('key', 'value')[index % 2]}", whole[rows]
            assert view.flags.c_contiguous
            binding.bind_input(f"past.{name}", "cpu", 0, self.dtype, view.shape, view.ctypes.data)
            binding.bind_output(f"present.{name}", "cpu", 0, self.dtype, view.shape, view.ctypes.data)
        logits = np.full((*inputs["logits_at"].shape, self.manifest.vocabulary), np.nan, np.float32)
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        self.session.run_with_iobinding(binding)
        return logits


def greedy(rows: Rows, prompts: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    """The `count` likeliest tokens after each prompt, all prompts of one length and in rows 0, 1, ..."""
    length = len(prompts[0])
    found = [[int(each)] for each in rows.step([(prompt, 0) for prompt in prompts])[:, length - 1].argmax(-1)]
    for at in range(length, length + count - 1):
        step = rows.step([(tokens[-1:], at) for tokens in found])
        for tokens, best in zip(found, step[:, 0].argmax(-1), strict=True):
            tokens.append(int(best))
    return found
