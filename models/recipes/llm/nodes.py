"""Nodes and constants of a graph under construction: names, number type, products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from engine.llm.manifest import MODEL_DATA
from onnx import NodeProto, TensorProto, helper

from llm.architecture import F32
from llm.products import BLOCK, Blocks, Dense, Matrix, in_nibbles, stacked

CONTRIB = "com.microsoft"
APART_BYTES, PAGE_BYTES = 1024, 4096
_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.int8): TensorProto.INT8,
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
        self._named: set[str] = set()

    def constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        """Add a constant, once; floats take the graph's number type."""
        if name in self._named:
            return name
        self._named.add(name)
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

    def product(self, activations: str, parts: Sequence[Matrix], name: str, *, bias: F32 | None = None) -> str:
        """activations x each of `parts`, side by side (+ bias): one product when they are of one kind."""
        if (matrix := stacked(parts)) is not None:
            found = self._one_product(activations, matrix, name)
        else:
            each = [self._one_product(activations, part, f"{name}.{index}") for index, part in enumerate(parts)]
            found = self.add("Concat", each, f"{name}.beside", axis=-1)
        return found if bias is None else self.add("Add", [found, self.constant(f"{name}.bias", bias)], f"{name}.biased")

    def table(self, ids: str, matrix: Matrix, name: str) -> str:
        """The rows of `matrix` that `ids` name, in the graph's number type; as in `Matrix.dense`."""
        if isinstance(matrix, Dense):
            return self.add("Gather", [self.constant(f"{name}.weight", matrix.values), ids], name)
        numbers = self.add("Gather", [self.constant(f"{name}.weight", matrix.numbers()), ids], f"{name}.numbers")
        found = self.add("Cast", [numbers], f"{name}.floats", to=self.float_type)
        if matrix.minimums is None:
            middle = self.constant(f"{name}.middle", np.array(matrix.middle, np.float32))
            found = self.add("Sub", [found, middle], f"{name}.centred")
        found = self.add("Mul", [found, self._rows_of(ids, matrix.scales, f"{name}.scales")], f"{name}.scaled")
        if matrix.minimums is not None:
            found = self.add("Add", [found, self._rows_of(ids, matrix.minimums, f"{name}.minimums")], f"{name}.shifted")
        return self.reshape(found, [0, 0, -1], name)

    def tied_product(self, activations: str, matrix: Matrix, table: str, name: str) -> str:
        """activations x the matrix that stands as `table` already, without a second copy of it where that is possible."""
        if isinstance(matrix, Dense):
            return self.add("FusedMatMul", [activations, f"{table}.weight"], f"{name}.product", domain=CONTRIB, transB=1)
        return self._one_product(activations, matrix, name, table if matrix.bits == 8 else None)

    def _rows_of(self, ids: str, values: F32, name: str) -> str:
        rows = self.add("Gather", [self.constant(name, values), ids], f"{name}.rows")
        return self.add("Unsqueeze", [rows, self.constant("axis.last", np.array([-1], np.int64))], f"{name}.each")

    def _one_product(self, activations: str, matrix: Matrix, name: str, table: str | None = None) -> str:
        if isinstance(matrix, Dense):
            return self.add("MatMul", [activations, self.constant(f"{name}.weight", matrix.values.T)], f"{name}.product")
        offsets, inputs = matrix.offsets, activations
        if matrix.bits == 8 and self._accuracy_level == 0 and self.dtype == np.float32:
            matrix, offsets, table = *in_nibbles(matrix), None
            inputs = self.add("Concat", [activations, activations], f"{name}.twice", axis=-1)
        found = self._of_blocks(inputs, matrix, name, table or name)
        if offsets is None:
            return found
        rest = self.add("MatMul", [self._block_sums(activations), self.constant(f"{name}.offsets", offsets)], f"{name}.rest")
        return self.add("Add", [found, rest], f"{name}.whole")

    def _of_blocks(self, activations: str, matrix: Blocks, name: str, constants: str) -> str:
        weights = [self.constant(f"{constants}.weight", matrix.packed), self.constant(f"{constants}.scales", matrix.scales)]
        out, width = matrix.shape
        return self.add(
            "MatMulNBits", [activations, *weights], f"{name}.product", domain=CONTRIB,
            K=width, N=out, bits=matrix.bits, block_size=BLOCK, accuracy_level=self._accuracy_level,
        )  # fmt: skip

    def _block_sums(self, activations: str) -> str:
        """Sums over each block of the last axis, made once for all matrices that `activations` are multiplied by."""
        name = f"{activations}.sums"
        if all(name not in node.output for node in self.nodes):
            blocks = self.add("Reshape", [activations, self._shape("shape.blocks", [0, 0, -1, BLOCK])], f"{activations}.blocks")
            self.add("ReduceSum", [blocks, self._shape("axis.block", [3])], name, keepdims=0)
        return name

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

    def name_output(self, values: str, name: str) -> None:
        """Call the last node's output `name`, as 32-bit floats."""
        if self.float_type != TensorProto.FLOAT:
            self.add("Cast", [values], name, to=TensorProto.FLOAT)
        else:
            assert list(self.nodes[-1].output) == [values]
            self.nodes[-1].output[:] = [name]

    def reshape(self, activations: str, shape: Sequence[int], name: str) -> str:
        return self.add("Reshape", [activations, self._shape("shape." + "_".join(map(str, shape)), shape)], name)

    def split(self, activations: str, widths: Sequence[int], names: Sequence[str]) -> None:
        """Cut the last axis."""
        self.add(
            "Split", [activations, self._shape("split." + "_".join(map(str, widths)), widths)], f"{names[0]}.split", outputs=names, axis=-1
        )

    @staticmethod
    def _apart(tensor: TensorProto, content: npt.NDArray[np.generic], data: BinaryIO) -> None:
        """Write the values at the next page, so that whoever maps the file finds them aligned."""
        data.write(b"\0" * (-data.tell() % PAGE_BYTES))
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", MODEL_DATA), ("offset", data.tell()), ("length", content.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        data.write(content.data)

    def _shape(self, name: str, values: Sequence[int]) -> str:
        return self.constant(name, np.array(values, np.int64))
