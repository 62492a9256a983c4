"""What each token id says, as bytes, read from tokenizer.json once.

A token is a piece of bytes, often half a character; only bytes can be joined. Two families are known: byte-level BPE, whose alphabet gives
each byte a printable letter, and BPE with byte fallback, whose `<0xE4>` is one byte. Control tokens of the model say nothing. Any other
decoder is refused by name, because a text that is nearly right would be noticed by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshkit.errors import InvalidDocument

MAX_IDS = 1 << 20
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_Step = Callable[[str | bytes], str | bytes]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """``texts``: the bytes of each id, empty for control tokens and ids that no token has. ``dropped_spaces``: that many at the beginning
    of an answer are the tokenizer's own. ``added``: ids that stand for themselves and never for a part of a text."""

    texts: tuple[bytes, ...]
    dropped_spaces: int
    added: frozenset[int]
    longest_bytes: int
    contents: Mapping[int, str]

    def said(self, token_ids: Iterable[int]) -> bytes:
        """Return what tokens say; ids that no token has say nothing."""
        return b"".join(self.texts[each] for each in token_ids if 0 <= each < len(self.texts))

    def spelt(self, token_ids: Iterable[int]) -> str:
        """Return tokens as text, control tokens by their names; "" when that is no text."""
        try:
            return b"".join(self.name(each) for each in token_ids).decode()
        except UnicodeDecodeError:
            return ""

    @classmethod
    def of(cls, document: Mapping[str, Any], size: int) -> Vocabulary:
        """Return the vocabulary of a parsed tokenizer.json for ``size`` ids. Raises InvalidDocument (TOKENIZER_INVALID)."""
        try:
            if (kind := document["model"]["type"]) != "BPE":
                raise _invalid(f"model {kind} is not known here")
            tokens = {number: token for token, number in document["model"]["vocab"].items()}
            added = {entry["id"]: entry for entry in document["added_tokens"]}
            decoder = Decoder.of(document["decoder"])
            texts = [b""] * size
            for number, token in tokens.items():
                texts[number] = decoder.text(token)
            longest = max(map(len, texts), default=0)
            for number, entry in added.items():
                texts[number] = b"" if entry["special"] else entry["content"].encode()
        except InvalidDocument:
            raise
        except (KeyError, TypeError, AttributeError, IndexError, UnicodeEncodeError) as error:
            raise _invalid(f"not as the library writes it ({type(error).__name__} {error})") from None
        if min(tokens | added, default=0) < 0 or not 0 < size <= MAX_IDS:
            raise _invalid(f"ids are 0 to {MAX_IDS}")
        contents = {number: entry["content"] for number, entry in added.items()}
        return cls(tuple(texts), decoder.dropped_spaces, frozenset(added), max(longest, 1), contents)

    def name(self, token_id: int) -> bytes:
        """Return what a token is called: its bytes, and of one that stands for itself its own name, even where it says nothing."""
        content = self.contents.get(token_id)
        if content is not None:
            return content.encode()
        return self.texts[token_id] if 0 <= token_id < len(self.texts) else b""


@dataclass(frozen=True, slots=True)
class Decoder:
    """The steps from a token to its bytes."""

    steps: tuple[_Step, ...]
    dropped_spaces: int = 0

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> Decoder:
        """Return the decoder that tokenizer.json describes. Raises InvalidDocument for one that is not known here."""
        steps, dropped, is_fused = list[_Step](), 0, False
        for each in _flat(document):
            match each["type"]:
                case "ByteLevel":
                    steps.append(_byte_level)
                case "ByteFallback":
                    steps.append(_byte_fallback)
                case "Fuse":
                    is_fused = True
                case "Replace" if not is_fused and isinstance(each["pattern"], dict) and set(each["pattern"]) == {"String"}:
                    steps.append(_replacing(each["pattern"]["String"], each["content"]))
                case "Strip" if is_fused and each["content"] == " " and each["stop"] == 0:
                    dropped = int(each["start"])
                case name:
                    raise _invalid(f"decoder {name} is not known here, at least not so")
        if not steps:
            raise _invalid("it has no decoder")
        return cls(tuple(steps), dropped)

    def text(self, token: str) -> bytes:
        """Return the bytes of an ordinary token."""
        text: str | bytes = token
        for step in self.steps:
            text = step(text)
        return text.encode() if isinstance(text, str) else text


def _flat(document: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    if document is None:
        return
    inner: Sequence[Mapping[str, Any]] = document["decoders"] if document["type"] == "Sequence" else (document,)
    yield from inner


def _alphabet() -> dict[str, int]:
    """Return the byte of each letter of byte-level BPE (GPT-2): printable bytes stand for themselves, the others from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(0x100 + number): byte for number, byte in enumerate(others)}


_LETTERS = _alphabet()


def _byte_level(token: str | bytes) -> str | bytes:
    if isinstance(token, bytes) or any(letter not in _LETTERS for letter in token):
        return token
    return bytes(_LETTERS[letter] for letter in token)


def _byte_fallback(token: str | bytes) -> str | bytes:
    found = None if isinstance(token, bytes) else _BYTE.fullmatch(token)
    return bytes([int(found[1], 16)]) if found else token


def _replacing(pattern: str, content: str) -> _Step:
    if not isinstance(pattern, str) or not pattern or not isinstance(content, str):
        raise _invalid("a replacement of nothing")
    return lambda token: token if isinstance(token, bytes) else token.replace(pattern, content)


def _invalid(why: str) -> InvalidDocument:
    return InvalidDocument(f"tokenizer.json: {why}", reason="TOKENIZER_INVALID")
