"""The tiny random model as a Hugging Face folder, which vLLM serves: weights of `llm.tiny`, wider heads."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from llm import chatml, tiny

WIDER = tiny.Tiny(hidden=256, intermediate=256, heads=4, kv_heads=2, head_dim=64, max_position=2048)
"""vLLM on CPU knows heads of 32, 64, 80, … numbers."""


def write(folder: Path, made: tiny.Tiny = WIDER) -> Path:
    """Write config.json, model.safetensors and the tokenizer; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = made.architecture().shapes()
    parts, header, offset = [], {}, 0
    for name, shape in shapes.items():
        content = tiny.random_tensor(name, shape, made.seed).tobytes()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + len(content)]}
        parts.append(content)
        offset += len(content)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + b"".join(parts))
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "float32", "vocab_size": made.vocabulary,
        "hidden_size": made.hidden, "intermediate_size": made.intermediate, "num_hidden_layers": made.layers,
        "num_attention_heads": made.heads, "num_key_value_heads": made.kv_heads, "head_dim": made.head_dim,
        "max_position_embeddings": made.max_position, "bos_token_id": None, "eos_token_id": [tiny.END_ID, tiny.END_OF_TEXT_ID],
        "pad_token_id": None, "hidden_act": "silu", "rms_norm_eps": 1e-5, "tie_word_embeddings": made.tied,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "attention_bias": False, "mlp_bias": False,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "tokenizer.json").write_bytes(tiny.tokenizer(made.vocabulary))
    tokenizer = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": chatml.END, "chat_template": chatml.TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer, indent=1) + "\n")
    return folder
