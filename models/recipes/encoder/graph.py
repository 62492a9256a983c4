"""The graph: ids and mask in, the mean over each text's pieces out, length 1.

BERT with learnt positions. The table of pieces keeps its four bits; products are of 8-bit numbers, or of floats to compare with.
Surprising: positions are a `Slice` of their table, because `Range` crashed in ONNX Runtime's fusion; weights go to 64 and not to 127,
because processors without VNNI add two products in 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from llm.nodes import CONTRIB, Nodes
from onnx import TensorProto, helper

from encoder.packed_file import BLOCK, F32, Blocks, Packed
from encoder.ranges import Range, Ranges

IDS, MASK, VECTORS = "ids", "mask", "vectors"
WEIGHT_TOP = 64
_OPSET, _IR = 21, 10
_INPUT_TOP = 255
Product = Callable[[str, F32, str, F32 | None, str], str]
"""(input, weights (out, in), its name, bias, place of its input) to the output."""


def build(packed: Packed, table: Blocks, ranges: Ranges | None, taps: Sequence[str] = ()) -> bytes:
    """Return the model with this table of pieces. ``ranges`` None: in floats; ``taps``: values that become outputs as well."""
    nodes = Nodes()
    product = _exact(nodes) if ranges is None else _rounded(nodes, ranges)
    values = _embedded(nodes, packed, table)
    nodes.add("Cast", [MASK], "mask.whole", to=TensorProto.INT32)
    nodes.add("Cast", [MASK], "mask.floats", to=TensorProto.FLOAT)
    for layer in range(packed.layers):
        values = _layer(nodes, packed, layer, values, product)
    rows = nodes.add("Unsqueeze", ["mask.floats", _whole(nodes, "axis.1", 1)], "mask.rows")
    sums = nodes.add("MatMul", [rows, values], "sums")
    flat = nodes.add("Squeeze", [sums, "axis.1"], "sums.flat")
    nodes.add("LpNormalization", [flat], VECTORS, axis=-1, p=2)
    outputs = [helper.make_tensor_value_info(VECTORS, TensorProto.FLOAT, ["n", packed.hidden])]
    outputs += [helper.make_tensor_value_info(tap, TensorProto.FLOAT, None) for tap in taps]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "s"]) for name in (IDS, MASK)]
    graph = helper.make_graph(nodes.nodes, "encoder", inputs, outputs, nodes.constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIB, 1)], ir_version=_IR, producer_name="finmesh"
    )
    return bytes(model.SerializeToString(deterministic=True))


def value_at(layer: int, place: str) -> str:
    """Name of the value that is the input at a place of a layer."""
    if place == "in":
        return "embedded" if layer == 0 else f"l{layer - 1}.x2"
    return f"l{layer}.{place}"


def _embedded(nodes: Nodes, packed: Packed, table: Blocks) -> str:
    width = packed.hidden
    numbers = np.concatenate([table.packed & 15, table.packed >> 4], axis=-1).reshape(-1, width) ^ 8  # two's complement of number - 8
    raw = (numbers[:, 0::2] | numbers[:, 1::2] << 4).astype(np.uint8)
    nodes.constants.append(TensorProto(name="pieces", data_type=TensorProto.INT4, dims=numbers.shape, raw_data=raw.tobytes()))
    scales = nodes.constant("pieces.scales", table.scales)
    nodes.add(
        "GatherBlockQuantized", ["pieces", IDS, scales], "pieces.floats", domain=CONTRIB, block_size=BLOCK, gather_axis=0, quantize_axis=1
    )
    positions = packed.floats("emb.pos", packed.max_positions, width) + packed.floats("emb.type", 2, width)[0]
    count = nodes.add("Shape", [IDS], "count", start=1, end=2)
    axes = [_whole(nodes, "first", 0), count, _whole(nodes, "axis.0", 0)]
    nodes.add("Slice", [nodes.constant("positions", positions), *axes], "positions.used")
    both = nodes.add("Add", ["pieces.floats", "positions.used"], "embedded.sum")
    norm = [nodes.constant(f"embedded.{kind}", packed.floats(f"emb.ln.{kind}", width)) for kind in "wb"]
    return nodes.add("LayerNormalization", [both, *norm], "embedded", axis=-1, epsilon=packed.epsilon)


def _layer(nodes: Nodes, packed: Packed, layer: int, values: str, product: Product) -> str:
    width, wide, at = packed.hidden, packed.feed_forward, f"l{layer}"

    def weights(name: str, out: int, into: int) -> F32:
        return packed.matrix(f"{at}.{name}.w", out, into).dense()

    def floats(name: str, size: int) -> F32:
        return packed.floats(f"{at}.{name}", size)

    def added(output: str, norm: str, name: str) -> str:
        constants = [nodes.constant(f"{name}.{kind}", floats(f"{norm}.{kind}", width)) for kind in "wb"]
        both = nodes.add("Add", [output, values], f"{name}.sum")
        return nodes.add("LayerNormalization", [both, *constants], name, axis=-1, epsilon=packed.epsilon)

    three = np.concatenate([weights(each, width, width) for each in "qkv"])
    bias = np.concatenate([floats(f"{each}.b", width) for each in "qkv"])
    parts = [f"{at}.{each}" for each in "qkv"]
    nodes.split(product(values, three, f"{at}.qkv", bias, f"{at}.in"), [width] * 3, parts)
    nodes.add("MultiHeadAttention", [*parts, "", "mask.whole"], f"{at}.att", domain=CONTRIB, num_heads=packed.heads)
    output = product(f"{at}.att", weights("ao", width, width), f"{at}.ao", floats("ao.b", width), f"{at}.att")
    values = added(output, "aln", f"{at}.x1")
    output = product(values, weights("fi", wide, width), f"{at}.fi", floats("fi.b", wide), f"{at}.x1")
    nodes.add("Gelu", [output], f"{at}.g", domain=CONTRIB)
    output = product(f"{at}.g", weights("fo", width, wide), f"{at}.fo", floats("fo.b", width), f"{at}.g")
    return added(output, "oln", f"{at}.x2")


def _exact(nodes: Nodes) -> Product:
    def product(values: str, weights: F32, name: str, bias: F32 | None, place: str) -> str:
        found = nodes.add("MatMul", [values, nodes.constant(f"{name}.weight", weights.T)], f"{name}.product")
        return found if bias is None else nodes.add("Add", [found, nodes.constant(f"{name}.bias", bias)], f"{name}.biased")

    return product


def _rounded(nodes: Nodes, ranges: Ranges) -> Product:
    def product(values: str, weights: F32, name: str, bias: F32 | None, place: str) -> str:
        reach = ranges[place]
        if (divided := reach.divided(weights.shape[1])) is not None:
            values = nodes.add("Mul", [values, nodes.constant(f"{name}.even", 1 / divided)], f"{name}.evened")
            weights = weights * divided
        step, zero = _steps(reach)
        by = [nodes.constant(f"{name}.step", np.array(step, np.float32)), nodes.constant(f"{name}.zero", np.array(zero, np.uint8))]
        numbers = nodes.add("QuantizeLinear", [values, *by], f"{name}.numbers")
        scales = np.maximum(np.abs(weights).max(axis=1) / WEIGHT_TOP, np.float32(1e-12)).astype(np.float32)
        whole = np.clip(np.rint(weights / scales[:, None]), -WEIGHT_TOP, WEIGHT_TOP).astype(np.int8)
        inputs = [numbers, nodes.constant(f"{name}.weight", whole.T), by[0], nodes.constant(f"{name}.scales", scales), by[1]]
        inputs.append(nodes.constant(f"{name}.weight.zero", np.zeros(len(scales), np.int8)))
        if bias is not None:
            inputs.append(nodes.constant(f"{name}.bias", bias))
        return nodes.add("MatMulIntegerToFloat", inputs, f"{name}.product", domain=CONTRIB)

    return product


def _steps(reach: Range) -> tuple[float, int]:
    """(width of a step, the number that means 0): zero is one of the 256 numbers."""
    least, most = min(reach.least, 0.0), max(reach.most, 0.0)
    step = (most - least) / _INPUT_TOP
    return step, round(-least / step)


def _whole(nodes: Nodes, name: str, value: int) -> str:
    return nodes.constant(name, np.array([value], np.int64))
