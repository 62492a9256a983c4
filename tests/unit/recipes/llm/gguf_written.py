"""Tiny GGUF files, written with the `gguf` package from the checked-in Hugging Face models, as llama.cpp's converter would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
from engine.llm.manifest import Rope
from llm import hf_folder
from llm.architecture import Architecture, stretched
from llm.gguf_model import _NAMES, _TOP

KINDS = ("F32", "F16", "Q8_0", "Q4_0", "Q4_1")
Change = Callable[[gguf.GGUFWriter], None]


def names(a: Architecture) -> dict[str, str]:
    """GGUF's names by Hugging Face's."""
    found = {theirs: ours for ours, theirs in _TOP.items() if theirs in a.shapes()}
    for index in range(a.layers):
        for ours, theirs in _NAMES.items():
            for kind in ("weight", "bias"):
                if (name := f"model.layers.{index}.{theirs}.{kind}") in a.shapes():
                    found[name] = f"blk.{index}.{ours}.{kind}"
    return found


def permuted(values: np.ndarray, heads: int) -> np.ndarray:
    """Halves to neighbours."""
    return values.reshape(heads, 2, values.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(values.shape)


def write(path: Path, folder: Path, kind: str, change: Change = lambda _: None, *, leave_out: str = "", pre: str = "gpt-2") -> Path:
    """The model of a Hugging Face folder with every matrix of one kind. `change` sees the writer before it writes."""
    found = hf_folder.read(folder)
    a = found.architecture
    writer = gguf.GGUFWriter(path, a.family)
    _sizes(writer, a)
    _tokenizer(writer, found.tokenizer, pre)
    for name, theirs in names(a).items():
        values = np.ascontiguousarray(found.weight(name).dense())
        for part, heads in (("q_proj.weight", a.heads), ("k_proj.weight", a.kv_heads)):
            if a.family == "llama" and part in name:
                values = permuted(values, heads)
        if theirs == leave_out:
            continue
        type_ = gguf.GGMLQuantizationType[kind if values.ndim > 1 else "F32"]
        writer.add_tensor(theirs, gguf.quants.quantize(values, type_), raw_dtype=type_)
    if a.rope.scaling is not None and a.rope.scaling.type == "llama3":
        factors = stretched(Rope(a.rope.theta, None), a.head_dim) / stretched(a.rope, a.head_dim)
        writer.add_tensor("rope_freqs.weight", factors.astype(np.float32))
    change(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _sizes(writer: gguf.GGUFWriter, a: Architecture) -> None:
    writer.add_name("tiny of a test")
    writer.add_license("apache-2.0")
    writer.add_block_count(a.layers)
    writer.add_context_length(a.max_position)
    writer.add_embedding_length(a.hidden)
    writer.add_feed_forward_length(a.intermediate)
    writer.add_head_count(a.heads)
    writer.add_head_count_kv(a.kv_heads)
    writer.add_key_length(a.head_dim)
    writer.add_value_length(a.head_dim)
    writer.add_rope_freq_base(a.rope.theta)
    writer.add_layer_norm_rms_eps(a.norm_epsilon)
    writer.add_vocab_size(a.vocabulary)
    if a.rope.scaling is not None and a.rope.scaling.type == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(a.rope.scaling.factor)


def _tokenizer(writer: gguf.GGUFWriter, content: bytes, pre: str) -> None:
    document = json.loads(content)
    vocabulary = document["model"]["vocab"]
    special = {each["content"] for each in document["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in document["model"]["merges"]])
    writer.add_eos_token_id(2)
    writer.add_chat_template("{{ messages }}")
