"""Reads the fields of a JSON object by name: a field is used, or neutral, or refused by its name. None is the same as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshkit.errors import FieldViolation, InvalidArgument, InvalidDocument
from meshkit.strict_json import parse_json


def wrong(field: str, description: str, reason: str = "FIELD_INVALID") -> InvalidArgument:
    """Return the error about one field."""
    return InvalidArgument("the request is wrong", reason=reason, violations=(FieldViolation(field, description),))


def unsupported(field: str) -> InvalidArgument:
    """Return the error about a field that this door does not have."""
    return wrong(field, "is not supported here", "FIELD_UNSUPPORTED")


def document(content: bytes) -> Mapping[str, Any]:
    """Return the object of a body. Raises InvalidArgument."""
    try:
        found = parse_json(content)
    except InvalidDocument as error:
        raise InvalidArgument(f"the body {error.message}", reason="MALFORMED_JSON") from None
    if not isinstance(found, dict):
        raise InvalidArgument("the body is no JSON object", reason="MALFORMED_JSON")
    return found


def whole(value: Any) -> int | None:
    """Return a whole number, None for what is none. JSON knows one kind of number: 1.0 is 1."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


class Fields:
    """The fields of one object; ``place`` is its own name, with a dot behind it. Each is taken once; ``end`` refuses the others."""

    def __init__(self, values: Any, place: str = "") -> None:
        if not isinstance(values, dict):
            raise wrong(place.rstrip(".") or "body", "must be an object")
        self._left = {name: value for name, value in values.items() if value is not None}
        self.place = place

    def take(self, name: str) -> Any:
        """Return a field as it is, None when it is absent."""
        return self._left.pop(name, None)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text. Raises InvalidArgument when it is none, or absent without a default."""
        value = self.take(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise wrong(self.place + name, "must be a text" if value is not None else "is required")
        return value

    def flag(self, name: str) -> bool:
        """Return a truth value, False when absent."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise wrong(self.place + name, "must be true or false")
        return bool(value)

    def whole(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number within bounds, None when absent."""
        value = self.take(name)
        if value is None:
            return None
        number = whole(value)
        if number is None or not least <= number <= most:
            raise wrong(self.place + name, f"must be a whole number from {least} to {most}")
        return number

    def number(self, name: str, least: float, most: float, default: float) -> float:
        """Return a number within bounds."""
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise wrong(self.place + name, f"must be a number from {least:g} to {most:g}")
        return float(value)

    def neutral(self, values: Mapping[str, tuple[Any, ...]]) -> None:
        """Accept fields that say what holds anyway, and refuse any other value of them by name."""
        for name, accepted in values.items():
            value = self.take(name)
            if value is not None and not any(type(value) is type(each) and value == each for each in accepted):
                raise unsupported(self.place + name)

    def end(self) -> None:
        """Refuse what was not taken."""
        for name in self._left:
            raise wrong(self.place + name[:80], "is no parameter of this method", "FIELD_UNKNOWN")
