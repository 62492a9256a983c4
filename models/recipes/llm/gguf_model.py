"""A GGUF file as a checkpoint: its keys, its names of tensors, the order of its rows, its blocks.

Surprising: for Llama the rows of q and k stand in another order than Hugging Face's, because llama.cpp turns neighbours where others turn
halves; they are put back. Frequencies that Llama 3.1 stretches stand in a tensor: it is compared with the scalings that were published.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

import numpy as np
import numpy.typing as npt
from engine.llm.manifest import Rope, Scaling

from llm import tokenizer as tokenizers
from llm.architecture import F32, Architecture, stretched
from llm.checkpoint import MOST_POSITIONS, Checkpoint, check_sizes, check_tensors, end_ids
from llm.errors import MalformedModelError, UnsupportedModelError
from llm.gguf_file import GgufFile, Tensor
from llm.products import BLOCK, Blocks, Dense, Matrix, pack

_NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
_TOP = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
_FREQUENCIES = "rope_freqs.weight"
_PUBLISHED = tuple(Scaling("llama3", factor, 1.0, 4.0, 8192) for factor in (8.0, 32.0))
_KEPT = {"Q4_1": "q4_1", "Q4_0": "int4", "Q8_0": "int8"}


@dataclass(slots=True)
class _Keys:
    """Metadata of the model's family, each by type."""

    file: GgufFile
    family: str

    def integer(self, key: str, default: int | None = None) -> int:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, f"{str(value)[:40]} is no whole number")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            self.refuse(key, f"{str(value)[:40]} is no number")
        return float(str(np.float32(value))) if isinstance(value, float) else float(value)  # 1e-06, as whoever wrote the 32 bits meant it

    def optional(self, key: str) -> Any:
        """None when it is not there; a list or an array is refused, because no key that is asked for here has one value for each layer."""
        return self.single(f"{self.family}.{key}")

    def single(self, key: str) -> Any:
        value = self.file.metadata.get(key)
        if isinstance(value, list | np.ndarray):
            raise UnsupportedModelError(self.file.path, key, "several values: one is converted")
        return value

    def refuse(self, key: str, message: str) -> Never:
        raise MalformedModelError(self.file.path, f"{self.family}.{key}", message)

    def unsupported(self, key: str, message: str) -> Never:
        raise UnsupportedModelError(self.file.path, f"{self.family}.{key}", message)

    def _get(self, key: str, default: object) -> Any:
        value = self.optional(key)
        if value is None and default is None:
            self.refuse(key, "missing")
        return default if value is None else value


def read(path: Path) -> Checkpoint:
    """Return the checkpoint in a GGUF file. Raises MalformedModelError, UnsupportedModelError, OSError."""
    file = GgufFile(path)
    family = file.metadata.get("general.architecture")
    if not isinstance(family, str) or family not in ("llama", "qwen2", "qwen3"):
        raise UnsupportedModelError(path, "general.architecture", f"{str(family)[:40]}: llama, qwen2 and qwen3 are converted")
    tensors = {_renamed(name): tensor for name, tensor in file.tensors.items() if name != _FREQUENCIES}
    keys = _Keys(file, family)
    architecture = _architecture(keys, file.tensors)
    check_sizes(path, architecture)
    check_tensors(path, architecture, {name: tensor.shape for name, tensor in tensors.items()})
    tokenizer = tokenizers.of_gguf(path, file.metadata)
    template = keys.single("tokenizer.chat_template")
    return Checkpoint(
        name=str(keys.single("general.name") or path.stem),
        architecture=architecture,
        weight=lambda name: _matrix(path, architecture, name, tensors[name]),
        weights=_weights(tensors),
        tokenizer=tokenizers.written(path, tokenizer, architecture.vocabulary),
        template=template if isinstance(template, str) else None,
        end_ids=_end_ids(keys, tokenizers.added_tokens(tokenizer), architecture.vocabulary),
        bos_id=_bos_id(keys, template, architecture.vocabulary),
        licence=str(keys.single("general.license") or "unknown")[:60],
        files=(path,),
    )


