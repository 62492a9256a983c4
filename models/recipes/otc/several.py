"""Several inquiries in one text: whole ones one after another, or one structure for two underlyings, tenors or strikes."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from otc import families, structures, times
from otc.families import Draft, glued
from otc.names import Names
from otc.words import pick

_FAMILIES = (families.terse, families.unspaced, families.asked_last, families.sentence, families.english)


def text(random: Random, names: Names, drafts: Sequence[Draft]) -> str:
    """Return a text of several inquiries, made of the drafts or of the first of them."""
    draft = drafts[0]
    if random.random() < 0.5 or draft.product == "bond":
        return _whole(random, drafts[: random.choice((2, 2, 2, 3))])
    draw = random.random()
    if draw < 0.45:
        return _varied(random, draft, [names.draw(random) for _ in range(random.choice((2, 2, 3)))], is_name=True)
    if draw < 0.75:
        return _varied(random, draft, [times.tenor(random)[0] for _ in range(random.choice((2, 2, 3)))], "tenor")
    if draft.product == "vanilla":
        if random.random() < 0.4:
            return _varied(
                random,
                draft,
                random.choice((["call", "put"], ["看涨", "看跌"], ["认购", "认沽"], ["看涨期权", "看跌期权"])),
                "option",
                "product",
            )
        strikes = random.sample(("80", "85", "90", "95", "100", "103", "105", "110", "平值"), random.choice((2, 2, 3)))
        return _varied(random, draft, [each + random.choice(("call", "%", "put", "看涨")) for each in strikes], "option", "strike")
    return _varied(random, draft, [structures.barriers(random).surface for _ in range(2)], "barriers")


def _whole(random: Random, drafts: Sequence[Draft]) -> str:
    texts = [random.choice(_FAMILIES)(draft) for draft in drafts]
    mark = pick(random, "several_marks")
    form = random.choice(("{}.{}", "{}){}", "{}、{}", "({}){}", "询价{}:{}"))
    found = mark.join(form.format(number, each) for number, each in enumerate(texts, 1)) if random.random() < 0.3 else mark.join(texts)
    return pick(random, "several_leads") + found


def _varied(random: Random, draft: Draft, variants: Sequence[str], *kinds: str, is_name: bool = False) -> str:
    rest = draft.rest(*kinds) if is_name else [draft.underlying, *draft.rest(*kinds)]
    if random.random() < 0.25:
        return _named_first(random, draft, rest, variants)
    base, both = glued(random, rest, (" ", ",", "", "的")), pick(random, "both")
    said = both.join(variants) if len(variants) == 2 else random.choice(("、", "/", ",", " ")).join(variants[:-1]) + both + variants[-1]
    parts = random.choice(((said, base), (base, said)))
    found = random.choice(("的", " ", ",", "")).join(each for each in parts if each)
    draw = random.random()
    if draw < 0.8:
        return found + random.choice((",", " ", "")) + pick(random, "each")
    return pick(random, "ask_before") + random.choice((" ", "")) + found


def _named_first(random: Random, draft: Draft, rest: Sequence[str], variants: Sequence[str]) -> str:
    """500和1000的雪球都报一下,条款一样:2年 103/80; 茅台、五粮液 3m 平值call,各500万."""
    names = pick(random, "both").join(variants)
    amounts = draft.of("notional")
    if amounts and random.random() < 0.5:
        others = glued(random, [each for each in rest if each not in amounts], (" ", ",", "", "的"))
        shared = random.choice(("各", "都是", "每个", "各做", "每笔", "each ")) + amounts[0]
        return (
            names + random.choice(("的", " ", ",", "各来一个", "各来一笔", "各报一个")) + others + random.choice((",", " ", ";")) + shared
        )
    told = random.choice((",条款一样:", ",条款相同,", ",都是", "。条款:", ",same terms: ", ",条件都一样 "))
    return (
        names
        + random.choice(("的", " ", ""))
        + pick(random, draft.product if draft.product == "snowball" else "each")
        + (random.choice(("都报一下", "都看下", "都要", "")) + told + glued(random, rest, (" ", ",", "")))
    )
