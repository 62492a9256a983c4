"""Words for underlyings: half are random Hanzi, codes and letters, so that the model learns to copy and not to recall.

Every fifth name of the instrument master is held out: no training has it. The evaluation asks twice: for such names alone, which are what a
desk is asked for, and for the mixture of the training, whose random Hanzi nobody writes and no master knows.
"""

from __future__ import annotations

import zlib
from random import Random

from otcdesk.fold import fold
from otcdesk.instruments import Instruments

HELD_OUT_SHARE = 5
_LEVEL_1 = tuple(bytes((high, low)).decode("gb2312", "ignore") for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF))
HANZI = tuple(each for each in _LEVEL_1 if each)
_TAILS = (
    "股份",
    "科技",
    "集团",
    "银行",
    "证券",
    "电子",
    "医药",
    "能源",
    "etf",
    "指数",
    "a",
    "控股",
    "材料",
    "生物",
    "汽车",
    "电力",
    "环境",
    "智能",
    "重工",
    "传媒",
    "软件",
    "国际",
    "港口",
    "化学",
)
_CODES = ("600", "601", "603", "688", "000", "001", "002", "300", "301", "159", "510", "512", "588")
_SUFFIXES = (".sh", ".sz", "", "", " sh", ".sh", "sh", ".sz")
_USUAL = (
    "中证500", "沪深300", "中证1000", "500", "300", "1000", "zz500", "csi500", "hs300", "zz1000", "50", "上证50", "茅台", "科创50",
    "恒指", "csi 500",
    "csi300", "中证500", "500", "1000", "宁德时代",
)  # fmt: skip
_MAKERS = ("中证", "国证", "上证", "沪深", "深证", "恒生", "")
NUMERIC = ("500", "300", "1000", "50", "800", "2000")


class Names:
    """``is_held_out``: only names that training does not see, else only others. ``is_known``: only those of the master."""

    def __init__(self, instruments: Instruments, *, is_held_out: bool = False, is_known: bool = False) -> None:
        every = {fold(word).text for row in instruments.rows for word in (row.name, *row.aliases, row.code, row.code.partition(".")[0])}
        self._known = sorted(
            each for each in every if each not in NUMERIC and (zlib.crc32(each.encode()) % HELD_OUT_SHARE == 0) == is_held_out
        )
        self._is_held_out, self._is_known = is_held_out, is_known
        self._codes = {each: sorted(instruments.codes(each)) for each in self._known}

    def draw(self, random: Random) -> str:
        """Return words that name an underlying, folded."""
        if self._is_known:
            return self._worn(random, random.choice(self._known))
        draw = random.random()
        if draw < 0.34:
            return self._worn(random, random.choice(self._known))
        if draw < 0.46:
            return self._worn(random, random.choice(self._known if self._is_held_out else _USUAL))
        if draw < 0.72:
            return self._hanzi(random)
        if draw < 0.86:
            return self._code(random)
        if draw < 0.93:
            middle = "".join(random.choices(HANZI, k=random.choice((1, 2))))
            return random.choice(_MAKERS) + middle + random.choice(("50", "100", "300", "500", "指数", "etf", "etf", "龙头", "红利"))
        if draw < 0.95:
            return " ".join(_letters(random, 3, 8) for _ in range(2))
        return _letters(random, 2, 6) + random.choice(("", "", "", "50", "100", "500", "300", " hk", " us", ".o", " 500", " index", "-a"))

    def _worn(self, random: Random, name: str) -> str:
        """A name as people also write it: 中证 500, 中证500指数, 茅台(600519)."""
        draw = random.random()
        if draw < 0.05 and name[-1:].isdigit() and not name[0].isdigit():
            letters = name.rstrip("0123456789")
            return f"{letters} {name[len(letters) :]}"
        if draw < 0.09 and name[-1:].isdigit() and not name[0].isdigit():
            return name + random.choice(("指数", "指数", " index"))
        if draw < 0.12 and name[0] > "z" and (not self._is_known or self._number_of(name)):
            code = (self._number_of(name) if self._is_known else None) or self._code(random)
            glued = f"{name}{code}" if name[-1] > "z" else f"{name},{code}"
            return random.choice((f"{name}({code})", f"{name} {code}", f"{code} {name}", glued))
        return name

    def _number_of(self, name: str) -> str | None:
        """Its own code, where that is a number."""
        return next((fold(each).text for each in self._codes[name] if each[0].isdigit()), None)

    def _hanzi(self, random: Random) -> str:
        word = "".join(random.choices(HANZI, k=random.choice((2, 2, 2, 3, 3, 4, 4))))
        if random.random() < 0.35:
            word = word[: random.choice((2, 3))] + random.choice(_TAILS)
        return word

    def _code(self, random: Random) -> str:
        draw = random.random()
        if draw < 0.15:
            return f"{random.randint(1, 9999):0{random.choice((1, 4, 5))}}" + random.choice((".hk", " hk", "hk"))
        digits = random.choice(_CODES) + f"{random.randint(0, 999):03}"
        return random.choice(("sh", "sz")) + digits if draw < 0.21 else digits + random.choice(_SUFFIXES)


def _letters(random: Random, least: int, most: int) -> str:
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randint(least, most)))
