"""The tokenizer of a model: a byte-level BPE as one tokenizer.json. Others are refused by name, because text is put together from bytes.

GGUF keeps the vocabulary and the merges, and of how text is cut before them a name alone; the cuts that are known here stand below.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from llm.errors import MalformedModelError, UnsupportedModelError

MOST_BYTES = 64 << 20
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
ALPHABET = frozenset(pre_tokenizers.ByteLevel.alphabet())


def _split(digits: str) -> pre_tokenizers.PreTokenizer:
    pattern = Regex("|".join((_CONTRACTIONS, _WORDS, digits, _REST)))
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(pattern, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


CUTS = {
    "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    "smollm": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    ),
    "qwen2": lambda: _split(r"\p{N}"),
    "llama-bpe": lambda: _split(r"\p{N}{1,3}"),
}
"""By GGUF's `tokenizer.ggml.pre`."""


def of_gguf(path: Path, metadata: Mapping[str, Any]) -> Tokenizer:
    """Build the tokenizer that GGUF's metadata describe. Raises MalformedModelError, UnsupportedModelError."""
    kind, cut = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre", "gpt-2")
    if kind != "gpt2":
        raise UnsupportedModelError(path, "tokenizer.ggml.model", f"{str(kind)[:40]}: gpt2, which is byte-level BPE, is converted")
    if not isinstance(cut, str) or cut not in CUTS:
        raise UnsupportedModelError(path, "tokenizer.ggml.pre", f"{str(cut)[:40]} is not known here: {', '.join(CUTS)} are")
    tokens, merges = _texts(path, metadata, "tokenizer.ggml.tokens"), _texts(path, metadata, "tokenizer.ggml.merges")
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if len(vocabulary) != len(tokens):
        raise MalformedModelError(path, "tokenizer.ggml.tokens", "a token stands twice")
    kinds = metadata.get("tokenizer.ggml.token_type")
    if not isinstance(kinds, np.ndarray) or kinds.dtype.kind not in "iu" or len(kinds) != len(tokens):
        raise MalformedModelError(path, "tokenizer.ggml.token_type", f"not one whole number for each of {len(tokens)} tokens")
    pairs = [(first, second) for first, _, second in (merge.partition(" ") for merge in merges)]
    if wrong := next((pair for pair in pairs if not vocabulary.keys() >= {*pair, "".join(pair)}), None):
        raise MalformedModelError(path, "tokenizer.ggml.merges", f"{' '.join(wrong)[:80]!r} is not two tokens that make a third")
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=cut == "llama-bpe"))
    cuts: Callable[[], Any] = CUTS[cut]
    made.pre_tokenizer, made.decoder = cuts(), decoders.ByteLevel()
    if cut == "qwen2":
        made.normalizer = normalizers.NFC()
    made.add_tokens(
        [
            AddedToken(token, special=kind == CONTROL, normalized=False)
            for token, kind in zip(tokens, kinds.tolist(), strict=True)
            if kind in (CONTROL, USER_DEFINED)
        ]
    )
    return made


def of_file(path: Path) -> Tokenizer:
    """Read a tokenizer.json. Raises MalformedModelError, UnsupportedModelError."""
    if not path.is_file():
        raise UnsupportedModelError(path, "", "missing: a folder without tokenizer.json is not converted")
    if path.stat().st_size > MOST_BYTES:
        raise MalformedModelError(path, "", f"larger than {MOST_BYTES} bytes")
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises Exception itself
        raise MalformedModelError(path, "", f"no tokenizer: {str(error)[:200]}") from error


def written(path: Path, tokenizer: Tokenizer, vocabulary: int) -> bytes:
    """Return tokenizer.json as the engine and the router read it: neither cut short nor padded. Raises what `of_file` does."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    model, added = content["model"], {each["content"] for each in content["added_tokens"]}
    if (kind := model.get("type")) != "BPE" or model.get("byte_fallback") or model.get("unk_token") not in (None, *added):
        raise UnsupportedModelError(
            path, "model", f"{kind}{' with byte fallback' if model.get('byte_fallback') else ''}: byte-level BPE is converted"
        )
    for field, known in (("decoder", ("ByteLevel",)), ("normalizer", (None, "NFC"))):
        if (found := (content[field] or {}).get("type")) not in known:
            raise UnsupportedModelError(path, field, f"{found}: {' or '.join(map(str, known))} is converted")
    if "ByteLevel" not in [each["type"] for each in _parts(content["pre_tokenizer"])]:
        raise UnsupportedModelError(path, "pre_tokenizer", "without ByteLevel")
    if foreign := next((token for token in model["vocab"] if token not in added and not ALPHABET.issuperset(token)), None):
        raise MalformedModelError(path, "model.vocab", f"{foreign[:40]!r} does not stand for bytes")
    ids = list(tokenizer.get_vocab(with_added_tokens=True).values())
    if max(ids, default=-1) >= vocabulary:
        raise MalformedModelError(path, "model.vocab", f"id {max(ids)}, and the model has a vocabulary of {vocabulary}")
    if len(set(ids)) != len(ids):
        raise MalformedModelError(path, "model.vocab", "two tokens have one id")
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def added_tokens(tokenizer: Tokenizer) -> dict[str, int]:
    """Ids of the added tokens by their text."""
    return {each.content: index for index, each in tokenizer.get_added_tokens_decoder().items()}


def _parts(pre_tokenizer: dict[str, Any] | None) -> Sequence[dict[str, Any]]:
    if pre_tokenizer is None:
        return ()
    return pre_tokenizer["pretokenizers"] if pre_tokenizer["type"] == "Sequence" else [pre_tokenizer]


def _texts(path: Path, metadata: Mapping[str, Any], key: str) -> list[str]:
    value = metadata.get(key)
    if not isinstance(value, list) or not value:
        raise MalformedModelError(path, key, "missing, or no list of texts")
    return value
