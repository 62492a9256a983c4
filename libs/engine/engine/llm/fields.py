"""Fields of a JSON object, each taken once, by type and bounds; what is left over at the end is refused.

Surprising: to Python `true` is an integer and a second field of the same name silently wins. Neither passes here.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Never


class MalformedManifestError(ValueError):
    """The manifest does not follow version 1; `field` is the path to what is wrong, empty for the whole."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"manifest: {field}: {message}" if field else f"manifest: {message}")
        self.field = field


class Fields:
    """One object on its way to becoming a dataclass."""

    def __init__(self, value: object, path: str = "") -> None:
        self._path = path
        if not isinstance(value, dict):
            raise MalformedManifestError(path, "not an object")
        self._left: dict[str, Any] = dict(value)

    @classmethod
    def of_json(cls, content: bytes) -> Fields:
        """Raises MalformedManifestError when `content` is not one JSON object."""
        try:
            return cls(json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant))
        except MalformedManifestError:
            raise
        except (ValueError, RecursionError) as error:
            raise MalformedManifestError("", f"not JSON: {error}") from error

    @property
    def names(self) -> list[str]:
        return list(self._left)

    def value(self, name: str) -> object:
        """What stands there, not taken; None when nothing does."""
        return self._left.get(name)

    def is_named(self, name: str, pattern: re.Pattern[str]) -> bool:
        """True, or MalformedManifestError when the field's own name is not of the pattern."""
        if not pattern.fullmatch(name):
            raise MalformedManifestError(self._where(name), "not a plain name")
        return True

    def present(self, name: str) -> bool:
        """Whether an optional field says something: it must stand there, null or not. A null is taken."""
        if name not in self._left:
            raise MalformedManifestError(self._where(name), "missing")
        if self._left[name] is None:
            del self._left[name]
            return False
        return True

    def child(self, name: str) -> Fields:
        return Fields(self._take(name), self._where(name))

    def text(self, name: str, pattern: re.Pattern[str] | None = None, *, may_be_empty: bool = False) -> str:
        value = self._take(name)
        is_text = isinstance(value, str) and len(value) <= 1024 and (value or may_be_empty)
        if not is_text or (pattern and not pattern.fullmatch(value)):
            self._refuse(name, value, f"text of the form {pattern.pattern}" if pattern else "text")
        return str(value)

    def texts(self, name: str) -> list[str]:
        value = self._take(name)
        if not isinstance(value, list) or len(value) > 64 or not all(isinstance(each, str) and each for each in value):
            self._refuse(name, value, "a list of at most 64 texts")
        return value

    def one_of(self, name: str, *values: str) -> str:
        value = self._take(name)
        if not isinstance(value, str) or value not in values:
            self._refuse(name, value, " or ".join(values))
        return value

    def integer(self, name: str, least: int, most: int = 1 << 31) -> int:
        return self._integer(name, self._take(name), least, most)

    def integers(self, name: str, least: int, most: int = 1 << 31) -> list[int]:
        value = self._take(name)
        if not isinstance(value, list) or len(value) > 64:
            self._refuse(name, value, "a list of at most 64 whole numbers")
        return [self._integer(name, each, least, most) for each in value]

    def number(self, name: str) -> float:
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            self._refuse(name, value, "a number above 0")
        return float(value)

    def done(self) -> None:
        """Raises MalformedManifestError when a field was not asked for."""
        for name in self._left:
            raise MalformedManifestError(self._where(name), "not known here")

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise MalformedManifestError(self._where(name), "missing")
        return self._left.pop(name)

    def _integer(self, name: str, value: object, least: int, most: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self._refuse(name, value, f"a whole number from {least} to {most}")
        return value

    def _refuse(self, name: str, value: object, expected: str) -> Never:
        raise MalformedManifestError(self._where(name), f"expected {expected}, found {str(value)[:80]!r}")

    def _where(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedManifestError("", "a field stands twice")
    return found


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no number of JSON")
