"""One step of the graph: a token for every row that writes, or a chunk of one row's prompt.

Its place: the only module beside `loading` and `memory` that knows ONNX Runtime. Bindings live long: inputs, keys, values and logits are
bound to memory once for each shape, and a step only changes numbers in that memory.

Surprising:

- Rows 0 to the highest in use are computed, at least `fewest_rows` (see `engine.llm.warmup`); those that don't write have
  `query_seqlens` 0, which leaves their keys and values as they are.
- A chunk binds its row alone, as a batch of one that starts at the row's address.
- A prompt of one token is padded to two: see `engine.llm.scheduler` on chunks of one.
- With an accelerator inputs are copied when they are bound, so the small ones are bound again each step.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from engine.llm.limits import LARGEST_CHUNK
from engine.llm.loading import LoadedModel
from engine.llm.memory import DeviceMemory, HostMemory, Memory

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

_KEPT_CHUNK_BINDINGS = 256


class _Inputs:
    """The small inputs of ``rows`` rows and a chunk, and where their logits go."""

    def __init__(self, rows: int, chunk: int, max_len: int, vocabulary: int) -> None:
        self.arrays: dict[str, npt.NDArray[np.generic]] = {
            "input_ids": np.zeros((rows, chunk), dtype=np.int64),
            "query_seqlens": np.zeros(rows, dtype=np.int32),
            "seqlens_k": np.zeros(rows, dtype=np.int32),
            "total_sequence_length": np.array(max_len, dtype=np.int32),
            "logits_at": np.zeros((rows, 1), dtype=np.int64),
        }
        self.ids, self.counts, self.ends, _, self.at = self.arrays.values()
        self.logits = np.zeros((rows, vocabulary), dtype=np.float32)


class Runner:
    """Graph and KV memory of ``rows`` rows of ``max_len`` tokens. Used by one thread at a time."""

    def __init__(self, model: LoadedModel, rows: int, max_len: int) -> None:
        layout, self._model, self._max_len = model.manifest.layout, model, max_len
        self.memory: Memory
        if model.device == "cpu":
            self.memory = HostMemory(layout, rows, max_len)
        else:
            self.memory = DeviceMemory(layout, rows, max_len, device=model.device, device_id=model.device_id, session=model.session)
        self._shape, self._dtype = (layout.kv_heads, max_len, layout.head_dim), np.dtype(layout.dtype).type
        self._writing = _Inputs(rows, 1, max_len, model.manifest.vocabulary)
        self._reading = _Inputs(1, LARGEST_CHUNK, max_len, model.manifest.vocabulary)
        self._write_bindings: dict[int, ort.IOBinding] = {}
        self._read_bindings: OrderedDict[tuple[int, int], ort.IOBinding] = OrderedDict()
        self._options = ort.RunOptions()
        self._highest = 0
        self.fewest_rows = 1

    def write(self, rows: Sequence[int], tokens: Sequence[int], lengths: Sequence[int]) -> F32:
        """Feed a token to each of ``rows`` (ascending), which hold ``lengths`` tokens.

        Returns logits by row, at least to the highest one, (R, V), valid until the next call.
        """
        inputs, count = self._writing, max(rows[-1] + 1, self.fewest_rows)
        inputs.counts[: max(count, self._highest)] = 0
        inputs.ends[: max(count, self._highest)] = 0
        own = np.asarray(rows)
        inputs.ids[own, 0] = tokens
        inputs.counts[own] = 1
        inputs.ends[own] = lengths
        self._highest = count
        binding = self._write_bindings.get(count)
        if binding is None:
            binding = self._write_bindings[count] = self._bound(inputs, 0, count, 1)
        self._run(binding, inputs, count, 1)
        return inputs.logits[:count]

    def read(self, row: int, tokens: I64, start: int) -> F32:
        """Read ``tokens`` of a prompt into a row from ``start`` on.

        Returns the logits after the last one (1, V), valid until the next call.
        """
        inputs, count = self._reading, len(tokens)
        width = max(count, 2)
        inputs.ids[0, :count] = tokens
        inputs.ids[0, count:width] = 0
        inputs.counts[0] = count
        inputs.ends[0] = start + count - 1
        inputs.at[0, 0] = count - 1
        binding = self._read_bindings.get((row, width))
        if binding is None:
            binding = self._read_bindings[row, width] = self._bound(inputs, row, 1, width)
            if len(self._read_bindings) > _KEPT_CHUNK_BINDINGS:
                self._read_bindings.popitem(last=False)
        self._read_bindings.move_to_end((row, width))
        self._run(binding, inputs, 1, width)
        return inputs.logits

    def _run(self, binding: ort.IOBinding, inputs: _Inputs, rows: int, chunk: int) -> None:
        if self.memory.device != "cpu":
            self._bind_small(binding, inputs, rows, chunk)
        self._model.session.run_with_iobinding(binding, self._options)

    def _bound(self, inputs: _Inputs, first: int, rows: int, chunk: int) -> ort.IOBinding:
        binding, device, number = self._model.session.io_binding(), self.memory.device, self.memory.device_id
        self._bind_small(binding, inputs, rows, chunk)
        logits = inputs.logits[:rows]
        binding.bind_output("logits", "cpu", 0, np.float32, (rows, 1, logits.shape[1]), logits.ctypes.data)
        shape = (rows, *self._shape)
        for layer, addresses in enumerate(self.memory.pointers(first)):
            for kind, address in zip(("key", "value"), addresses, strict=True):
                binding.bind_input(f"past.{layer}.{kind}", device, number, self._dtype, shape, address)
                binding.bind_output(f"present.{layer}.{kind}", device, number, self._dtype, shape, address)
        return binding

    def _bind_small(self, binding: ort.IOBinding, inputs: _Inputs, rows: int, chunk: int) -> None:
        for name, array in inputs.arrays.items():
            shape: tuple[int, ...] = {0: (), 1: (rows,), 2: (rows, chunk if name == "input_ids" else 1)}[array.ndim]
            binding.bind_input(name, "cpu", 0, array.dtype.type, shape, array.ctypes.data)
