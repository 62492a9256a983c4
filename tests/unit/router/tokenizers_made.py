"""Small tokenizers of both families that the router knows, made on the spot."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SENTENCES = ("The bank approves the payment.", "客户的付款已被银行批准，请查看交易记录。", "hello   world 😀👍", "naïve café")


def byte_level(size: int = 420) -> dict[str, Any]:
    """As of Llama 3, Qwen and SmolLM2: byte-level BPE. `<think>` and two spaces are added tokens that are no control tokens."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(
        SENTENCES * 8,
        trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, special_tokens=list(CONTROL), min_frequency=1, show_progress=False),
    )
    made.add_tokens([AddedToken("<think>", special=False), AddedToken("  ", special=False), AddedToken("回答", special=False)])
    return parsed(made)


def byte_fallback() -> dict[str, Any]:
    """As of Llama 2: SentencePiece's BPE with a byte for what has no token."""
    vocabulary = {token: number for number, token in enumerate(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))])}
    merges: list[tuple[str, str]] = []
    for letter in "▁abcdefghijklmnopqrstuvwxyz,.你好":
        vocabulary[letter] = len(vocabulary)
    for left, right in (("▁", "h"), ("h", "e"), ("l", "l"), ("▁h", "e"), ("ll", "o"), ("▁he", "llo"), ("▁", "▁"), ("你", "好")):
        merges.append((left, right))
        vocabulary.setdefault(left + right, len(vocabulary))
    made = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    made.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in ("<unk>", "<s>", "</s>")])
    return parsed(made)


def parsed(made: Tokenizer) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(made.to_str())
    return document


def tokenizer(document: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_str(json.dumps(document))
