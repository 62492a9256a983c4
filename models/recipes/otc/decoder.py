"""A Llama of four million parameters, forwards and with gradients, in JAX: the shape that `llm.graph` turns into ONNX.

Weights are a flat mapping by Hugging Face name, products as (out, in), float32; rotary halves as Hugging Face has them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from otc.shape import Shape

Weights = dict[str, jax.Array]


def first_weights(shape: Shape, vocabulary: int, seed: int) -> Weights:
    """Return weights to begin with: normal, 0.02 for the embedding, 1/sqrt(in) for products, those that end a layer smaller."""
    random, found = np.random.default_rng(seed), {}
    for name, size in shape.architecture(vocabulary).shapes().items():
        if name.endswith("norm.weight"):
            values = np.ones(size, np.float32)
        elif name.startswith("model.embed"):
            values = random.standard_normal(size, np.float32) * np.float32(0.05)
        else:
            scale = size[1] ** -0.5 * ((2 * shape.layers) ** -0.5 if "o_proj" in name or "down_proj" in name else 1)
            values = random.standard_normal(size, np.float32) * np.float32(scale)
        found[name] = jnp.asarray(values)
    return found


def hidden(weights: Weights, tokens: jax.Array, shape: Shape) -> jax.Array:
    """Return the last hidden states, (B, T, d), of tokens (B, T), padded at their ends."""
    length = tokens.shape[1]
    x = weights["model.embed_tokens.weight"][tokens]
    angles = jnp.arange(length)[:, None] * shape.theta ** (-jnp.arange(0, shape.head_dim, 2) / shape.head_dim)
    rotary = jnp.cos(angles), jnp.sin(angles)
    mask = jnp.where(jnp.tril(jnp.ones((length, length), bool)), 0.0, -1e9)
    for layer in range(shape.layers):
        name = f"model.layers.{layer}."
        x = x + _attention(
            weights, name + "self_attn.", _norm(x, weights[name + "input_layernorm.weight"], shape.epsilon), rotary, mask, shape
        )
        y = _norm(x, weights[name + "post_attention_layernorm.weight"], shape.epsilon)
        gate = jax.nn.silu(y @ weights[name + "mlp.gate_proj.weight"].T) * (y @ weights[name + "mlp.up_proj.weight"].T)
        x = x + gate @ weights[name + "mlp.down_proj.weight"].T
    return _norm(x, weights["model.norm.weight"], shape.epsilon)


def _attention(weights: Weights, name: str, x: jax.Array, rotary: tuple[jax.Array, jax.Array], mask: jax.Array, shape: Shape) -> jax.Array:
    batch, length, _ = x.shape
    groups = shape.heads // shape.kv_heads
    q = (x @ weights[name + "q_proj.weight"].T).reshape(batch, length, shape.kv_heads, groups, shape.head_dim)
    k = (x @ weights[name + "k_proj.weight"].T).reshape(batch, length, shape.kv_heads, shape.head_dim)
    v = (x @ weights[name + "v_proj.weight"].T).reshape(batch, length, shape.kv_heads, shape.head_dim)
    cos, sin = rotary
    q = _rotated(q, cos[:, None, None], sin[:, None, None])
    k = _rotated(k, cos[:, None], sin[:, None])
    scores = jnp.einsum("bqhgd,bkhd->bhgqk", q, k) * shape.head_dim**-0.5 + mask
    found = jnp.einsum("bhgqk,bkhd->bqhgd", jax.nn.softmax(scores, axis=-1), v)
    return found.reshape(batch, length, shape.heads * shape.head_dim) @ weights[name + "o_proj.weight"].T


def _rotated(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    one, other = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([one * cos - other * sin, other * cos + one * sin], axis=-1)


def _norm(x: jax.Array, weight: jax.Array, epsilon: float) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + epsilon) * weight
