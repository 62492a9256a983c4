"""Whole texts that are no inquiry: talk, questions about markets, other languages, and attempts to instruct the parser."""

from __future__ import annotations

from random import Random

from otc.frames import expanded
from otc.words import WORDS, pick

_SCRIPTS = ((0x3041, 0x3093), (0xAC00, 0xD7A3), (0x0430, 0x044F), (0x0E01, 0x0E2E), (0x0627, 0x064A), (0x03B1, 0x03C9), (0x0905, 0x0939))
"""Kana, Hangul, Cyrillic, Thai, Arabic, Greek, Devanagari."""


def other(random: Random, name: str) -> str:
    """Return a text that is no inquiry. ``name``: of an instrument that may be talked about."""
    draw = random.random()
    if draw < 0.2:
        text = expanded(random, "small_talk")
    elif draw < 0.45:
        text = pick(random, "others")
    elif draw < 0.65:
        text = pick(random, "about_topics")
        text = text.format(*random.sample(WORDS["topics"], text.count("{}")))
    elif draw < 0.9:
        text = pick(random, "knowledge").format(name)
    elif draw < 0.96:
        text = foreign(random) if random.random() < 0.5 else romance(random)
    else:
        text = random.choice((",", "。", " ", "\n")).join(random.sample(WORDS["others"], 2))
    if random.random() < 0.2:
        text = pick(random, "greetings") + random.choice((",", " ", "!", "，")) + text
    if random.random() < 0.12:
        text += random.choice((",", " ", "。")) + random.choice(("谢谢", "辛苦了", "thx", "麻烦了", "哈哈", "急"))
    return text


def foreign(random: Random) -> str:
    """Return letters of a script that no inquiry is written in, with a number now and then."""
    first, last = random.choice(_SCRIPTS)
    words = ["".join(chr(random.randint(first, last)) for _ in range(random.randint(2, 7))) for _ in range(random.randint(1, 6))]
    if random.random() < 0.3:
        words.insert(random.randint(0, len(words)), str(random.randint(1, 5000)))
    return random.choice((" ", " ", "")).join(words)


def romance(random: Random) -> str:
    """Return words of a European or Asian language in Latin letters, in no order: whatever stands there, it is no inquiry."""
    words = pick(random, "latin_languages").split()
    found = random.choices(words, k=random.randint(2, 9))
    if random.random() < 0.25:
        found.insert(random.randint(0, len(found)), random.choice((str(random.randint(1, 5000)), "option", "call", "put", "3m", "100%")))
    return " ".join(found) + random.choice(("", "", "?", ".", "!"))


def instructed(random: Random, text: str) -> str:
    """Return an attempt to instruct the parser, alone or beside an inquiry: ``text``."""
    order = pick(random, "injections")
    if random.random() < 0.45:
        return order
    both = [order, text]
    random.shuffle(both)
    return random.choice((",", "。", "\n", " ", ";", "。\n")).join(both)
