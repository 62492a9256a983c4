"""Samples without end: a text as people write it and the model's own text for it.

`samples(seed, …)` is a function of its arguments: the same seed gives the same samples, whoever asks. Texts are folded (`otcdesk.fold`), as
they are in service; typos come last, and never into an underlying or a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from otcdesk import own_text
from otcdesk.fold import fold
from otcdesk.instruments import Instruments

from otc import chatter, families, phrases
from otc.families import Draft, Family
from otc.names import NUMERIC, Names
from otc.phrases import Phrase

LONGEST_TEXT = 160
_TYPOS = (
    ("雪球", "雪秋"), ("雪球", "学球"), ("敲入", "敲如"), ("敲出", "敲处"), ("名本", "名苯"), ("平值", "平直"), ("看涨", "看张"), ("看跌", "看铁"), ("期限", "其限"), ("票息", "票习"), ("锁定", "所定"), ("个月", "个越"), ("call", "cal"), ("call", "calll"), ("put", "putt"),
    ("snowball", "snowbal"), ("报价", "抱价"), ("报个", "抱个"), ("认购", "任购"), ("认沽", "认估"), ("名义", "名议"), ("本金", "本斤"), ("行权价", "行权架"), ("客户", "客戶"), ("雪球", "雪球球"), ("敲入", "巧入"), ("敲出", "巧出"), ("虚值", "虚直"), ("买入", "买人"), ("notional", "notinal"), ("strike", "stirke"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """``text``: folded. ``values``: by key of the model's text. ``family``: how it was written."""

    text: str
    values: dict[str, str]
    family: str

    @property
    def own_text(self) -> str:
        return own_text.write(self.values)


