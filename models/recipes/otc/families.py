"""How phrases become texts: families of templates. A family is held out whole, so that the evaluation sees ways of writing that training did not.

Each family draws from a `Draft`: phrases that state the terms, in an order of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from otc import chatter
from otc.phrases import Phrase, side_word

_SEPARATORS = (" ", " ", ",", ",", ", ", "/", "、", ";", " | ", "\n", "  ", " - ", "。", "+")


@dataclass(frozen=True, slots=True)
class Draft:
    """``underlying``: the words, empty for bonds and where none is named; ``phrases``: of everything else."""

    random: Random
    product: str
    underlying: str
    phrases: tuple[Phrase, ...]

    def of(self, *kinds: str) -> list[str]:
        """Return the words of phrases of these kinds, in the order of the kinds."""
        return [phrase.surface for kind in kinds for phrase in self.phrases if phrase.kind == kind]

    def rest(self, *kinds: str) -> list[str]:
        """Return the words of all other phrases, in their order."""
        return [phrase.surface for phrase in self.phrases if phrase.kind not in kinds]


Family = Callable[[Draft], str]


def glued(random: Random, parts: Sequence[str], separators: Sequence[str] = _SEPARATORS) -> str:
    """Join parts; where nothing stands between two of them they must not grow together."""
    separator = random.choice(separators)
    text = ""
    for part in parts:
        if not part:
            continue
        between = separator if random.random() < 0.85 else random.choice(separators)
        if text and not between and _grow_together(text[-1], part[0]):
            between = " "
        text += (between if text else "") + part
    return text


def _grow_together(left: str, right: str) -> bool:
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


def terse(draft: Draft) -> str:
    """500 1y atm call 1000w 买: a trader's shorthand, in any order."""
    parts = [draft.underlying, *draft.rest()]
    if draft.random.random() < 0.45:
        draft.random.shuffle(parts)
    text = glued(draft.random, parts)
    return _asked(draft.random, text) if draft.random.random() < 0.5 else text


def unspaced(draft: Draft) -> str:
    """中证500一年平值看涨1000万: nothing between."""
    parts = [draft.underlying, *draft.of("tenor", "product", "strike", "option", "barriers", "step", "lockup", "coupon", "bond", "yield", "face", "notional", "side")]
    if draft.random.random() < 0.3:
        parts = [parts[-1], *parts[:-1]] if draft.of("side") else parts
    text = glued(draft.random, parts, ("", "", "的"))
    return _asked(draft.random, text) if draft.random.random() < 0.4 else text


def asked_first(draft: Draft) -> str:
    """麻烦报个 茅台 3个月 的 平值看涨 …"""
    random = draft.random
    parts = [draft.underlying, *draft.rest("side")]
    if random.random() < 0.35:
        random.shuffle(parts)
    lead = random.choice(chatter.ASK_BEFORE)
    if draft.of("side"):
        lead = random.choice((lead + random.choice(("", " ", ",")) + draft.of("side")[0], draft.of("side")[0] + random.choice((",", " ")) + lead))
    return lead + random.choice(("", " ", ":", ",", " ")) + glued(random, parts, (" ", ",", "的", "", "、", ", "))


def asked_last(draft: Draft) -> str:
    """茅台 3个月 平值看涨, 1000万, 多少钱"""
    random = draft.random
    parts = [draft.underlying, *draft.rest()]
    random.shuffle(parts)
    return glued(random, parts, (" ", ",", "", ",", "的")) + random.choice((",", " ", "", "。", ", ")) + random.choice(chatter.ASK_AFTER)


_LABELS = {
    "underlying": ("标的", "标的:", "挂钩标的:", "underlying: ", "标的为", "挂钩", "标的资产:", "标的 ", "标的物:", "标的是", "底层:", "ul: "),
    "side": ("方向:", "方向", "side: ", "买卖方向:", "direction: ", "客户方向:", "交易方向:"), "tenor": ("期限:", "tenor: ", "期限 ", "存续期:", "到期期限:", "期限="), "option": ("类型:", "结构:", "期权类型:", "type: ", "种类:", "期权:"),
    "product": ("结构:", "产品:", "product: ", "品种:", "结构类型:", "产品类型:"), "strike": ("行权:", "执行价:", "strike: ", "行权价:"), "notional": ("名本:", "规模:", "size: ", "名义本金:", "金额:", "notional: "), "face": ("面额:", "量:", "size: ", "券面:"),
    "barriers": ("障碍:", "敲出敲入:", "barriers: ", "敲出/敲入:", "参数:", "敲入敲出:"), "lockup": ("锁定:", "lockup: ", "锁定期:", "观察:"), "coupon": ("票息:", "coupon: ", "收益:"), "step": ("降敲:", "stepdown: ", "递减:"), "bond": ("券:", "代码:", "bond: ", "债券:"), "yield": ("收益率:", "利率:", "yield: ", "价格:"),
}  # fmt: skip


