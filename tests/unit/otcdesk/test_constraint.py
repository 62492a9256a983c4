"""The model can write what a text says and nothing else; whatever the text, the schema compiles and stays small."""

from __future__ import annotations

import itertools
import json
import random
import re
from typing import Any

import pytest
from engine.llm.grammar import Grammars
from otc import vocabulary
from otc.generate import Generator
from otcdesk import constraint, guards, own_text
from otcdesk.fold import fold
from otcdesk.instruments import Instruments

MASTER = Instruments.read()


def properties(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(constraint.schema(fold(text).text))["properties"]
    return found


def allows(text: str, name: str, value: str) -> bool:
    form = properties(text).get(name)
    if form is None:
        return False
    return value in form["enum"] if "enum" in form else re.fullmatch(form["pattern"], value) is not None


@pytest.mark.parametrize("is_held_out", [False, True])
def test_all_that_the_generator_means_can_be_written(is_held_out: bool) -> None:
    for sample in itertools.islice(Generator(MASTER, 11, is_held_out=is_held_out), 800):
        for name, value in sample.values.items():
            assert allows(sample.text, name, value), (sample.text, name, value)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("中证500 1y 平值call", "notional", "1e7"), ("茅台平值call", "tenor", "3m"), ("茅台 3m call", "underlying", "五粮液"),
        ("茅台 3m 敲入53.5%", "ki", "68"), ("50kw", "notional", "50e4"), ("三十五w", "notional", "35e8"), ("220205 2.35", "bond", "220210"),
        ("220205 3.2755", "yield", "3.27"), ("觉毛感炸 3m", "underlying", "觉富感炸"), ("名本500万", "notional", "5e7"),
        ("Guten Tag, bitte", "notional", "1e6"), ("雪球 103-80", "step", "0.5"),
    ],
)  # fmt: skip
def test_what_the_text_does_not_say_cannot_be_written(text: str, name: str, value: str) -> None:
    assert not allows(text, name, value)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("茅台平值call", "strike", "100"), ("不锁", "lockup", "0m"), ("八折put", "strike", "80"), ("虚值5%", "strike", "otm5"),
        ("1.05x", "strike", "1.05x"), ("+15bp", "yield", "15bp"), ("上汽集团(600104.sh)9months", "underlying", "上汽集团(600104.sh)"),
        ("中概互联网etf,513050.sh", "underlying", "中概互联网etf,513050.sh"),
        ("买二二零二零五", "face", "220205"), ("一年半", "tenor", "18m"),
    ],
)  # fmt: skip
def test_what_follows_from_the_text_can(text: str, name: str, value: str) -> None:
    assert allows(text, name, value)


LONG = {
    "letters": "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=512)),
    "Hanzi": "".join(random.Random(2).choices([chr(point) for point in range(0x4E00, 0x9FA5)], k=512)),
    "numerals": "1万2千3百4十5亿6w7kw8e9点" * 40,
    "digits": "1234567890" * 60,
    "decimals": "9.9," * 128,
    "patterns": r"[a-z]+(?:\d{1,99}|.*)^$\\" * 30,
    "quotes": "'\"“”\\\n\t" * 80,
    "emoji": "👍🏽🇨🇳" * 100,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_any_text_compiles(text: str) -> None:
    folded = fold(text[: guards.LONGEST]).text
    schema = constraint.schema(folded)
    assert len(schema) <= constraint.LARGEST
    grammars = Grammars(vocabulary.document().decode(), len(vocabulary.tokens()), [vocabulary.END])
    matcher = grammars.matcher(schema)
    for token in vocabulary.encode_values({"intent": "other"})[:-1]:
        assert matcher.mask()[token]
        matcher.advance(token)


def test_own_texts_are_read_back() -> None:
    for sample in itertools.islice(Generator(MASTER, 12), 200):
        assert own_text.read(own_text.write(sample.values)) == sample.values
