"""The model's tokens: characters, bytes for all others, and whole pieces of its own text.

ids: `<|end|>` 0, `<|text|>` 1, `<|json|>` 2; 256 bytes; ASCII, marks and Hanzi one by one; then the pieces and words of `otcdesk.own_text`.
A BPE without merges: a client's text becomes characters and bytes. Pieces are added tokens, since the grammar takes what it forces for what
the tokenizer makes of it; a folded text can spell none of them, because it has no double quotation marks.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from otcdesk import own_text
from otcdesk.fold import fold
from otcdesk.instruments import Instruments

from otc.names import HANZI

END, TEXT, JSON = 0, 1, 2
_CONTROL = ("<|end|>", "<|text|>", "<|json|>")
_BYTES = tuple(f"<0x{each:02X}>" for each in range(256))
_FIRST_BYTE = len(_CONTROL)
_MARKS = "、。《》【】…￥°℃‰×÷≥≤≈→①○〇々"
TEMPLATE = "{% for turn in messages %}<|text|>{{ turn['content'] }}{% endfor %}<|json|>"


@cache
def characters() -> tuple[str, ...]:
    """Return the characters that have a token of their own, in their order."""
    names = "".join(fold(row.name + "".join(row.aliases)).text for row in Instruments.read().rows)
    ascii_marks = [chr(point) for point in range(32, 127)]
    return tuple(dict.fromkeys(["\n", *ascii_marks, *_MARKS, *HANZI, *sorted(set(names))]))


@cache
def tokens() -> tuple[str, ...]:
    """Return all tokens, by id; padded to a multiple of 32."""
    found = [*_CONTROL, *_BYTES, *characters(), *own_text.PIECES, *(word for word in own_text.WORDS if word not in characters())]
    return (*found, *(f"<|unused{number}|>" for number in range(-len(found) % 32)))


@cache
def ids() -> dict[str, int]:
    """Return ids by token."""
    return {token: number for number, token in enumerate(tokens())}


def encode(text: str) -> list[int]:
    """Return the ids of a client's text: characters, else the bytes of their UTF-8."""
    known, found = ids(), []
    for each in text:
        if each in known:
            found.append(known[each])
        else:
            found += [_FIRST_BYTE + byte for byte in each.encode()]
    return found


def encode_values(values: dict[str, str]) -> list[int]:
    """Return the ids of the model's own text, its end included."""
    known, found = ids(), []
    for number, name in enumerate(name for name in own_text.KEYS if name in values):
        found.append(known[own_text.START if number == 0 else f'","{name}":"'])
        value = values[name]
        if value in own_text.WORDS:
            found.append(known[value])
            continue
        head = next((word for word in ("otm", "itm") if name == "strike" and value.startswith(word)), "")
        tail = "bp" if name in ("coupon", "yield") and value.endswith("bp") else ""
        found += [known[head]] if head else []
        found += encode(json.dumps(value[len(head) : len(value) - len(tail)], ensure_ascii=False)[1:-1])
        found += [known[tail]] if tail else []
    return [*found, known[own_text.END], END]


def document() -> bytes:
    """Return tokenizer.json."""
    added = [(number, content, True) for number, content in enumerate(_CONTROL)] + [
        (ids()[piece], piece, False) for piece in own_text.PIECES
    ]
    entries = [
        {
            "id": number,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": is_control,
        }
        for number, content, is_control in added
    ]
    made: dict[str, Any] = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": entries, "normalizer": None, "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": True, "ignore_merges": False,
            "vocab": ids(), "merges": [],
        },
    }  # fmt: skip
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()


def decode(written: list[int]) -> str:
    """Return the text of ids that are no control tokens."""
    every, content = tokens(), bytearray()
    for each in written:
        content += bytes((each - _FIRST_BYTE,)) if _FIRST_BYTE <= each < _FIRST_BYTE + 256 else every[each].encode()
    return content.decode("utf-8", "replace")