def labelled(draft: Draft) -> str:
    """标的:茅台 期限:1y 方向:买"""
    random = draft.random
    parts = [random.choice(_LABELS["underlying"]) + draft.underlying] if draft.underlying else []
    for phrase in draft.phrases:
        label = random.choice(_LABELS[phrase.kind])
        parts.append(phrase.surface if phrase.surface.startswith(label.rstrip(":= ")) else label + phrase.surface)
    if random.random() < 0.5:
        random.shuffle(parts)
    separator = random.choice(("\n", ",", " ", ";", ", ", "|", "。", "  "))
    text = separator.join(parts)
    return random.choice(chatter.ASK_BEFORE) + random.choice(("\n", ":", " ", ",")) + text if random.random() < 0.4 else text


def sentence(draft: Draft) -> str:
    """客户想买1000万茅台的3个月平值看涨,怎么报?"""
    random = draft.random
    side = (draft.of("side") or [""])[0]
    amount, tenor = (draft.of("notional", "face") or [""])[0], (draft.of("tenor") or [""])[0]
    core = glued(random, [*draft.of("strike", "option", "barriers", "product", "bond", "yield")], ("的", "", ",")) if random.random() < 0.7 else glued(random, [*draft.of("bond", "product", "barriers", "option", "strike", "yield")], (",", "的", " "))
    tail = draft.of("lockup", "step", "coupon")
    random.shuffle(tail)
    start = random.choice(("我想", "想", "客户", "客户想", "我们", "我们这边想", "有客户要", "我这边", "帮我", "", "", "请问能不能", "老师,", "我司想", "机构客户想", "产品户想"))
    verb = side or random.choice(("做", "做一笔", "做一个", "问", "看", "了解一个", "询", "做个", "配一个", "参与"))
    forms = (
        f"{start}{verb}{amount}{_of(amount)}{draft.underlying}{_of(draft.underlying)}{tenor}{_of(tenor)}{core}",
        f"{start}{verb}{draft.underlying}{_of(draft.underlying)}{tenor}{_of(tenor)}{core}{_comma(amount)}{amount}",
        f"{draft.underlying}{_of(draft.underlying)}{core},{start}{verb}{amount}{_comma(tenor)}{tenor}",
        f"{start}{verb}{tenor}{_of(tenor)}{draft.underlying}{core}{_comma(amount)}{amount}",
        f"{start}{verb}一个{draft.underlying}{_of(draft.underlying)}{core}{_comma(tenor)}{tenor}{_comma(amount)}{amount}",
    )
    text = random.choice(forms)
    for each in tail:
        text += random.choice((",", ",", " ", "、")) + each
    return text + random.choice((",", " ", "。", "?", ",")) + random.choice(chatter.ASK_AFTER) if random.random() < 0.6 else text


def _of(part: str) -> str:
    return "的" if part and not part.endswith("的") else ""


def _comma(part: str) -> str:
    return "," if part else ""


def english(draft: Draft) -> str:
    """pls quote 1y atm call on csi500, notional 10mio"""
    random = draft.random
    lead = random.choice(("pls quote", "quote pls:", "please price", "looking for", "can you show me", "could i get a price on", "need a quote:", "rfq", "client wants", "we want", "hi, price for", "interested in", "kindly quote", "price please on", "what's your price for", "hi team, please quote"))
    side = draft.of("side")
    first = [*side, *draft.of("tenor", "strike", "option", "barriers", "product", "bond", "yield")]
    if random.random() < 0.3:
        random.shuffle(first)
    text = f"{lead} {' '.join(first)}"
    if draft.underlying:
        text += random.choice((" on ", " ", ", ", " on ", ", underlying ", " over ", " referencing ")) + draft.underlying
    for each in draft.of("notional", "face", "lockup", "step", "coupon"):
        text += random.choice((", ", " ", " for ", " with ", "; ")) + each
    return text + random.choice(("", ".", " pls", " thanks", "?", ", thx", " asap"))


