"""Masks identifiers in what leaves the service as telemetry or as a dead letter: a thin user of `libs/pii`.

Short texts that hold nothing are remembered, since names, codes and topics come again and again; what holds something never is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pii import find, mask

LIMIT_CHARACTERS = 16_384
_MIN_NUMBER = 10**9  # ten digits: nothing shorter is an identifier without words around it
_SHORT = 128
_MAX_KNOWN = 4_096
_harmless: set[str] = set()


def redact(text: str) -> str:
    """Return ``text`` with identifiers masked, cut to LIMIT_CHARACTERS."""
    if text in _harmless:
        return text
    if len(text) > LIMIT_CHARACTERS:
        return mask(text, LIMIT_CHARACTERS) + "…"
    clean = mask(text)
    if len(text) <= _SHORT and clean == text:
        if len(_harmless) >= _MAX_KNOWN:
            _harmless.clear()
        _harmless.add(text)
    return clean


def redacted(value: object) -> object:
    """Return a value fit for JSON with identifiers masked in texts, numbers, keys and what holds them."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): redacted(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray | memoryview):
        return [redacted(item) for item in value]
    return redact(str(value))


def _number(value: int | float) -> object:
    whole = int(value) if isinstance(value, int) or value.is_integer() else 0
    if abs(whole) < _MIN_NUMBER or abs(whole) >= 10**40:  # no identifier is so long, and its digits would cost time
        return value
    text = str(abs(whole))
    return value if not find(text) else mask(text)
