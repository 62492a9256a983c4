"""The graph of a Llama, Qwen2 or Qwen3 as the engine runs it: ragged rows over caches that are bound in place.

Inputs: `input_ids` (R, C), padded on the right; `query_seqlens` (R), how many of them count, 0 for a row that rests and whose cache stays
as it is; `seqlens_k` (R), the row's length after this step less one; `total_sequence_length`, the capacity; `logits_at` (R, M), the
positions whose logits are wanted: hidden states are gathered before the last and widest product. `past.{i}.key/value` and
`present.{i}.key/value` (R, kv heads, capacity, head dim) are to be bound to the same memory. Output: `logits` (R, M, V), 32-bit floats.
Positions follow from the lengths; the rotary embedding is applied inside GroupQueryAttention, its scaling stands in the caches.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from llm.architecture import F32, Architecture, rope_caches
from llm.nodes import CONTRIB, Nodes
from llm.products import Dense, Matrix

OPSET, IR_VERSION = 21, 10
Weight = Callable[[str], Matrix]
"""The tensor of a Hugging Face name; vectors are Dense with one axis."""


def build(architecture: Architecture, weight: Weight, nodes: Nodes) -> ModelProto:
    """Return the model, built from empty `nodes`; weights are asked for one after the other, each once (a tied embedding twice)."""
    nodes.constant("cos_cache", (caches := rope_caches(architecture.rope, architecture.head_dim, architecture.max_position))[0])
    nodes.constant("sin_cache", caches[1])
    hidden = nodes.table("input_ids", weight("model.embed_tokens.weight"), "embed_tokens")
    pending: str | None = None
    for index in range(architecture.layers):
        hidden, pending = _layer(nodes, architecture, weight, index, hidden, pending)
    _head(nodes, architecture, weight, hidden, pending)
    return _model(nodes, architecture)


def _layer(nodes: Nodes, a: Architecture, weight: Weight, index: int, hidden: str, pending: str | None) -> tuple[str, str]:
    """(residual, what the next norm adds to it): sums and norms are one node, so the sum is left to whoever norms next."""
    own = f"model.layers.{index}."
    normed, hidden = _norm(nodes, a, _vector(weight(own + "input_layernorm.weight")), f"layer.{index}.input_norm", hidden, pending)
    attended = _attention(nodes, a, weight, index, normed)
    output = nodes.product(attended, [weight(own + "self_attn.o_proj.weight")], f"layer.{index}.o")
    normed, hidden = _norm(nodes, a, _vector(weight(own + "post_attention_layernorm.weight")), f"layer.{index}.post_norm", hidden, output)
    return hidden, _mlp(nodes, a, weight, index, normed)


def _attention(nodes: Nodes, a: Architecture, weight: Weight, index: int, normed: str) -> str:
    own, name = f"model.layers.{index}.self_attn.", f"layer.{index}.attention"
    parts = [weight(f"{own}{each}_proj.weight") for each in "qkv"]
    bias = np.concatenate([_vector(weight(f"{own}{each}_proj.bias")) for each in "qkv"]) if a.qkv_bias else None
    packed = nodes.product(normed, parts, f"layer.{index}.qkv", bias=bias)
    query, key, value = packed, "", ""
    if a.qk_norm:
        query, key, value = names = [f"layer.{index}.{each}" for each in "qkv"]
        nodes.split(packed, [a.q_width, a.kv_width, a.kv_width], names)
        query = _head_norm(nodes, a, _vector(weight(own + "q_norm.weight")), query, a.q_width)
        key = _head_norm(nodes, a, _vector(weight(own + "k_norm.weight")), key, a.kv_width)
    return nodes.add(
        "GroupQueryAttention",
        [query, key, value, f"past.{index}.key", f"past.{index}.value", "seqlens_k", "total_sequence_length", "cos_cache", "sin_cache",
         "", "", "", "", "", "", "", "query_seqlens"],
        name, outputs=[name, f"present.{index}.key", f"present.{index}.value"], domain=CONTRIB,
        num_heads=a.heads, kv_num_heads=a.kv_heads, do_rotary=1, rotary_interleaved=0, scale=a.head_dim**-0.5,
    )  # fmt: skip


def _head_norm(nodes: Nodes, a: Architecture, weight: F32, values: str, width: int) -> str:
    heads = nodes.reshape(values, [0, 0, -1, a.head_dim], f"{values}.heads")
    normed = nodes.norm(heads, weight, f"{values}.norm", a.norm_epsilon)
    return nodes.reshape(normed, [0, 0, width], f"{values}.normed")


def _mlp(nodes: Nodes, a: Architecture, weight: Weight, index: int, normed: str) -> str:
    own, name = f"model.layers.{index}.mlp.", f"layer.{index}.mlp"
    both = nodes.product(normed, [weight(own + "gate_proj.weight"), weight(own + "up_proj.weight")], f"layer.{index}.gate_up")
    nodes.split(both, [a.intermediate, a.intermediate], [f"{name}.gate", f"{name}.up"])
    gate = nodes.add("QuickGelu", [f"{name}.gate"], f"{name}.silu", domain=CONTRIB, alpha=1.0)
    inner = nodes.add("Mul", [gate, f"{name}.up"], f"{name}.inner")
    return nodes.product(inner, [weight(own + "down_proj.weight")], f"layer.{index}.down")


def _head(nodes: Nodes, a: Architecture, weight: Weight, hidden: str, pending: str | None) -> None:
    """The wanted positions alone are normed and projected."""
    at = nodes.add("Unsqueeze", ["logits_at", nodes.constant("axis.last", np.array([-1], np.int64))], "logits_at.pairs")
    wanted = nodes.add("GatherND", [hidden, at], "wanted", batch_dims=1)
    if pending is not None:
        pending = nodes.add("GatherND", [pending, at], "wanted.pending", batch_dims=1)
    normed, _ = _norm(nodes, a, _vector(weight("model.norm.weight")), "norm", wanted, pending)
    if a.tied:
        logits = nodes.tied_product(normed, weight("model.embed_tokens.weight"), "embed_tokens", "lm_head")
    else:
        logits = nodes.product(normed, [weight("lm_head.weight")], "lm_head")
    nodes.name_output(logits, "logits")


def _norm(nodes: Nodes, a: Architecture, weight: F32, name: str, hidden: str, pending: str | None) -> tuple[str, str]:
    if pending is None:
        return nodes.norm(hidden, weight, name, a.norm_epsilon), hidden
    return nodes.add_and_norm(pending, hidden, weight, name, a.norm_epsilon)


def _vector(matrix: Matrix) -> F32:
    assert isinstance(matrix, Dense)
    return matrix.values


def _model(nodes: Nodes, a: Architecture) -> ModelProto:
    def value(name: str, kind: int, *shape: int | str) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    inputs = [
        value("input_ids", TensorProto.INT64, "rows", "chunk"),
        value("query_seqlens", TensorProto.INT32, "rows"),
        value("seqlens_k", TensorProto.INT32, "rows"),
        value("total_sequence_length", TensorProto.INT32),
        value("logits_at", TensorProto.INT64, "rows", "wanted"),
    ]
    caches = [f"{index}.{each}" for index in range(a.layers) for each in ("key", "value")]
    shape = ("rows", a.kv_heads, "capacity", a.head_dim)
    inputs += [value(f"past.{name}", nodes.float_type, *shape) for name in caches]
    outputs = [value("logits", TensorProto.FLOAT, "rows", "wanted", a.vocabulary)]
    outputs += [value(f"present.{name}", nodes.float_type, *shape) for name in caches]
    graph = helper.make_graph(nodes.nodes, a.family, inputs, outputs, initializer=nodes.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="finmesh")
