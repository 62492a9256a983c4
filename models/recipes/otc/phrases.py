"""The terms of an inquiry as phrases: the words that people use, and the values that the model shall write for them.

A phrase carries its own label where people need one, so that phrases may stand in any order. `Phrase.kind` says what the phrase states;
families use it for order and for corrections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from otc import numbers, times
from otc.words import WORDS, pick


@dataclass(frozen=True, slots=True)
class Phrase:
    """``values``: by key of the model's text."""

    kind: str
    surface: str
    values: dict[str, str] = field(default_factory=dict)


Maker = Callable[[Random], Phrase]
_STRIKES = (
    "80",
    "85",
    "90",
    "95",
    "100",
    "103",
    "105",
    "110",
    "115",
    "120",
    "75",
    "70",
    "98",
    "102",
    "97.5",
    "102.5",
    "80",
    "90",
    "105",
    "110",
)


def notional(random: Random) -> Phrase:
    """State the notional; an approximate one counts as it is."""
    if random.random() < 0.03:
        number = random.choice(("1", "2", "5", "10", "20", "50", "100", "15", "30"))
        form = random.choice(
            (
                "notional {}m",
                "ntl {}m",
                "size {}m",
                "名本{}m",
                "{}m notional",
                "notional: {}m",
                "size {} m",
                "{}m名本",
                "notional of {}m",
                "rmb {}m notional",
                "cny {}m ntl",
                "rmb {}m size",
                "{}m size",
                "in {}m notional",
            )
        )
        return Phrase("notional", form.format(number), {"notional": f"{number}e6"})
    surface, value = numbers.amount(random)
    draw = random.random()
    if draw < 0.4:
        surface = pick(random, "notional_before") + (pick(random, "about") if random.random() < 0.1 else "") + surface
        surface += random.choice(("左右", "上下", "")) if random.random() < 0.15 else ""
    elif draw < 0.6:
        surface = (pick(random, "about") if random.random() < 0.15 else "") + surface + pick(random, "notional_after")
    return Phrase("notional", surface, {"notional": value})


def foreign_notional(random: Random) -> Phrase:
    """State it in another currency: nothing in yuan."""
    return Phrase("notional", pick(random, "foreign_before") + numbers.foreign_amount(random))


def tenor(random: Random) -> Phrase:
    """State the time to expiry."""
    surface, value = times.tenor(random)
    draw = random.random()
    if draw < 0.25:
        surface = pick(random, "tenor_before") + surface
    elif draw < 0.38:
        surface += pick(random, "tenor_after")
    return Phrase("tenor", surface, {"tenor": value})


def date(random: Random) -> Phrase:
    """State a date: no tenor."""
    return Phrase("tenor", times.expiry_date(random))


def option_word(random: Random) -> tuple[str, str]:
    """Return a word for an option and its type."""
    value = random.choice(("call", "put", "call"))
    return pick(random, f"{value}s"), value


def option(random: Random) -> Phrase:
    """Name the option."""
    word, value = option_word(random)
    return Phrase("option", word.strip(), {"option": value, "product": "vanilla"})


def strike(random: Random) -> Phrase:
    """State the strike apart from the option."""
    draw = random.random()
    if draw < 0.3:
        return Phrase("strike", pick(random, "atm"), {"strike": "100"})
    if draw < 0.4:
        surface, value = numbers.folded_tens(random)
        return Phrase("strike", pick(random, "discount_before") + surface + pick(random, "discount_after"), {"strike": value})
    if draw < 0.6:
        return _moneyness(random)
    number = random.choice((*_STRIKES, numbers.barrier(random, 50, 150), numbers.barrier(random, 50, 150)))
    draw = random.random()
    if draw < 0.14:
        return Phrase("strike", pick(random, "strikes_said", w=numbers.chinese_decimal(number)), {"strike": number})
    if draw < 0.2:
        times = f"{float(number) / 100:g}"
        return Phrase("strike", pick(random, "strikes_times", n=times), {"strike": f"{times}x"})
    return Phrase("strike", pick(random, "strikes", n=number), {"strike": number})


def _moneyness(random: Random) -> Phrase:
    number = random.choice(("5", "10", "5", "3", "2", "8", "15", "20", "7", "2.5", "1", "12", "5", "10", "6", "4", "1.5", "25", "30"))
    kind = "otm" if random.random() < 0.7 else "itm"
    said = numbers.chinese_decimal(number)
    draw = random.random()
    if draw < 0.1:
        surface = random.choice(("虚值", "价外") if kind == "otm" else ("实值", "价内")) + "百分之" + said
    elif draw < 0.16:
        surface = random.choice(("虚值", "虚") if kind == "otm" else ("实值", "实")) + said + "个点"
    elif draw < 0.72:
        unit = random.choice(("%", "%", "%", "个点", "%的", "pct", "", "个点的", "个百分点", " %", "%附近"))
        surface = pick(random, kind) + number + unit
    else:
        surface = number + random.choice(("%", "%", "个点", "%的")) + pick(random, f"{kind}_after")
    return Phrase("strike", surface, {"strike": kind + number})