class Generator:
    """``is_held_out``: families and names that training does not see, else only the others."""

    def __init__(self, instruments: Instruments, seed: int, *, is_held_out: bool = False) -> None:
        self._random = Random(seed)
        self._names = Names(instruments, is_held_out=is_held_out)
        chosen = families.HELD_OUT if is_held_out else families.TRAINED
        self._families: list[Family] = [family for family, _ in chosen]
        self._weights = [weight for _, weight in chosen]

    def __iter__(self) -> Iterator[Sample]:
        while True:
            sample = self._draw()
            if sample is not None:
                yield sample

    def _draw(self) -> Sample | None:
        random = self._random
        draw = random.random()
        if draw < 0.62:
            text, values, family = self._quote()
        elif draw < 0.74:
            text, values, family = self._follow_up()
        elif draw < 0.82:
            text, values, family = self._order()
        elif draw < 0.86:
            text, values, family = self._cancel()
        elif draw < 0.95:
            text, values, family = self._other()
        else:
            text, values, family = self._several()
        folded = fold(_worn(random, text)).text
        is_copied = values.get("underlying", "") in folded
        if not folded or len(folded) > LONGEST_TEXT or not is_copied:
            return None
        return Sample(folded, {key: values[key] for key in own_text.KEYS if key in values}, family)

    def _quote(self) -> tuple[str, dict[str, str], str]:
        draft, values = self._terms()
        family = self._random.choices(self._families, self._weights)[0]
        text = self._corrected(family(draft), values, draft)
        return text, {"intent": "quote", **values}, family.__name__

    def _terms(self) -> tuple[Draft, dict[str, str]]:
        random = self._random
        product = random.choices(("vanilla", "snowball", "bond"), (48, 36, 16))[0]
        parts = {"vanilla": self._vanilla, "snowball": self._snowball, "bond": self._bond}[product]()
        random.shuffle(parts)
        underlying = "" if product == "bond" or random.random() < 0.03 else self._names.draw(random)
        values = _values(parts)
        if underlying:
            values["underlying"] = underlying
        return Draft(random, product, underlying, tuple(parts)), values

    def _maybe(self, *choices: tuple[float, Phrase]) -> list[Phrase]:
        return [phrase for chance, phrase in choices if self._random.random() < chance]

    def _amount(self) -> Phrase:
        return phrases.notional(self._random) if self._random.random() < 0.95 else phrases.foreign_notional(self._random)

    def _time(self) -> Phrase:
        return phrases.tenor(self._random) if self._random.random() < 0.94 else phrases.date(self._random)

    def _vanilla(self) -> list[Phrase]:
        random = self._random
        if random.random() < 0.1:
            parts = [phrases.vanilla_word(random), *self._maybe((0.5, phrases.strike(random)))]
        else:
            parts = [phrases.strike_option(random), *self._maybe((0.08, phrases.vanilla_word(random)))]
            if "strike" not in parts[0].values and random.random() < 0.7:
                parts.append(phrases.strike(random) if random.random() < 0.88 else phrases.strike_absolute(random))
        return [*parts, *self._maybe((0.85, self._time()), (0.7, self._amount()), (0.5, phrases.side(random)))]

    def _snowball(self) -> list[Phrase]:
        random = self._random
        parts = [phrases.snowball_word(random)]
        draw = random.random()
        parts += [phrases.barriers(random)] if draw < 0.8 else [phrases.knock_out(random)] if draw < 0.86 else [phrases.knock_in(random)] if draw < 0.92 else []
        asked = phrases.coupon(random) if random.random() < 0.6 else phrases.coupon_asked(random)
        return [*parts, *self._maybe((0.85, self._time()), (0.6, self._amount()), (0.6, phrases.lockup(random)), (0.35, phrases.step(random)), (0.45, asked), (0.3, phrases.side(random)))]

    def _bond(self) -> list[Phrase]:
        random = self._random
        parts = [phrases.bond_code(random) if random.random() < 0.85 else phrases.bond_name(random)]
        price = phrases.bond_yield(random) if random.random() < 0.82 else phrases.bond_relative(random)
        return [*parts, *self._maybe((0.65, price), (0.75, phrases.face(random)), (0.85, phrases.side(random)))]

    def _corrected(self, text: str, values: dict[str, str], draft: Draft) -> str:
        """Append a correction now and then; the last word counts."""
        random = self._random
        if random.random() > 0.08:
            return text
        again: list[Phrase] = []
        for phrase in draft.phrases:
            made = _again(random, phrase)
            if made is not None:
                again.append(made)
        if draft.underlying and random.random() < 0.3:
            name = self._names.draw(random)
            again = [Phrase("underlying", random.choice(("标的", "", "标的是")) + name, {"underlying": name})]
        if not again:
            return text
        new = random.choice(again)
        values.update(new.values)
        return text + random.choice((",", "。", " ", "\n", "...")) + random.choice(chatter.SORRY) + random.choice((",", " ", "", "。")) + random.choice(chatter.CHANGE) + new.surface

    def _follow_up(self) -> tuple[str, dict[str, str], str]:
        random = self._random
        if random.random() < 0.16:
            return _decorated(random, random.choice(chatter.ASK_LAST)), {"intent": "follow_up"}, "asks_last"
        makers = (phrases.tenor, phrases.tenor, phrases.strike, phrases.strike_option, phrases.option, phrases.barriers, phrases.knock_in, phrases.knock_out, phrases.notional, phrases.lockup, phrases.step, phrases.coupon, phrases.side, phrases.bond_yield, phrases.face, phrases.snowball_word, phrases.date)
        chosen = random.sample(makers, 1 if random.random() < 0.75 else 2)
        parts = [make(random) for make in chosen]
        kinds = [phrase.kind for phrase in parts]
        if len(set(kinds)) < len(kinds) or {"notional", "face"} <= set(kinds) or ({"option", "strike"} <= set(kinds)):
            parts = parts[:1]
        parts = [phrases.face_named(random) if phrase.kind == "face" else phrase for phrase in parts]
        values = _values(parts)
        words = [phrase.surface for phrase in parts]
        if random.random() < 0.2:
            name = self._names.draw(random)
            values["underlying"] = name
            words = [name] if random.random() < 0.6 else [name, *words]
            values = values if len(words) > 1 else {"underlying": name}
        return _decorated(random, _changed(random, words)), {"intent": "follow_up", **values}, "follow_up"

    def _order(self) -> tuple[str, dict[str, str], str]:
        random = self._random
        if random.random() < 0.35:
            return _decorated(random, random.choice(chatter.ORDERS)), {"intent": "order"}, "order"
        if random.random() < 0.3:
            draft, values = self._terms()
            family = random.choice((families.terse, families.unspaced, families.labelled, families.two_clauses))
            verb = random.choice(("下单", "下单:", "成交:", "order:", "确认下单", "委托下单:", "请执行:", "帮我下单", "按以下条款成交:", "确认成交以下:", "正式下单,", "下单了,", "order "))
            return verb + random.choice((" ", "", ",", "\n")) + _plain(family, draft), {"intent": "order", **values}, "order_terms"
        parts = self._maybe((0.75, phrases.notional(random)), (0.2, phrases.side(random)))
        if not parts or random.random() < 0.12:
            parts = [phrases.face_named(random)]
        values = _values(parts)
        words = [phrase.surface for phrase in parts]
        if random.random() < 0.2 and "face" not in values:
            values["underlying"] = self._names.draw(random)
            words.insert(random.randint(0, len(words)), values["underlying"])
        verb, joined = random.choice(chatter.ORDER_VERBS), families.glued(random, words, (" ", ",", ""))
        if verb in ("买入", "买") and "side" not in values:
            values["side"] = "buy"
        elif verb in ("买入", "买"):
            verb = "成交"
        text = random.choice((f"{verb}{joined}", f"{random.choice(chatter.ORDERS)},{joined}", f"{joined},{random.choice(chatter.ORDERS)}", f"{random.choice(('好的', 'ok', '可以', '行'))},{verb}{joined}"))
        if f"{verb}{joined}" not in text and "side" in values and "side" not in _values(parts):
            values.pop("side")
        return text, {"intent": "order", **values}, "order"

    def _cancel(self) -> tuple[str, dict[str, str], str]:
        random = self._random
        text, values = random.choice(chatter.CANCELS), {"intent": "cancel"}
        if random.random() < 0.25:
            name = self._names.draw(random)
            values["underlying"] = name
            text = random.choice((f"{name}那单{random.choice(('撤了', '取消', '不做了', '撤掉', '先撤了'))}", f"把{name}的询价取消", f"取消{name}的单子", f"cancel the {name} order", f"{name}不做了,撤单", f"撤掉{name}", f"刚才{name}的撤一下", f"撤单:{name}"))
        return _decorated(random, text), values, "cancel"

    def _other(self) -> tuple[str, dict[str, str], str]:
        random = self._random
        if random.random() < 0.12:
            draft, _ = self._terms()
            order = random.choice([each for each in chatter.OTHERS if any(word in each for word in ("忽略", "ignore", "返回", "忘记", "system:", "disregard", "假装", "管理员"))])
            both = [order, families.terse(draft)]
            random.shuffle(both)
            return random.choice((",", "。", "\n", " ")).join(both), {"intent": "other"}, "injection"
        return chatter.other(random, self._names.draw(random)), {"intent": "other"}, "other"

    def _several(self) -> tuple[str, dict[str, str], str]:
        """Several inquiries in one text."""
        random = self._random
        values = {"intent": own_text.SEVERAL}
        draw = random.random()
        if draw < 0.55:
            texts = [_plain(random.choice((families.terse, families.unspaced, families.asked_last, families.sentence)), self._terms()[0]) for _ in range(random.choice((2, 2, 2, 3)))]
            mark = random.choice((";", "\n", "。", ";另外", "\n", "。还有", ",另外再报一个", "。再问一个:", ";第二个", " / 还有一个 ", "。同时", "\n\n"))
            text = mark.join(f"{number}{random.choice(('.', ')', '、'))}{each}" for number, each in enumerate(texts, 1)) if random.random() < 0.3 else mark.join(texts)
            return (random.choice(("", "", "报两个:", "两笔:", "帮忙报几个,", "询两个:")) + text), values, "several"
        draft, _ = self._terms()
        first = Draft(random, draft.product, "", tuple(phrase for phrase in draft.phrases if phrase.kind != "tenor"))
        base = families.glued(random, first.rest(), (" ", ",", ""))
        names = [draft.underlying or self._names.draw(random), self._names.draw(random)]
        both = random.choice(("和", "、", "/", "跟", " and ", "以及", "&", "还有"))
        each = random.choice(("都报一下", "各报一个", "分别报价", "分别报一下", "各做一笔", "都看一下", "each", "各报个价", "分别多少", "both please"))
        if draw < 0.8 and draft.product != "bond":
            return random.choice((f"{names[0]}{both}{names[1]}的{base},{each}", f"{base},{names[0]}{both}{names[1]}{each}")), values, "several"
        times = [phrases.numbers.tenor(random)[0] for _ in range(2)]
        return random.choice((f"{draft.underlying} {times[0]}{both}{times[1]}的{base},{each}", f"{draft.underlying}{base} {times[0]}{both}{times[1]}{each}")), values, "several"


