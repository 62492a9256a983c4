"""Frames made by composition: who says it, over which channel, with which verb, how politely, in which order; thousands of them.

A grammar (`frames.json`): `[name]` is one of the words of that name, `[name?]` that or nothing, `[[` and `]]` are brackets, `[han]` is any
Hanzi; what stands in braces are the terms. No wording of a family that is held out stands in it.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from random import Random

from otc.families import Draft, glued, of_
from otc.names import HANZI
from otc.words import pick

_GRAMMAR: dict[str, list[str]] = json.loads(resources.files("otc").joinpath("frames.json").read_text(encoding="utf-8"))
_PART = re.compile(r"\[([a-z][a-z_0-9.]*)(\??)\]")
_CORE = ("strike", "option", "product", "barriers", "bond", "yield")
_SLOT = re.compile(r"\{(\w+)\}")


def expanded(random: Random, name: str) -> str:
    """Return words of a name, whole."""
    if name == "han":
        return random.choice(HANZI)

    def part(found: re.Match[str]) -> str:
        return "" if found[2] and random.random() < 0.5 else expanded(random, found[1])

    return _PART.sub(part, random.choice(_GRAMMAR[name]).replace("[[", "【").replace("]]", "】"))


def framed(draft: Draft) -> str:
    """刚开户的信托在群里提到想做茅台的平值看涨,3个月,1000万: who, how, what, in an order of its own."""
    random = draft.random
    frame = expanded(random, "frame")
    is_english = "{obj_en}" in frame
    thing = expanded(random, "obj_en" if is_english else "obj")
    frame = frame.replace("{obj_en}", "{obj}").replace(
        "{obj}", thing if draft.underlying else "{side}{what}" if "{side}" in thing else "{what}"
    )
    values = _terms(draft, set(_SLOT.findall(frame)), is_english=is_english)
    return _tidy(_SLOT.sub(lambda found: values[found[1]], frame))


def _terms(draft: Draft, asked: set[str], *, is_english: bool) -> dict[str, str]:
    """Return the words for each slot; what no slot asks for by name stands in the rest."""
    random = draft.random
    taken = {"side": ("side",), "tenor": ("tenor",), "amount": ("notional", "face")}
    named = [kind for slot, kinds in taken.items() if slot in asked for kind in kinds]
    core = draft.of(*(_CORE if random.random() < 0.7 else _CORE[::-1]))
    rest = [each for each in draft.rest(*_CORE, *named) if each]
    random.shuffle(rest)
    joint = ", " if is_english else random.choice((",", ",", " ", "、", ";", ", ", "\n"))
    if rest and not is_english and random.random() < 0.3:
        at = random.randrange(len(rest))
        rest[at] = pick(random, "fillers") + rest[at]
    tenor, name = " ".join(draft.of("tenor")), draft.underlying
    side = " ".join(draft.of("side"))
    return {
        "name": name,
        "of": of_(name) if random.random() < 0.8 else "",
        "tenor": tenor,
        "of_tenor": of_(tenor) if random.random() < 0.5 else "",
        "what": glued(random, core, (" ",) if is_english else ("的", "", " ", ",")),
        "side": f"{side} " if is_english and side else side,
        "amount": " ".join(draft.of("notional", "face")),
        **dict.fromkeys(("rest", "rest_en", "others", "others_en"), joint.join(rest)),
    }


def _tidy(text: str) -> str:
    """Drop the marks that stand around what was empty."""
    text = re.sub(r"\(标?的?\)|【】|《》|''", "", text)
    text = re.sub(r"([,;、。]) *(?:[,;、。] *)+", r"\1", text)
    return re.sub(r"^[,;、。:\s]+|[,;、:\s]+$", "", text)