def strike_absolute(random: Random) -> Phrase:
    """State the strike as a price: no percentage."""
    index, stock, cents = random.randint(1500, 9000), random.randint(5, 400), random.randint(1, 99)
    return Phrase("strike", random.choice((
        f"行权价{index}点", f"执行价{stock}.{cents % 9 + 1}元", f"strike {index}点", f"行权价{stock}块", f"执行价{index}", f"k={index}",
        f"strike {index}",
        f"行权价{stock}.{cents:02}", f"strike @{index}", f"行权价{index}", f"行权价{stock}元", f"strike {stock}.{cents:02} cny",
        f"执行价{index}点", f"行权价:{index}",
    )))  # fmt: skip


def strike_option(random: Random) -> Phrase:
    """State strike and option in one: 80call, 平值看涨, atm put, 虚值5%认沽, call 105, c105."""
    word, value = option_word(random)
    values = {"option": value, "product": "vanilla"}
    draw = random.random()
    if draw < 0.34:
        number = random.choice((*_STRIKES, "88", numbers.barrier(random, 50, 150)))
        return Phrase("option", number + pick(random, f"{value}_short"), {**values, "strike": number})
    if draw < 0.42:
        number = random.choice(_STRIKES)
        lead = random.choice((f"{word.strip()} ", word.strip(), f"{word.strip()} @", value[0], f"{word.strip()},"))
        return Phrase("option", f"{lead}{number}{random.choice(('', '%'))}", {**values, "strike": number})
    if draw < 0.5:
        return Phrase("option", word.strip(), values)
    if draw < 0.54:
        return _short(random, value)
    if draw < 0.57:
        return _moved_to(random, word, value)
    said = strike(random)
    glue = random.choice(("", "", "", "的", " ")) if not said.surface.endswith("的") else ""
    if not glue and grow_together(said.surface[-1:], word[:1]):
        glue = " "
    if random.random() < 0.15:
        return Phrase("option", word.strip() + random.choice((",", " ", "")) + said.surface, {**values, **said.values})
    return Phrase("option", said.surface + glue + word.strip(), {**values, **said.values})


def _short(random: Random, value: str) -> Phrase:
    """Say at the money and the option in a syllable each: 平购, 平沽, atm c, 虚5购."""
    short = random.choice(("购", "call", "c", "看涨") if value == "call" else ("沽", "put", "p", "看跌"))
    values = {"option": value, "product": "vanilla"}
    if random.random() < 0.6:
        lead = random.choice(("平", "平值", "atm ", "atm"))
        glue = " " if grow_together(lead[-1], short[0]) else ""
        return Phrase("option", lead + glue + short, {**values, "strike": "100"})
    number = random.choice(("5", "10", "3", "2", "8", "7", "15", "6", "12"))
    surface = random.choice(("虚", "虚值", "otm")) + number + random.choice(("", "%", "个点")) + (" " if short[0].isascii() else "") + short
    return Phrase("option", surface, {**values, "strike": f"otm{number}"})


def _moved_to(random: Random, word: str, value: str) -> Phrase:
    """State the strike by how far the spot has to go: 跌10%的put, 涨5%的call."""
    number = random.choice(("5", "10", "3", "2", "8", "7", "15", "20", "2.5", "6"))
    ways = ("涨", "上涨", "上浮", "高出", "往上", "向上") if value == "call" else ("跌", "下跌", "下浮", "低", "往下", "向下")
    surface = (
        random.choice(ways) + number + random.choice(("%", "%", "个点")) + random.choice(("的", "", "行权的", "以后的")) + word.strip()
    )
    return Phrase("option", surface, {"option": value, "product": "vanilla", "strike": f"otm{number}"})


def grow_together(left: str, right: str) -> bool:
    """Say whether two characters without anything between them become one word or number."""
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


def spoken(random: Random, phrase: Phrase) -> Phrase:
    """Put a particle behind, or a word that says nothing before: 一年吧, 平值就行, 期限嘛先看两个月."""
    surface, before = phrase.surface, f"before.{phrase.kind}"
    if not surface or (surface[-1].isascii() and not surface[-1].isalnum()):
        return phrase
    if random.random() < 0.6:
        surface += pick(random, "particles")
    elif before in WORDS:
        surface = pick(random, before) + surface
    return Phrase(phrase.kind, surface, phrase.values)


def vanilla_word(random: Random) -> Phrase:
    """Name a vanilla option as such."""
    return Phrase("product", pick(random, "vanilla"), {"product": "vanilla"})


def other_product(random: Random) -> Phrase:
    """Name a structure that is none of ours."""
    return Phrase("product", pick(random, "other_product"))


def side_word(random: Random, value: str) -> str:
    """Return a word for the client's direction that stands before what is traded."""
    return pick(random, f"{value}s")


def side(random: Random) -> Phrase:
    """State the direction; who asks for somebody's offer buys."""
    value = random.choice(("buy", "buy", "sell"))
    if random.random() < 0.16:
        return Phrase("side", pick(random, "want_offer" if value == "buy" else "want_bid"), {"side": value})
    return Phrase("side", side_word(random, value), {"side": value})


def two_way(random: Random) -> Phrase:
    """Ask for both directions: none is stated."""
    return Phrase("side", pick(random, "two_way"))


def directed(random: Random, phrase: Phrase) -> Phrase:
    """Put the direction in front of what is traded: 买看涨, long 105 call, 卖put."""
    value = random.choice(("buy", "sell"))
    word = random.choice(
        ("买", "买入", "long ", "buy ", "买一个", "做多") if value == "buy" else ("卖", "卖出", "short ", "sell ", "卖一个", "沽出")
    )
    return Phrase(phrase.kind, word + phrase.surface, {**phrase.values, "side": value})
