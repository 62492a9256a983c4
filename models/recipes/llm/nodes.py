"""Nodes and constants of a graph under construction: names, number type, products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from engine.llm.manifest import MODEL_DATA
from onnx import NodeProto, TensorProto, helper

from llm.architecture import F32
from llm.products import BLOCK, Dense, FourBits, Matrix

CONTRIB = "com.microsoft"
APART_BYTES, PAGE_BYTES = 1024, 4096
_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.uint8): TensorProto.UINT8,
}


class Nodes:
    """What has been built so far.

    `dtype`: the number type of activations, caches and float weights. `data`: the file model.onnx.data when weights stand apart.
    """

    def __init__(self, dtype: str = "float32", accuracy_level: int = 0, data: BinaryIO | None = None) -> None:
        self.dtype = np.dtype(dtype)
        self.float_type = _TYPES[self.dtype]
        self._accuracy_level, self._data = accuracy_level, data
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        """Add a constant; floats take the graph's number type."""
        if np.issubdtype(values.dtype, np.floating):
            values = values.astype(self.dtype)
        tensor = TensorProto(name=name, data_type=_TYPES[values.dtype], dims=values.shape)
        content = np.ascontiguousarray(values)
        if self._data is None or content.nbytes < APART_BYTES:
            tensor.raw_data = content.tobytes()
        else:
            self._apart(tensor, content, self._data)
        self.constants.append(tensor)
        return name

    def add(self, kind: str, inputs: Sequence[str], name: str, *, outputs: Sequence[str] = (), domain: str = "", **attributes: Any) -> str:
        """Add a node and return its first output, which is called `name` unless `outputs` says otherwise."""
        outputs = outputs or (name,)
        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), name=name, domain=domain, **attributes))
        return outputs[0]

    def product(self, activations: str, matrix: Matrix, name: str, *, bias: F32 | None = None, sums: str | None = None) -> str:
        """activations x matrix (+ bias). `sums`: the activations' block sums, which Q4_1 needs (`block_sums`)."""
        if isinstance(matrix, Dense):
            weight = self.constant(f"{name}.weight", matrix.values.T)
            found = self.add("MatMul", [activations, weight], f"{name}.product")
        else:
            found = self._four_bits(activations, matrix, name)
            if (offsets := matrix.offsets) is not None:
                assert sums is not None
                rest = self.add("MatMul", [sums, self.constant(f"{name}.offsets", offsets)], f"{name}.rest")
                found = self.add("Add", [found, rest], f"{name}.whole")
        return found if bias is None else self.add("Add", [found, self.constant(f"{name}.bias", bias)], f"{name}.biased")

    def block_sums(self, activations: str, matrix: Matrix, name: str) -> str | None:
        """Sums over each block of the last axis, once for all matrices that `activations` are multiplied by; None when none needs them."""
        if isinstance(matrix, Dense) or matrix.minimums is None:
            return None
        blocks = self.add("Reshape", [activations, self._shape("shape.blocks", [0, 0, -1, BLOCK])], f"{name}.blocks")
        return self.add("ReduceSum", [blocks, self._shape("axis.block", [3])], f"{name}.sums", keepdims=0)

    def norm(self, activations: str, weight: F32, name: str, epsilon: float) -> str:
        """Root-mean-square norm over the last axis."""
        inputs = [activations, self.constant(f"{name}.weight", weight)]
        return self.add("SimplifiedLayerNormalization", inputs, name, axis=-1, epsilon=epsilon, stash_type=1)

    def add_and_norm(self, activations: str, residual: str, weight: F32, name: str, epsilon: float) -> tuple[str, str]:
        """(norm of the sum, the sum), in one node."""
        inputs = [activations, residual, self.constant(f"{name}.weight", weight)]
        outputs = [f"{name}.output", "", "", f"{name}.residual"]
        self.add("SkipSimplifiedLayerNormalization", inputs, name, outputs=outputs, domain=CONTRIB, epsilon=epsilon)
        return outputs[0], outputs[3]

    def reshape(self, activations: str, shape: Sequence[int], name: str) -> str:
        return self.add("Reshape", [activations, self._shape("shape." + "_".join(map(str, shape)), shape)], name)

    def split(self, activations: str, widths: Sequence[int], names: Sequence[str]) -> None:
        """Cut the last axis."""
        self.add(
            "Split", [activations, self._shape("split." + "_".join(map(str, widths)), widths)], f"{names[0]}.split", outputs=names, axis=-1
        )

    def _four_bits(self, activations: str, matrix: FourBits, name: str) -> str:
        weights = [self.constant(f"{name}.weight", matrix.packed), self.constant(f"{name}.scales", matrix.scales)]
        return self.add(
            "MatMulNBits", [activations, *weights], f"{name}.product", domain=CONTRIB,
            K=matrix.packed.shape[1] * BLOCK, N=matrix.width, bits=4, block_size=BLOCK, accuracy_level=self._accuracy_level,
        )  # fmt: skip

    @staticmethod
    def _apart(tensor: TensorProto, content: npt.NDArray[np.generic], data: BinaryIO) -> None:
        """Write the values at the next page, so that whoever maps the file finds them aligned."""
        data.write(b"\0" * (-data.tell() % PAGE_BYTES))
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", MODEL_DATA), ("offset", data.tell()), ("length", content.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        data.write(content.data)

    def _shape(self, name: str, values: Sequence[int]) -> str:
        if all(constant.name != name for constant in self.constants):
            self.constant(name, np.array(values, np.int64))
        return name
