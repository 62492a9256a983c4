"""Views of what is written in an encoding: percent, \\uXXXX, \\xXX and \\n, HTML character references, base64.

Each decoding shortens the text; nothing is ever unpacked, and the number of layers is bounded, so that a view can't grow.
"""

from __future__ import annotations

import html
import re
from binascii import a2b_base64
from collections.abc import Iterator

from pii.view import View

MAX_LAYERS = 4
_ESCAPES = re.compile(
    r"(?P<nested>%(?:25)+[0-7][0-9A-Fa-f])|"
    r"(?P<percent>(?:%(?!25[0-9A-Fa-f]{2})[0-9A-Fa-f]{2})++)|"
    r"(?P<utf16>(?:(?:\\{1,2}|%)u[0-9A-Fa-f]{4})++)|"
    r"(?P<byte>(?:\\{1,2}x[0-9A-Fa-f]{2})++)|"
    r"(?P<braced>\\{1,2}u\{[0-9A-Fa-f]{1,6}\}|\\{1,2}U[0-9A-Fa-f]{8})|"
    r"(?P<space>\\{1,2}[nrt])|"
    r"(?P<reference>&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});?)"
)
_UNIT = {
    "percent": re.compile("%.."),
    "byte": re.compile(r"\\{1,2}x.."),
    "utf16": re.compile(r"(?:\\{1,2}|%)u...."),
}
MARK = re.compile(r"%[0-9A-Fa-fu]|\\[\\uUxnrt]|&[#A-Za-z]")
_AROUND = 80  # characters on both sides of an escape that may be of the same identifier
_PADDING = re.compile(r"={0,2}")
_PART = re.compile(r"[0-9A-Za-z]{15,}+")
_SPACES = str.maketrans("\r\n\t", "   ")
_URL_SAFE = str.maketrans("-_", "+/")


def unescaped(text: str) -> Iterator[tuple[int, int, View]]:
    """Yield (start, end, view) of escapes and what stands around them, decoded as often as it is encoded."""
    start = end = 0
    for mark in MARK.finditer(text):
        at = mark.start()
        if end and at > end + _AROUND:
            yield from _window(text, start, end)
            end = 0
        if not end:
            start = max(0, at - _AROUND)
        end = at + _AROUND
    if end:
        yield from _window(text, start, end)


def _window(text: str, start: int, end: int) -> Iterator[tuple[int, int, View]]:
    end = min(end, len(text))
    layers: list[View] = []
    part = text[start:end]
    while len(layers) < MAX_LAYERS and (view := _layer(part)) is not None:
        layers.append(view)
        part = view.text
    if layers:
        yield start, end, layers[0] if len(layers) == 1 else _Stack(layers)


class _Stack(View):
    """Views upon views."""

    __slots__ = ("_layers",)

    def __init__(self, layers: list[View]) -> None:
        super().__init__(layers[-1].text, [], [])
        self._layers = layers

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return where a stretch came from, through all layers."""
        for layer in reversed(self._layers):
            start, end = layer.source(start, end)
        return start, end


def _layer(text: str) -> View | None:
    parts: list[str] = []
    starts: list[int] = []
    offsets: list[int] = []
    widths: list[int] = []
    at = size = 0
    for match in _ESCAPES.finditer(text):
        start, end = match.span()
        decoded = _decoded(match)
        if not decoded:
            continue
        parts += (text[at:start], decoded)
        size += start - at
        for length, width in _widths(match, decoded):
            starts.append(size)
            offsets.append(start)
            widths.append(width)
            size += length
            start += length * width
        starts.append(size)
        offsets.append(end)
        widths.append(1)
        at = end
    if not parts:
        return None
    parts.append(text[at:])
    return View("".join(parts), starts, offsets, widths)


def _widths(match: re.Match[str], decoded: str) -> Iterator[tuple[int, int]]:
    """Yield (characters, source characters of each) of what a run of escapes was decoded to."""
    kind, raw = match.lastgroup, match[0]
    if kind not in ("percent", "byte", "utf16"):
        yield len(decoded), len(raw) // len(decoded)
        return
    units = [len(unit) for unit in _UNIT[kind].findall(raw)]
    if len(units) == len(decoded) and units.count(units[0]) == len(units):
        yield len(decoded), units[0]
        return
    at = 0
    for character in decoded:  # of several bytes or of two halves, or escapes of different length
        code = ord(character)
        count = 1 + (code > 0xFFFF) if kind == "utf16" else 1 if 0xD800 <= code < 0xE000 else len(character.encode())
        yield 1, sum(units[at : at + count])
        at += count


def _decoded(match: re.Match[str]) -> str:
    """Characters of a run of one kind of escape; a byte that is no UTF-8 stands for itself."""
    kind, raw = match.lastgroup, match[0]
    if kind == "percent":
        return bytes.fromhex(raw.replace("%", "")).decode("utf-8", "surrogateescape")
    if kind == "space":
        return " "
    if kind == "nested":  # %2531: percent-encoded again and again
        return chr(int(raw[-2:], 16))
    if kind == "reference":
        if raw[1] != "#":
            name = html.unescape(raw)
            return name if name != raw else ""
        digits = raw.rstrip(";")
        return _character(int(digits[3:], 16) if digits[2] in "xX" else int(digits[2:]))
    if kind == "braced":
        return _character(int(raw.strip("\\uU{}"), 16))
    if kind == "utf16":
        return bytes.fromhex(raw.replace("\\", "").replace("%", "").replace("u", "")).decode("utf-16-be", "surrogatepass")
    return bytes.fromhex(raw.replace("\\", "").replace("x", "")).decode("utf-8", "surrogateescape")


def _character(code: int) -> str:
    return "" if code >= 0x110000 or 0xD800 <= code < 0xE000 else chr(code)


def base64_texts(text: str, long_words: list[tuple[int, int]]) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, decoded text) of long words that are base64 of readable text."""
    for start, end in long_words:
        word = text[start:end]
        decoded = _readable(word)
        if decoded:
            yield start, _PADDING.match(text, end).end(), decoded  # type: ignore[union-attr]
        elif not word.isalnum():
            for part in _PART.finditer(text, start, end):
                decoded = _readable(part[0])
                if decoded:
                    yield part.start(), _PADDING.match(text, part.end()).end(), decoded  # type: ignore[union-attr]


def _readable(word: str) -> str:
    if len(word) % 4 == 1:
        return ""
    try:
        decoded = a2b_base64(word.translate(_URL_SAFE) + "=" * (-len(word) % 4)).decode()
    except ValueError:
        return ""
    return decoded if decoded.isprintable() or decoded.translate(_SPACES).isprintable() else ""