def two_clauses(draft: Draft) -> str:
    """The structure in one clause, amount and direction in the other, either first."""
    random = draft.random
    one = glued(random, [draft.underlying, *draft.of("tenor", "barriers", "strike", "option", "product", "lockup", "step", "bond")], (" ", "的", "", ","))
    other = draft.of("side", "notional", "face", "coupon", "yield")
    random.shuffle(other)
    both = [one, glued(random, other, (" ", ",", "", ","))]
    if random.random() < 0.5:
        both.reverse()
    both = [each for each in both if each]
    mark = random.choice(("。", ";", "\n", ",", "。 ", "! ", ",另外", ",然后", "。另外", " -- ", ",就是", "\n\n", ". "))
    text = mark.join(both)
    return _asked(random, text) if random.random() < 0.6 else text


def dialogue(draft: Draft) -> str:
    """客户: 茅台, 3个月 / 客户: 平值看涨: a fragment of a chat."""
    random = draft.random
    parts = [draft.underlying, *draft.rest()]
    if random.random() < 0.4:
        random.shuffle(parts)
    parts = [each for each in parts if each]
    cut = random.randint(1, max(len(parts) - 1, 1))
    halves = [glued(random, parts[:cut], (" ", ",", "")), glued(random, parts[cut:], (" ", ",", ""))]
    speaker = random.choice(("客户:", "客户说:", "a:", "对方:", "客户a:", "王总:", "投资者:", "client:", "买方机构:", "", "李总: ", "群里:"))
    answer = random.choice(("", "", "我:好的", "销售:稍等", "b:收到", "我: 还有呢", "sales: sure", "销售:名本多少", "我:期限呢", "交易:参数发下"))
    lines = [speaker + halves[0], answer, (speaker + halves[1]) if halves[1] else ""]
    if random.random() < 0.35:
        lines.insert(0, speaker + random.choice(chatter.GREETINGS))
    if random.random() < 0.4:
        lines.append(speaker + random.choice(chatter.ASK_AFTER))
    return random.choice(("\n", "\n", " ", " / ")).join(each for each in lines if each)


def narrative(draft: Draft) -> str:
    """有个客户对…感兴趣, 期限…, 规模…, 麻烦报价"""
    random = draft.random
    what = glued(random, draft.of("barriers", "strike", "option", "product", "bond", "yield"), ("的", "", ","))
    name = draft.underlying
    opening = random.choice((
        f"有个客户对{name}{_of(name)}{what}感兴趣", f"我们这边有产品想挂{name}做{what}", f"手上有一单{name}{_of(name)}{what}", f"客户那边想看一下{name}{_of(name)}{what}", f"之前聊的那个客户又来问{name}{_of(name)}{what}", f"挂钩{name}{_of(name)}{what}",
        f"想给客户配置{name}{_of(name)}{what}", f"老客户问{name}{_of(name)}{what}", f"我领导让我问下{name}{_of(name)}{what}", f"资管那边要{name}{_of(name)}{what}", f"关于{name}{_of(name)}{what}", f"今天有一个{name}{_of(name)}{what}的需求",
    ))  # fmt: skip
    tail = draft.of("tenor", "notional", "face", "lockup", "step", "coupon", "side")
    random.shuffle(tail)
    text = opening
    for each in tail:
        text += random.choice((",", ",", "。", ", ", ";")) + (random.choice(chatter.FILLERS) if random.random() < 0.12 else "") + each
    return text + random.choice((",", "。", " ")) + random.choice(chatter.ASK_AFTER)


def listed(draft: Draft) -> str:
    """Each term on a line, some with a dash or a number."""
    random = draft.random
    parts = [each for each in (draft.underlying, *draft.rest()) if each]
    if random.random() < 0.5:
        random.shuffle(parts)
    mark = random.choice(("", "- ", "* ", "n) ", "n. ", "> "))
    lines = [mark.replace("n", str(number)) + part for number, part in enumerate(parts, 1)]
    return (random.choice(chatter.ASK_BEFORE) + ":\n" if random.random() < 0.5 else "") + "\n".join(lines)


