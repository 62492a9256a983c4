"""Sizes of the model, and where a training leaves it. Knows no JAX: whoever exports needs none."""

from __future__ import annotations

from dataclasses import dataclass

from engine.llm.manifest import Rope
from llm.architecture import Architecture

CHECKPOINT = "checkpoint.npz"


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the model."""

    layers: int = 5
    hidden: int = 192
    intermediate: int = 512
    heads: int = 6
    kv_heads: int = 3
    head_dim: int = 32
    max_position: int = 1024
    theta: float = 10_000.0
    epsilon: float = 1e-5

    def architecture(self, vocabulary: int) -> Architecture:
        return Architecture(
            family="llama", layers=self.layers, hidden=self.hidden, intermediate=self.intermediate, heads=self.heads,
            kv_heads=self.kv_heads, head_dim=self.head_dim,
            vocabulary=vocabulary, max_position=self.max_position, rope=Rope(self.theta, None), norm_epsilon=self.epsilon, tied=True,
        )  # fmt: skip
