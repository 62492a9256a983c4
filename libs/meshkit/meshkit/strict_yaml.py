"""The one reader of YAML documents. YAML 1.1 with everything taken away that makes a small file large or a word something else.

Refused: duplicate keys, aliases and merge keys (nine lines of them fill the memory), tags that make objects, dates, numbers that YAML 1.2
reads otherwise (``010``, ``1:30``, ``1_000``), and what `strict_json` refuses. The reader in C is not used: it recurses on the C stack.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml import AliasEvent, MappingNode, Node, SafeLoader, ScalarNode

from meshkit.errors import InvalidDocument
from meshkit.strict_json import MAX_DEPTH, check_plain

_MAX_BYTES = 64 * 1024  # two seconds of reading at the worst
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def parse_yaml(content: bytes) -> Any:
    """Return the value of a YAML document in UTF-8, made of what JSON has. Raises InvalidDocument."""
    if len(content) > _MAX_BYTES:
        raise InvalidDocument(f"is larger than {_MAX_BYTES} bytes")
    try:
        value = yaml.load(content.decode("utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except InvalidDocument:
        raise
    except UnicodeDecodeError:
        raise InvalidDocument("is not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InvalidDocument(f"is not YAML: {error.problem or error.context}{where}") from None
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # what the library's own constructors raise for an impossible date, `!!int ""` or a number of thousands of digits
        raise InvalidDocument(f"is not YAML: {type(error).__name__}") from None
    check_plain(value)
    return value


class _Loader(SafeLoader):
    _depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        if self.check_event(AliasEvent):
            raise InvalidDocument(f"aliases are not allowed{_line(self.peek_event())}")  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidDocument("is nested too deeply")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, MappingNode):
            _check_keys(node)
        elif isinstance(node, ScalarNode) and node.tag in _NUMBERS and not _NUMBER.fullmatch(node.value):
            raise InvalidDocument(f"{node.value[:80]!r} must be a plain decimal number, or quoted{_line(node)}")
        return node


def _check_keys(mapping: MappingNode) -> None:
    seen = set()
    for key, _ in mapping.value:
        if key.tag != "tag:yaml.org,2002:str":
            raise InvalidDocument(f"the key {str(key.value)[:80]!r} must be quoted: only a text can be a key{_line(key)}")
        if key.value in seen:
            raise InvalidDocument(f"the key {key.value[:80]!r} occurs twice{_line(key)}")
        seen.add(key.value)


def _line(place: Any) -> str:
    return f" in line {place.start_mark.line + 1}"