def chatty(draft: Draft) -> str:
    """Terms among much that says nothing: fillers, haste, numbers that mean something else."""
    random = draft.random
    parts = [draft.underlying, *draft.rest()]
    if random.random() < 0.5:
        random.shuffle(parts)
    found = [random.choice(chatter.GREETINGS)] if random.random() < 0.6 else []
    for part in parts:
        if part:
            found.append((random.choice(chatter.FILLERS) + random.choice(("", " ", ",")) if random.random() < 0.3 else "") + part)
    found.insert(random.randint(0, len(found)), random.choice(chatter.DISTRACTIONS))
    if random.random() < 0.5:
        found.append(random.choice(chatter.ASK_AFTER))
    return glued(random, found, (",", ",", " ", "。", ", "))


def amount_first(draft: Draft) -> str:
    """1000万, 买, 一年, 平值看涨, 标的茅台: from the end to the beginning."""
    random = draft.random
    parts = [*draft.of("notional", "face", "side", "coupon", "lockup", "step", "tenor", "yield", "barriers", "strike", "option", "product", "bond"), draft.underlying]
    text = glued(random, parts, (",", " ", "", "的", ","))
    return _asked(random, text) if random.random() < 0.5 else text


def forwarded(draft: Draft) -> str:
    """[转发] …: what somebody else asked for, handed on."""
    random = draft.random
    lead = random.choice(("转发:", "[转发]", "fwd:", "客户原话:", "转客户询价:", "---转发消息---\n", "下面是客户的需求:", "客户邮件:", "帮转一下:", "替客户问:", "代客询价:", "渠道询价 ", "某私募:"))
    return lead + random.choice((terse, sentence, asked_last, labelled))(draft)


def conditional(draft: Draft) -> str:
    """如果做1000万的话, 茅台3个月平值看涨什么价"""
    random = draft.random
    amount = (draft.of("notional", "face") or [""])[0]
    rest = glued(random, [draft.underlying, *draft.rest("notional", "face", "side")], (" ", "的", "", ","))
    side = (draft.of("side") or [""])[0]
    if not amount:
        return random.choice(("如果", "要是", "假如", "假设")) + side + rest + random.choice(("的话", "", ",")) + random.choice(("多少钱", "什么价", "怎么报", "能报多少", "价格如何"))
    return random.choice((
        f"如果{side}{amount}的话,{rest}什么价", f"{rest},要是{side}{amount}呢,什么价格", f"假设{side}{amount},{rest}能报多少", f"要做{amount},{side + ',' if side else ''}{rest}怎么报", f"{rest}如果{side}{amount}是什么价", f"打算{side}{amount},{rest}多少钱", f"if size is {amount}, {rest} {side}, price?",
    ))  # fmt: skip


def _asked(random: Random, text: str) -> str:
    draw = random.random()
    if draw < 0.4:
        return text + random.choice((",", " ", "", "。", ", ")) + random.choice(chatter.ASK_AFTER)
    if draw < 0.7:
        return random.choice(chatter.ASK_BEFORE) + random.choice((" ", ":", ",", "")) + text
    if draw < 0.85:
        return random.choice(chatter.GREETINGS) + random.choice((",", " ", "!")) + random.choice(chatter.ASK_BEFORE) + random.choice((" ", "")) + text
    return random.choice(chatter.GREETINGS) + random.choice((",", " ", "!")) + text


TRAINED: tuple[tuple[Family, int], ...] = (
    (terse, 5), (unspaced, 2), (asked_first, 3), (asked_last, 3), (labelled, 2), (sentence, 4), (english, 2), (two_clauses, 3), (dialogue, 2), (chatty, 2), (listed, 1),
)  # fmt: skip
HELD_OUT: tuple[tuple[Family, int], ...] = ((narrative, 1), (amount_first, 1), (forwarded, 1), (conditional, 1))
"""Families that training does not see. `side_word` and phrases are shared: what is new is how they stand together."""
__all__ = ["HELD_OUT", "TRAINED", "Draft", "Family", "glued", "side_word"]
