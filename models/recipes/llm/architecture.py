"""The shape of a Llama, Qwen2 or Qwen3, whatever file it was read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from engine.llm.manifest import Rope

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Architecture:
    """All that the graph needs beside the weights. Qwen2 has biases on q, k and v, Qwen3 norms on the heads of q and k."""

    family: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    max_position: int
    rope: Rope
    norm_epsilon: float
    tied: bool

    @property
    def qkv_bias(self) -> bool:
        return self.family == "qwen2"

    @property
    def qk_norm(self) -> bool:
        return self.family == "qwen3"

    @property
    def q_width(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_dim

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return every tensor that the family has, by its Hugging Face name, products as (out, in)."""
        found: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocabulary, self.hidden),
            "model.norm.weight": (self.hidden,),
        }
        if not self.tied:
            found["lm_head.weight"] = (self.vocabulary, self.hidden)
        for index in range(self.layers):
            found |= {f"model.layers.{index}.{name}": shape for name, shape in self._layer().items()}
        return found

    def _layer(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {
            "input_layernorm.weight": (self.hidden,),
            "self_attn.q_proj.weight": (self.q_width, self.hidden),
            "self_attn.k_proj.weight": (self.kv_width, self.hidden),
            "self_attn.v_proj.weight": (self.kv_width, self.hidden),
            "self_attn.o_proj.weight": (self.hidden, self.q_width),
            "post_attention_layernorm.weight": (self.hidden,),
            "mlp.gate_proj.weight": (self.intermediate, self.hidden),
            "mlp.up_proj.weight": (self.intermediate, self.hidden),
            "mlp.down_proj.weight": (self.hidden, self.intermediate),
        }
        if self.qkv_bias:
            found |= {f"self_attn.{each}_proj.bias": (self.q_width if each == "q" else self.kv_width,) for each in "qkv"}
        if self.qk_norm:
            found |= {f"self_attn.{each}_norm.weight": (self.head_dim,) for each in "qk"}
        return found


def stretched(rope: Rope, head_dim: int) -> npt.NDArray[np.float64]:
    """Return the angle that each pair of a head turns by at every position, with the scaling in it."""
    frequencies = rope.theta ** -(np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    scaling = rope.scaling
    if scaling is None:
        return frequencies
    if scaling.type == "linear":
        return frequencies / scaling.factor
    assert scaling.original_max_position and scaling.low_freq_factor and scaling.high_freq_factor
    turns = scaling.original_max_position * frequencies / (2 * np.pi)
    kept = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept = np.clip(kept, 0.0, 1.0)
    return frequencies * (kept + (1 - kept) / scaling.factor)


def rope_caches(rope: Rope, head_dim: int, max_position: int) -> tuple[F32, F32]:
    """Return cosines and sines, (max_position, head_dim / 2); in float64 until the last step."""
    angles = np.arange(max_position, dtype=np.float64)[:, None] * stretched(rope, head_dim)[None, :]
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
