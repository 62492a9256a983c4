"""Families of longer texts, and which families training sees."""

from __future__ import annotations

from otc.families import (
    Draft,
    Family,
    asked_first,
    asked_last,
    chatty,
    dialogue,
    english,
    glued,
    labelled,
    listed,
    sentence,
    terse,
    two_clauses,
    unspaced,
)
from otc.frames import framed
from otc.words import pick

_COLUMNS = {
    "side": "方向", "tenor": "期限", "strike": "行权价", "option": "类型", "product": "结构", "notional": "名本", "face": "面额",
    "barriers": "敲出/敲入",
    "lockup": "锁定期", "coupon": "票息", "step": "降敲", "bond": "代码", "yield": "收益率",
}  # fmt: skip


def table(draft: Draft) -> str:
    """A row of names and a row of values, as they are pasted from a sheet."""
    random = draft.random
    columns = [("标的", draft.underlying)] if draft.underlying else []
    columns += [(_COLUMNS[phrase.kind], phrase.surface) for phrase in draft.phrases]
    separator = random.choice((" ", "|", " | ", ",", "  "))
    return separator.join(name for name, _ in columns) + "\n" + separator.join(value for _, value in columns)


def letter(draft: Draft) -> str:
    """A formal message: a greeting, who asks, terms by name, thanks."""
    random = draft.random
    lead = random.choice(
        ("我司", "我公司", "我部", "本产品", "我们", "客户", "xx资管", "dear team,\nplease quote", "贵司您好,我方")
    ) + random.choice(("拟询价如下", "拟就以下交易询价", "有如下询价", ""))
    names = [pick(random, "labels.underlying") + draft.underlying] if draft.underlying else []
    parts = [*names, *draft.rest()]
    mark = random.choice(("", "", "n.", "n)", "n、"))
    body = random.choice(("\n", ";", "\n", ",")).join(mark.replace("n", str(number)) + part for number, part in enumerate(parts, 1))
    opening = pick(random, "greetings") + random.choice((",", "!", ":")) + lead + random.choice((":", ":", "\n"))
    return opening + body + random.choice(("。", "\n", ",")) + pick(random, "ask_after")


def rambling(draft: Draft) -> str:
    """A long chat in which terms come one by one, between talk that says nothing."""
    random = draft.random
    parts = [each for each in (draft.underlying, *draft.rest()) if each]
    if random.random() < 0.5:
        random.shuffle(parts)
    found = [pick(random, "greetings")]
    for part in parts:
        if random.random() < 0.35:
            found.append(pick(random, "distractions"))
        if random.random() < 0.2:
            found.append(pick(random, "answers"))
        found.append((pick(random, "speakers") if random.random() < 0.2 else "") + part)
    found.append(pick(random, "ask_after"))
    return random.choice(("\n", ",", "。", " ")).join(each for each in found if each)


def prose(draft: Draft) -> str:
    """Whole sentences: 客户希望通过卖出五粮液看跌期权增厚收益, 请问茅台的平值看涨能报吗."""
    random = draft.random
    what = glued(random, draft.of("strike", "option", "product", "barriers"), ("", "的", "", " "))
    if not draft.underlying or not what:
        return sentence(draft)
    form = pick(random, "prose")
    side = (draft.of("side") or [""])[0]
    is_said = "{side}" in form
    rest = draft.rest("strike", "option", "product", "barriers", *(("side",) if is_said else ()))
    random.shuffle(rest)
    return form.format(
        side=side or ("做" if is_said else ""),
        plain=draft.underlying,
        of=draft.underlying + random.choice(("的", "的", "")),
        what=what,
        rest=random.choice((",", ",", " ", "、", "。")).join(rest),
        aim=pick(random, "aims"),
        aim_en=pick(random, "aims_english"),
    )


TRAINED: tuple[tuple[Family, int], ...] = (
    (terse, 5), (unspaced, 2), (asked_first, 3), (asked_last, 3), (labelled, 2), (sentence, 4), (english, 2), (two_clauses, 3),
    (dialogue, 2), (chatty, 3), (listed, 1),
    (table, 1), (letter, 1), (rambling, 2), (prose, 4),
    (framed, 18),
)  # fmt: skip
