"""The same weights in the form that onnxruntime-genai drives: one mask in place of lengths, and a configuration beside the graph.

Nothing but the graph's edges is changed, so that both engines run the same nodes on the same constants. Last positions alone are
projected, as in ours; genai's own builder calls that a pruned head.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from engine.llm.manifest import MODEL, Manifest
from onnx import ModelProto, TensorProto, helper, numpy_helper

CONFIG = "genai_config.json"
_DATA = "model.onnx.data"


def write(source: Path, manifest: Manifest, folder: Path, threads: int) -> None:
    """Write the model of a converted folder so that genai loads it from `folder`."""
    model = onnx.load(str(source / MODEL))
    _rewire(model, manifest.layout.layers)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save_model(
        model, str(folder / MODEL), save_as_external_data=True, all_tensors_to_one_file=True, location=_DATA, size_threshold=1024
    )
    (folder / CONFIG).write_text(json.dumps(_config(manifest, threads)))


def _rewire(model: ModelProto, layers: int) -> None:
    graph = model.graph
    ours = {"query_seqlens", "seqlens_k", "total_sequence_length", "logits_at"}
    kept = [each for each in graph.input if each.name not in ours]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["rows", "length"]))
    graph.input.extend(kept)
    names = {f"past.{i}.{kind}": f"past_key_values.{i}.{kind}" for i in range(layers) for kind in ("key", "value")}
    for each in graph.input:
        each.name = names.get(each.name, each.name)
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == "query_seqlens":
                node.input[position] = ""
            elif name in names:
                node.input[position] = names[name]
        while node.input and node.input[-1] == "":
            del node.input[-1]
    for each in graph.output:
        if each.name == "logits":
            each.type.tensor_type.shape.dim[1].dim_value = 1  # by this genai knows that last positions alone are projected
    head = _lengths()
    nodes = [*head, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, np.int64), name)
        for name, value in (("genai.one", [1]), ("genai.0", 0), ("genai.1", 1), ("genai.1s", 1))
    )


def _lengths() -> list[Any]:
    """Nodes that make `seqlens_k`, `total_sequence_length` and `logits_at` out of the mask and the tokens."""
    node = helper.make_node
    return [
        node("ReduceSum", ["attention_mask", "genai.one"], ["genai.lengths"], keepdims=0),
        node("Sub", ["genai.lengths", "genai.one"], ["genai.lengths_k"]),
        node("Cast", ["genai.lengths_k"], ["seqlens_k"], to=TensorProto.INT32),
        node("Shape", ["attention_mask"], ["genai.mask_shape"]),
        node("Gather", ["genai.mask_shape", "genai.1"], ["genai.total"]),
        node("Cast", ["genai.total"], ["total_sequence_length"], to=TensorProto.INT32),
        node("Shape", ["input_ids"], ["genai.shape"]),
        node("Gather", ["genai.shape", "genai.1"], ["genai.chunk"]),
        node("Gather", ["genai.shape", "genai.0"], ["genai.rows"]),
        node("Sub", ["genai.chunk", "genai.1s"], ["genai.last"]),
        node("Reshape", ["genai.rows", "genai.one"], ["genai.rows1"]),
        node("Concat", ["genai.rows1", "genai.one"], ["genai.rows_by_one"], axis=0),
        node("Expand", ["genai.last", "genai.rows_by_one"], ["logits_at"]),
    ]


def _config(manifest: Manifest, threads: int) -> dict[str, Any]:
    layout = manifest.layout
    decoder = {
        "session_options": {
            "log_id": "onnxruntime-genai",
            "intra_op_num_threads": threads,
            "provider_options": [],
            "session.intra_op.allow_spinning": "0",
        },
        "filename": MODEL,
        "head_size": layout.head_dim,
        "hidden_size": layout.hidden,
        "num_attention_heads": layout.heads,
        "num_hidden_layers": layout.layers,
        "num_key_value_heads": layout.kv_heads,
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {"logits": "logits", "present_key_names": "present.%d.key", "present_value_names": "present.%d.value"},
    }
    return {
        "model": {
            "bos_token_id": manifest.bos_id or 0,
            "eos_token_id": manifest.end_ids[0],
            "pad_token_id": manifest.end_ids[0],
            "type": "llama",
            "context_length": manifest.max_len,
            "vocab_size": manifest.vocabulary,
            "decoder": decoder,
        },
        "search": {"do_sample": False, "max_length": manifest.max_len, "past_present_share_buffer": True},
    }
