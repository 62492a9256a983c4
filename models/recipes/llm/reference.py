"""Tiny random models by Hugging Face's own code, and what it computes with them: the test data that conversion is held against.

Run by `make reference` in an environment of its own (torch, transformers: 5 GB), never by a test. The result is checked in, so that tests
need neither. Norms and biases are random as well, because ones and zeros would hide that somebody forgot them.

Surprising: weights are drawn anew until every greedy choice is clear, so that another order of summation does not change a token.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found]
import transformers  # type: ignore[import-not-found]

from llm import chatml, tiny

PROMPTS, PROMPT_TOKENS, GREEDY_TOKENS, LEAST_MARGIN = 2, 24, 12, 0.02
SIZES: dict[str, Any] = {
    "vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16, "max_position_embeddings": 256, "bos_token_id": None, "eos_token_id": [2, 0], "pad_token_id": None,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
MODELS: dict[str, tuple[str, torch.dtype, dict[str, Any]]] = {
    "llama": ("Llama", torch.bfloat16, {"tie_word_embeddings": False, "shards": 3}),
    "llama3": ("Llama", torch.float16, {"tie_word_embeddings": True, "rope_parameters": LLAMA3}),
    "llama_linear": (
        "Llama", torch.float32,
        {"tie_word_embeddings": True, "intermediate_size": 64, "num_hidden_layers": 1,
         "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
    ),
    "qwen2": ("Qwen2", torch.bfloat16, {"tie_word_embeddings": False}),
    "qwen3": ("Qwen3", torch.float16, {"tie_word_embeddings": True, "head_dim": 32}),
}  # fmt: skip
"""Class, number type of the file, what differs from SIZES. Heads of a width of their own (32 x 4 is not 64) are what Qwen3 is known for."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Write every model below the folder that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m llm.reference")
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args(arguments).out
    for name, (family, dtype, changes) in MODELS.items():
        shutil.rmtree(out / name, ignore_errors=True)
        _write(out / name, family, dtype, dict(changes))
        print(name, sum(path.stat().st_size for path in (out / name).iterdir()), "bytes")


def _write(folder: Path, family: str, dtype: torch.dtype, changes: dict[str, Any]) -> None:
    shards = changes.pop("shards", 1)
    config = getattr(transformers, f"{family}Config")(**(SIZES | changes))
    for seed in range(100):
        model = _drawn(getattr(transformers, f"{family}ForCausalLM"), config, dtype, seed)
        prompts, logits, greedy, margin = _computed(model, seed)
        if margin > LEAST_MARGIN:
            break
    size = sum(tensor.numel() for tensor in model.parameters()) * dtype.itemsize
    model.to(dtype).save_pretrained(folder, max_shard_size=size // shards + 1 if shards > 1 else "1GB")
    (folder / "tokenizer.json").write_bytes(tiny.tokenizer(SIZES["vocab_size"]))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": chatml.TEMPLATE}, indent=2) + "\n")
    np.savez_compressed(folder / "expected.npz", prompts=prompts, logits=logits, greedy=greedy)


def _drawn(kind: Any, config: Any, dtype: torch.dtype, seed: int) -> Any:
    """The model with random weights that `dtype` holds exactly, computing in 32-bit floats."""
    torch.manual_seed(seed)
    model = kind(config).eval()
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            values = torch.randn_like(tensor)
            if name.endswith("norm.weight"):
                values = 1 + 0.2 * values
            elif tensor.ndim == 1:
                values = 0.5 * values
            elif "embed" not in name:
                values = values * tensor.shape[1] ** -0.5 * (4 if "lm_head" in name else 1)
            tensor.copy_(values.to(dtype).to(torch.float32))
    return model.to(torch.float32)


def _computed(model: Any, seed: int) -> tuple[Any, Any, Any, float]:
    """(prompts, their logits, the greedy tokens after them, the smallest distance between a greedy token and the next best)."""
    rng = np.random.default_rng(seed)
    prompts = rng.integers(3, SIZES["vocab_size"], (PROMPTS, PROMPT_TOKENS))
    tokens, margin = torch.tensor(prompts), np.inf
    with torch.no_grad():
        logits = model(tokens).logits.numpy()
        for _ in range(GREEDY_TOKENS):
            best = torch.topk(model(tokens).logits[:, -1], 2)
            margin = min(margin, float((best.values[:, 0] - best.values[:, 1]).min()))
            tokens = torch.cat([tokens, best.indices[:, :1]], dim=1)
    return prompts, logits, tokens[:, PROMPT_TOKENS:].numpy(), margin


if __name__ == "__main__":
    main()