def _architecture(keys: _Keys, tensors: dict[str, Tensor]) -> Architecture:
    for key in ("attention.sliding_window", "expert_count"):
        if keys.optional(key):
            keys.unsupported(key, f"{str(keys.optional(key))[:40]}: neither windows nor experts are converted")
    hidden, heads = keys.integer("embedding_length"), keys.integer("attention.head_count")
    if heads < 1:
        keys.refuse("attention.head_count", f"{heads}")
    head_dim = keys.integer("attention.key_length", hidden // heads)
    for key, expected in (("attention.value_length", head_dim), ("rope.dimension_count", head_dim)):
        if (found := keys.integer(key, expected)) != expected:
            keys.unsupported(key, f"{found}, and a head has {expected}")
    table = tensors.get("token_embd.weight")
    return Architecture(
        family=keys.family,
        layers=keys.integer("block_count"),
        hidden=hidden,
        intermediate=keys.integer("feed_forward_length"),
        heads=heads,
        kv_heads=keys.integer("attention.head_count_kv", heads),
        head_dim=head_dim,
        vocabulary=keys.integer("vocab_size", table.shape[0] if table else 0),
        max_position=min(keys.integer("context_length"), MOST_POSITIONS),
        rope=_rope(keys, tensors.get(_FREQUENCIES), head_dim),
        norm_epsilon=keys.number("attention.layer_norm_rms_epsilon"),
        tied="output.weight" not in tensors,
    )


def _rope(keys: _Keys, frequencies: Tensor | None, head_dim: int) -> Rope:
    theta = keys.number("rope.freq_base", 10000.0)
    if theta <= 1:
        keys.refuse("rope.freq_base", f"{theta} is not above 1")
    kind = keys.optional("rope.scaling.type") or "none"
    if kind not in ("none", "linear"):
        keys.unsupported("rope.scaling.type", f"{str(kind)[:40]}: linear and that of Llama 3 are converted")
    factor = keys.number("rope.scaling.factor", keys.number("rope.scale_linear", 1.0))
    if factor <= 0:
        keys.refuse("rope.scaling.factor", f"{factor} is not above 0")
    scaling = Scaling("linear", factor) if factor != 1 else None
    if frequencies is None:
        return Rope(theta, scaling)
    if frequencies.kind != "F32" or frequencies.shape != (head_dim // 2,) or scaling is not None:
        raise MalformedModelError(
            keys.file.path, f"tensor {_FREQUENCIES}", "not half as many numbers as a head has, or beside another scaling"
        )
    values = frequencies.content.reshape(-1).view("<f4")
    plain = stretched(Rope(theta, None), head_dim)
    for known in _PUBLISHED:
        if np.allclose(plain / stretched(Rope(theta, known), head_dim), values, rtol=1e-4):
            return Rope(theta, known)
    raise UnsupportedModelError(keys.file.path, f"tensor {_FREQUENCIES}", "no scaling of rotary frequencies that is known here")


def _renamed(name: str) -> str:
    """Hugging Face's name; one that GGUF would not use stays as it is and is then found to be too much."""
    if name in _TOP:
        return _TOP[name]
    match name.split("."):
        case ["blk", index, part, kind] if part in _NAMES and index.isascii() and index.isdigit() and str(int(index)) == index:
            return f"model.layers.{index}.{_NAMES[part]}.{kind}"
    return name


def _weights(tensors: dict[str, Tensor]) -> str:
    kinds = {tensor.kind for name, tensor in tensors.items() if "_proj" in name}
    return next((kept for kind, kept in _KEPT.items() if kind in kinds), "fp32")


def _matrix(path: Path, a: Architecture, name: str, tensor: Tensor) -> Matrix:
    matrix = _values(tensor)
    if len(tensor.shape) == 1 and not isinstance(matrix, Dense):
        raise UnsupportedModelError(path, f"tensor {name}", f"a vector of type {tensor.kind}")
    for part, heads in (("q_proj", a.heads), ("k_proj", a.kv_heads)):
        if a.family == "llama" and part in name:
            order = np.arange(heads * a.head_dim).reshape(heads, a.head_dim // 2, 2).swapaxes(1, 2).reshape(-1)
            return matrix.rows(order)
    return matrix


def _values(tensor: Tensor) -> Matrix:
    """The tensor without loss; every kind of GGUF's blocks begins with its scale."""
    rows = tensor.content
    if tensor.kind in ("F32", "F16"):
        values = np.ascontiguousarray(rows).view("<f4" if tensor.kind == "F32" else "<f2")
        return Dense(values.astype(np.float32).reshape(tensor.shape))
    size = {"Q8_0": 34, "Q4_0": 18, "Q4_1": 20}[tensor.kind]
    blocks = rows.reshape(rows.shape[0], -1, size)
    scales = _halves(blocks[..., :2])
    if tensor.kind == "Q8_0":
        return Blocks(8, blocks[..., 2:] ^ np.uint8(128), scales)
    nibbles = blocks[..., size - BLOCK // 2 :]
    packed = pack(np.concatenate((nibbles & 15, nibbles >> 4), axis=-1))
    return Blocks(4, packed, scales, _halves(blocks[..., 2:4]) if tensor.kind == "Q4_1" else None)


def _halves(content: npt.NDArray[np.uint8]) -> F32:
    return np.ascontiguousarray(content).view("<f2")[..., 0].astype(np.float32)


def _end_ids(keys: _Keys, added: dict[str, int], vocabulary: int) -> tuple[int, ...]:
    declared = [value for key in _ENDS if (value := keys.single(key)) is not None]
    if not all(_is_id(each, vocabulary) for each in declared):
        raise MalformedModelError(keys.file.path, _ENDS[0], f"{str(declared)[:80]} are not in the vocabulary")
    if found := end_ids(declared, added):
        return found
    raise MalformedModelError(keys.file.path, _ENDS[0], "missing: nothing would end an answer")


_ENDS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")


def _bos_id(keys: _Keys, template: object, vocabulary: int) -> int | None:
    """The first token, when the tokenizer or the template puts one there."""
    key = "tokenizer.ggml.bos_token_id"
    wanted = keys.single("tokenizer.ggml.add_bos_token") or (isinstance(template, str) and "bos_token" in template)
    value: int | None = keys.single(key) if wanted else None
    if value is not None and not _is_id(value, vocabulary):
        raise MalformedModelError(keys.file.path, key, f"{str(value)[:40]} is not in the vocabulary")
    return value


def _is_id(value: object, vocabulary: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < vocabulary
