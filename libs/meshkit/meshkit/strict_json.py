"""The one reader of JSON documents that people and other systems write. What two readers could understand in two ways is refused.

Beyond the standard library: duplicate keys, NaN and Infinity, numbers that only infinity could hold, whole numbers beyond 64 bits, lone
surrogates and deep nesting are errors of one type, so that whatever comes back can be walked, compared and encoded without surprise.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from meshkit.errors import InvalidDocument

MAX_DEPTH = 40


def parse_json(content: bytes) -> Any:
    """Return the value of a JSON document in UTF-8. Raises InvalidDocument."""
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except InvalidDocument:
        raise
    except UnicodeDecodeError:
        raise InvalidDocument("is not UTF-8") from None
    except RecursionError:
        raise InvalidDocument("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InvalidDocument(f"is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except ValueError:  # a whole number of thousands of digits
        raise InvalidDocument("holds a number that is too long") from None
    check_plain(value)
    return value


def check_plain(value: Any) -> None:
    """Check that a value is made of what JSON has, and bounded. Raises InvalidDocument that names the place."""
    waiting: list[tuple[Any, str, int]] = [(value, "", 1)]
    while waiting:
        item, place, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise InvalidDocument(f"{place[:100]} is nested too deeply")
        if isinstance(item, dict):
            for key, inner in item.items():
                if not isinstance(key, str):
                    raise InvalidDocument(f"{_joined(place, str(key))} must be quoted: only a text can be a key")
                _check_text(key, place)
                waiting.append((inner, _joined(place, key), depth + 1))
        elif isinstance(item, list):
            waiting += ((inner, f"{place}[{number}]", depth + 1) for number, inner in enumerate(item))
        else:
            _check_scalar(item, place)


def _check_scalar(item: Any, place: str) -> None:
    if isinstance(item, str):
        _check_text(item, place)
    elif isinstance(item, float):
        if not math.isfinite(item):
            raise InvalidDocument(f"{place} is not a finite number")
    elif isinstance(item, int):
        if not -(2**63) <= item < 2**63:
            raise InvalidDocument(f"{place} is a whole number beyond 64 bits")
    elif item is not None:
        raise InvalidDocument(f"{place} must be quoted: a {type(item).__name__} is no text")


def _check_text(text: str, place: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidDocument(f"{place or 'it'} holds half of a surrogate pair") from None


def _joined(place: str, key: str) -> str:
    return f"{place}.{key[:80]}" if place else key[:80]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidDocument(f"the key {twice[:80]!r} occurs twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise InvalidDocument(f"{name} is no number of JSON")
