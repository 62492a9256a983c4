"""Families that training does not see. Phrases are shared: what is new is how they stand together."""

from __future__ import annotations

from otc.families import Draft, Family, asked, asked_last, glued, labelled, of_, sentence, terse
from otc.words import pick


def narrative(draft: Draft) -> str:
    """有个客户对…感兴趣, 期限…, 规模…, 麻烦报价"""
    random = draft.random
    what = glued(random, draft.of("barriers", "strike", "option", "product", "bond", "yield"), ("的", "", ","))
    name = draft.underlying
    opening = pick(random, random.choice(("openings", "narrated")), of=f"{name}{of_(name)}{what}", plain=name or "它", what=what)
    tail = draft.of("tenor", "notional", "face", "lockup", "step", "coupon", "side")
    random.shuffle(tail)
    text = opening
    for each in tail:
        text += random.choice((",", ",", "。", ", ", ";")) + (pick(random, "fillers") if random.random() < 0.12 else "") + each
    return text + random.choice((",", "。", " ")) + pick(random, "ask_after")


def amount_first(draft: Draft) -> str:
    """1000万, 买, 一年, 平值看涨, 标的茅台: from the end to the beginning."""
    random = draft.random
    parts = [
        *draft.of(
            "notional", "face", "side", "coupon", "lockup", "step", "tenor", "yield", "barriers", "strike", "option", "product", "bond"
        ),
        draft.underlying,
    ]
    text = glued(random, parts, (",", " ", "", "的", ","))
    return asked(random, text) if random.random() < 0.5 else text


def forwarded(draft: Draft) -> str:
    """[转发] …: what somebody else asked for, handed on."""
    random = draft.random
    lead = pick(random, "forward_leads")
    return lead + random.choice((terse, sentence, asked_last, labelled))(draft)


def conditional(draft: Draft) -> str:
    """如果做1000万的话, 茅台3个月平值看涨什么价"""
    random = draft.random
    amount = (draft.of("notional", "face") or [""])[0]
    rest = glued(random, [draft.underlying, *draft.rest("notional", "face", "side")], (" ", "的", "", ","))
    side = (draft.of("side") or [""])[0]
    if not amount:
        premise = random.choice(("如果", "要是", "假如", "假设")) + side + rest
        return premise + random.choice(("的话", "", ",")) + pick(random, "premise_asks")
    return random.choice((
        f"如果{side}{amount}的话,{rest}什么价", f"{rest},要是{side}{amount}呢,什么价格", f"假设{side}{amount},{rest}能报多少",
        f"要做{amount},{side + ',' if side else ''}{rest}怎么报", f"{rest}如果{side}{amount}是什么价", f"打算{side}{amount},{rest}多少钱",
        f"if size is {amount}, {rest} {side}, price?",
    ))  # fmt: skip


HELD_OUT: tuple[tuple[Family, int], ...] = ((narrative, 1), (amount_first, 1), (forwarded, 1), (conditional, 1))
"""Families that training does not see. Phrases are shared: what is new is how they stand together."""
