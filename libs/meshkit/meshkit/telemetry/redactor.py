"""Masks identifiers in text that leaves the service: card numbers, resident ids, mobile numbers, tokens, long digit runs.

Works on a normalised view (NFKC, zero-width and bidi characters gone, decimal digits of every script and Chinese numerals folded) with a
map back to the original characters. ASCII look-arounds only: ``\\d`` takes other digits and ``\\b`` fails beside Chinese text. Linear in
the input. Checks: Luhn (ISO/IEC 7812-1), GB 11643 with ISO 7064 MOD 11-2.
"""

from __future__ import annotations

import re
import unicodedata

LIMIT_CHARACTERS = 16_384
_LEAST_DIGITS = 11
_LONG_RUN = 12
_CHINESE = {
    ord(character): digit for character, digit in zip("零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖", "00123456789123456789", strict=True)
}
_INVISIBLE = {"Cf", "Mn", "Cc"}
_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9A-Za-z])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{16,}(?![0-9A-Za-z])")
_TOKEN = re.compile(r"eyJ[0-9A-Za-z_-]{8,}(?:\.[0-9A-Za-z_-]*){0,4}|(?i:bearer)[ :]+[0-9A-Za-z._~+/=-]{8,}")
_DIGITS = re.compile(r"(?<![0-9])[0-9](?:[ .\-_/]{0,2}[0-9]){10,}(?:[ .\-_]?[Xx](?![0-9A-Za-z]))?")
_SUSPECT = re.compile(r"[0-9](?:[ .\-_/]{0,2}[0-9]){10}|eyJ|(?i:bearer)[ :]")
_RUN = re.compile(r"[0-9]+")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def redact(text: str) -> str:
    """Return ``text`` with identifiers masked, cut to LIMIT_CHARACTERS."""
    if len(text) > LIMIT_CHARACTERS:
        text = text[:LIMIT_CHARACTERS] + "…"
    if len(text) < _LEAST_DIGITS:
        return text
    if text.isascii():
        view, origin = text, None
    else:
        view, origin = _normalise(text)
    found = _find(view)
    if not found:
        return text
    parts, at = [], 0
    for start, end, label in found:
        first, last = (start, end) if origin is None else (origin[start], origin[end - 1] + 1)
        if first < at:
            continue
        parts += [text[at:first], f"[{label}]"]
        at = last
    return "".join([*parts, text[at:]])


def _normalise(text: str) -> tuple[str, list[int]]:
    view: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        code = ord(character)
        if code < 128:
            view.append(character)
            origin.append(index)
            continue
        if code in _CHINESE:
            view.append(_CHINESE[code])
            origin.append(index)
            continue
        if unicodedata.category(character) in _INVISIBLE:
            continue
        for part in unicodedata.normalize("NFKC", character):
            digit = unicodedata.decimal(part, None)
            view.append(part if digit is None else str(digit))
            origin.append(index)
    return "".join(view), origin


def _find(view: str) -> list[tuple[int, int, str]]:
    if _SUSPECT.search(view) is None:
        return []
    found = [(m.start(), m.end(), "token") for m in _TOKEN.finditer(view)]
    keep = [(m.start(), m.end()) for pattern in (_UUID, _HEX) for m in pattern.finditer(view)] if _DIGITS.search(view) else []
    keep += [(start, end) for start, end, _ in found]
    for match in _DIGITS.finditer(view):
        if not any(start < match.end() and match.start() < end for start, end in keep):
            found += _in_region(view, match.start(), match.end())
    return sorted(found)


def _in_region(view: str, start: int, end: int) -> list[tuple[int, int, str]]:
    """Return identifiers in one stretch of digits and separators; they begin and end where a group of digits does."""
    groups = [(m.start() + start, m.end() + start) for m in _RUN.finditer(view[start:end])]
    hits: list[tuple[int, int, str]] = []
    for first in range(len(groups)):
        digits = ""
        for last in range(first, min(first + 19, len(groups))):
            digits += view[groups[last][0] : groups[last][1]]
            tail = view[groups[last][1] : end].lstrip(" .-_") if last == len(groups) - 1 else ""
            label = _label(digits, tail[:1] in ("X", "x"), contiguous=last == first)
            if label is not None:
                hits.append((groups[first][0], end if tail else groups[last][1], label))
            if len(digits) >= 19:
                break
    return _merged(hits)


def _merged(hits: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Join hits that overlap (a chance Luhn match must not uncover the end of the real card); the longest one names the whole."""
    merged: list[tuple[int, int, str, int]] = []
    for start, end, label in sorted(hits):
        if merged and start < merged[-1][1]:
            first, last, name, longest = merged[-1]
            merged[-1] = (first, max(last, end), label if end - start > longest else name, max(longest, end - start))
        else:
            merged.append((start, end, label, end - start))
    return [(start, end, label) for start, end, label, _ in merged]


def _label(digits: str, with_x: bool, *, contiguous: bool) -> str | None:
    if (len(digits) == 18 and is_resident_id(digits)) or (len(digits) == 17 and with_x and is_resident_id(digits + "X")):
        return "resident-id"
    if (len(digits) == 11 and digits[0] == "1" and digits[1] in "3456789") or (
        len(digits) == 13 and digits.startswith("861") and digits[3] in "3456789"
    ):
        return "mobile"
    if 13 <= len(digits) <= 19 and is_luhn(digits):
        return "card"
    if contiguous and len(digits) >= _LONG_RUN:
        return "digits"
    return None


def is_luhn(digits: str) -> bool:
    """Return whether the last digit is the Luhn check digit. A string of one repeated digit does not count."""
    total = 0
    for position, character in enumerate(reversed(digits)):
        value = ord(character) - 48
        if position % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0 and len(set(digits)) > 1


def is_resident_id(text: str) -> bool:
    """Return whether 18 characters carry a right check character (ISO 7064 MOD 11-2) and a plausible birth date."""
    total = sum(weight * (ord(character) - 48) for weight, character in zip(_ID_WEIGHTS, text[:17], strict=True))
    if "10X98765432"[total % 11] != text[17].upper():
        return False
    return text[6:8] in ("18", "19", "20") and "01" <= text[10:12] <= "12" and "01" <= text[12:14] <= "31"