def _values(parts: Sequence[Phrase]) -> dict[str, str]:
    found: dict[str, str] = {}
    for phrase in parts:
        found |= phrase.values
    return found


def _again(random: Random, phrase: Phrase) -> Phrase | None:
    """Return another phrase of the same kind that states the same fields."""
    maker = {"notional": phrases.notional, "tenor": phrases.tenor, "side": phrases.side, "strike": phrases.strike, "barriers": phrases.barriers, "lockup": phrases.lockup, "coupon": phrases.coupon, "step": phrases.step, "face": phrases.face_named, "yield": phrases.bond_yield, "bond": phrases.bond_code}.get(phrase.kind)  # fmt: skip
    if maker is None:
        return None
    for _ in range(8):
        made = maker(random)
        if set(phrase.values) <= set(made.values) and made.values != phrase.values:
            return made
    return None


def _plain(family: Family, draft: Draft) -> str:
    return family(draft)


def _changed(random: Random, words: Sequence[str]) -> str:
    said = families.glued(random, words, (",", " ", ""))
    return random.choice((
        f"换成{said}呢", f"改成{said}", f"如果{said}呢", f"那{said}呢", f"{said}呢", f"{said}的呢", f"再报个{said}的", f"{said}的多少", f"要是{said}的话呢", f"调整为{said}", f"what about {said}?", f"how about {said}", f"and {said}?", f"同样结构,{said}", f"其他不变,{said}", f"{said}看看", f"换{said}",
        f"{said}再报一下", f"刚才那个改成{said}", f"把刚才的改为{said}", f"{said}又是多少", f"其他条款一样,{said}", f"能不能{said}", f"如果改{said}什么价", f"那如果{said}多少钱", f"再看下{said}", f"change to {said}", f"same but {said}", f"换个{said}的", f"上面那个,{said}", f"还是刚才那个,{said}", f"{said}的话多少",
        f"麻烦改下,{said}", f"条款不变,{said}", f"照旧,{said}", f"{said}也报一个", f"if {said}?", f"刚才的报价{said}再看看", f"帮我改{said}", f"试试{said}",
    ))  # fmt: skip


def _decorated(random: Random, text: str) -> str:
    if random.random() < 0.15:
        text = random.choice((*chatter.GREETINGS, "好的", "ok", "嗯", "那个", "收到", "那", "不好意思")) + random.choice((",", " ")) + text
    if random.random() < 0.15:
        text += random.choice((",", " ", "")) + random.choice(("谢谢", "麻烦了", "辛苦", "thx", "急", "哈", "吧", "哦", "pls", "老师", "快点"))
    return text


def _worn(random: Random, text: str) -> str:
    """Wear a text as people do: a typo, a lost or doubled mark, capitals are folded anyway."""
    if random.random() < 0.08:
        right, wrong = random.choice(_TYPOS)
        text = text.replace(right, wrong, 1)
    if random.random() < 0.06:
        text = text.replace(",", random.choice((" ", ",,", "、", "。", "...")), 1)
    if random.random() < 0.12:
        text += random.choice(("。", "!", "?", "~", "...", "!!", " ", ":)", "[抱拳]", "[微笑]", "^_^"))
    return text


__all__ = ["NUMERIC", "Generator", "Sample"]
