"""The JSON Schema that constrains the model for one text: it can only write what that text supports.

Words of the underlying stand in the text; numbers are its numbers (`otcdesk.numbers`), amounts have the worth that is written, bond codes
stand there. A key for which the text has nothing is not offered at all. So no field is invented, and a copy goes wrong less often: what is
left to the model is to choose. Its confidence is taken before this mask, so that a text which it would have misread stays doubtful.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from otcdesk import own_text
from otcdesk.numbers import Numbers, numbers

LARGEST = 60_000
"""Characters of a schema. Of a text that needs more, words are shorter; then numbers may be any."""
_LONGEST_WORDS = (own_text.LONGEST_UNDERLYING, 16, 8)
_AT_THE_MONEY = Decimal(100)
_UNLOCKED = "0m"
_MANTISSA = re.compile(own_text.NUMBER + r"(?:e[0-9]+)?\Z")
_ENDS_WORDS = re.compile(r"[\n;。!?、【】]+")
_EXPONENTS = range(10)


def schema(text: str) -> str:
    """Return the JSON Schema for a folded text, as JSON; of at most `LARGEST` characters."""
    bonds, said = _six_digits(text), _of_numbers(numbers(text))
    for longest in _LONGEST_WORDS:
        words = _words(text, longest)
        made = _schema(words, bonds, said)
        if len(made) <= LARGEST:
            return made
    return _schema(words, bonds, own_text.ANY)


def _of_numbers(said: Numbers) -> dict[str, str]:
    """Return patterns by key; empty for what cannot be written."""
    plain = {Decimal(each) for each in said.plain}
    number = _alternatives({*said.plain, *map(_short, {*plain, *said.tens, _AT_THE_MONEY})})
    times = _alternatives({*said.plain, *map(_short, {*plain, *said.times})})
    found = own_text.forms(number, times, _alternatives(form for value in said.amounts for form in _amounts(value)))
    if not times:
        return found | {"tenor": "", "lockup": _UNLOCKED}
    return found | {"lockup": f"{_UNLOCKED}|{found['lockup']}"}


def _schema(words: str, bonds: str, numbers: Mapping[str, str]) -> str:
    patterns: dict[str, str] = {**numbers, "underlying": words, "bond": bonds}
    properties: dict[str, Any] = {}
    for name in own_text.KEYS:
        if name in own_text.WORDS_OF:
            properties[name] = {"enum": list(own_text.WORDS_OF[name])}
        elif patterns[name]:
            properties[name] = {"type": "string", "pattern": f"^(?:{patterns[name]})$"}
    whole = {"type": "object", "properties": properties, "required": ["intent"], "additionalProperties": False}
    return json.dumps(whole, ensure_ascii=False)


def _alternatives(forms: Iterable[str]) -> str:
    found = "|".join(sorted({re.escape(form) for form in forms if _MANTISSA.match(form)}))
    return f"(?:{found})" if found else ""


def _short(value: Decimal) -> str:
    form = f"{value:f}"
    return form.rstrip("0").rstrip(".") if "." in form else form


def _amounts(value: Decimal) -> Iterator[str]:
    """Yield every mantissa and exponent of an amount."""
    yield _short(value)
    for exponent in _EXPONENTS:
        yield f"{_short(value.scaleb(-exponent))}e{exponent}"


def _six_digits(text: str) -> str:
    return "|".join(sorted({run[at : at + 6] for run in re.findall(r"[0-9]{6,}", text) for at in range(len(run) - 5)}))


def _words(text: str, longest: int) -> str:
    """Return a pattern of all words of so many characters that no punctuation divides."""
    trie: dict[str, Any] = {}
    for stretch in _ENDS_WORDS.split(text):
        for start in range(len(stretch)):
            if stretch[start] == " ":
                continue
            node = trie
            for character in stretch[start : start + longest]:
                node = node.setdefault(character, {})
    return _pattern(trie)


def _pattern(node: dict[str, Any]) -> str:
    parts = []
    for character, below in node.items():
        rest = _pattern(below)
        parts.append(re.escape(character) + (f"(?:{rest})?" if rest else ""))
    return "|".join(parts)
