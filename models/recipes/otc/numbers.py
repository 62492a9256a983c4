"""How people write numbers, amounts, percentages and times, each with what the model shall write for it.

Each function draws from the generator's `random.Random` and returns (surface, own value). What is Arabic is copied; Chinese numerals become
digits; units become exponents or letters. Nothing is multiplied out.
"""

from __future__ import annotations

from random import Random

DIGITS = "零一二三四五六七八九"
_BIG_UNITS: tuple[tuple[str, int], ...] = (
    ("万", 4), ("w", 4), ("万", 4), ("万元", 4), ("千万", 7), ("kw", 7), ("千w", 7), ("亿", 8), ("个亿", 8), ("亿元", 8), ("e", 8), ("mio", 6), ("mm", 6),
    ("mln", 6), (" million", 6), (" mio", 6), ("百万", 6), ("bn", 9), ("万块", 4), ("个", 8), ("million", 6), ("w元", 4), ("万rmb", 4), ("万人民币", 4), ("k", 3), ("千", 3),
)  # fmt: skip
_MANTISSAS = {
    3: ("500", "800", "5000", "2000", "10000"),
    4: ("1000", "500", "2000", "3000", "5000", "800", "100", "200", "300", "1500", "2500", "50", "10000", "1200", "600", "6000", "8000", "4000", "1800", "3500"),
    6: ("1", "2", "5", "10", "20", "50", "100", "30", "15", "8", "2.5", "1.5", "12"),
    7: ("1", "2", "3", "5", "1.5", "2.5", "4", "6", "8", "9", "3.5", "0.5"),
    8: ("1", "2", "0.5", "0.1", "1.5", "3", "5", "0.2", "10", "0.3", "0.8", "1.2", "2.5"),
    9: ("1", "0.1", "0.5", "0.2", "1.5"),
}
FOREIGN = ("万美元", "万美金", "万usd", "万刀", "万港币", "万hkd", "万港元", "mio usd", "mio hkd", "万欧元", "万eur", "亿日元", "w美元", "w刀", "百万美元")


def chinese(number: int, random: Random | None = None) -> str:
    """Return a whole number below 10,000 in Chinese: 15 is 十五, 105 一百零五, 2500 两千五百."""
    if number < 10:
        return DIGITS[number]
    found, is_gap = "", False
    for power, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // power % 10
        if digit == 0:
            is_gap = bool(found)
            continue
        if is_gap:
            found, is_gap = found + "零", False
        word = "两" if digit == 2 and power >= 1000 or (digit == 2 and power == 100 and random is not None and random.random() < 0.5) else DIGITS[digit]
        found += ("" if power == 10 and digit == 1 and not found else word) + unit
    return found


def counted(number: int) -> str:
    """Return a number before a measure word: two is 两."""
    return "两" if number == 2 else chinese(number)


def amount(random: Random, *, is_bond: bool = False) -> tuple[str, str]:
    """Return an amount of yuan: 1000万, 1kw, 两千五百万, 10,000,000, 10mio, 一个亿."""
    kind = random.random()
    if kind < 0.62:
        unit, exponent = random.choice(_BIG_UNITS)
        if unit == "个" and not is_bond or unit in ("k", "千") and random.random() < 0.8:
            unit, exponent = "万", 4
        mantissa = random.choice(_MANTISSAS[exponent]) if random.random() < 0.7 else _odd_mantissa(random, exponent)
        shown = f"{int(mantissa):,}" if mantissa.isdigit() and len(mantissa) > 3 and random.random() < 0.15 else mantissa
        blank = " " if random.random() < 0.08 else ""
        return f"{shown}{blank}{unit}", f"{mantissa}e{exponent}"
    if kind < 0.92:
        return _chinese_amount(random)
    whole = str(random.choice((1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 50, 100, 200)) * 10 ** random.choice((5, 6, 6, 6, 7)))
    surface = f"{int(whole):,}" if random.random() < 0.7 else whole
    return surface + random.choice(("", "元", "", " cny", "rmb", "块")), whole


def _odd_mantissa(random: Random, exponent: int) -> str:
    if exponent in (3, 4):
        return str(random.choice((random.randint(1, 99) * 10, random.randint(1, 99) * 100, random.randint(10, 9999))))
    return f"{random.randint(0, 20)}.{random.randint(1, 9)}" if random.random() < 0.5 else str(random.randint(1, 99))


def _chinese_amount(random: Random) -> tuple[str, str]:
    draw = random.random()
    if draw < 0.3:
        digit = random.randint(1, 9)
        return random.choice((f"{counted(digit)}千万", f"{DIGITS[digit]}千万")) + random.choice(("", "", "元", "块钱")), f"{digit}e7"
    if draw < 0.42:
        digit = random.randint(1, 9)
        return random.choice((f"{counted(digit)}百万", f"{DIGITS[digit]}百万")), f"{digit}e6"
    if draw < 0.56:
        digit = random.randint(1, 9)
        return random.choice((f"{counted(digit)}亿", f"{counted(digit)}个亿", f"{DIGITS[digit]}亿", f"{digit}个亿")), f"{digit}e8"
    if draw < 0.62:
        return random.choice(("半个亿", "半亿")), "0.5e8"
    if draw < 0.7:
        first, second = random.randint(1, 9), random.randint(1, 9)
        return f"{counted(first)}亿{DIGITS[second]}" + random.choice(("", "千万")), f"{first}.{second}e8"
    number = random.choice((random.randint(1, 9) * 10, random.randint(11, 99) * 10, random.randint(11, 99) * 100, random.randint(11, 99)))
    return chinese(number, random) + "万" + random.choice(("", "", "元")), f"{number}e4"


def foreign_amount(random: Random) -> str:
    """Return an amount in another currency."""
    lead = random.choice(("", "", "", "usd ", "hkd ", "$", "us$"))
    if lead:
        return lead + random.choice(("1mio", "500万", "100w", "2,000,000", "5 million", "10mio"))
    return random.choice(_MANTISSAS[4 if random.random() < 0.7 else 6]) + random.choice(FOREIGN)


def tenor(random: Random) -> tuple[str, str]:
    """Return a time to expiry: 3m, 三个月, 一年半, 两周, 45天."""
    draw = random.random()
    if draw < 0.42:
        number = random.choice((1, 2, 3, 3, 6, 6, 9, 12, 12, 18, 24, 36, random.randint(1, 36)))
        word = counted(number)
        return random.choice((
            f"{number}m", f"{number}m", f"{number}个月", f"{number}个月", f"{word}个月", f"{number}个月期", f"{number} months", f"{number}mo", f"{word}个月期", f"{number}mth", f"{number} m",
            f"{word}月期", f"{number}月期", f"{word}个月的", f"{number} month", f"{number}mths", f"{number}-month",
        )), f"{number}m"  # fmt: skip
    if draw < 0.68:
        number = random.choice((1, 1, 1, 2, 2, 3, 5))
        word = counted(number)
        return random.choice((
            f"{number}y", f"{number}y", f"{number}年", f"{word}年", f"{word}年期", f"{number}年期", f"{number} year", f"{number}yr", f"{word}年", f"{number}-year", f"{number} y", f"{word}整年",
        )), f"{number}y"  # fmt: skip
    if draw < 0.76:
        return random.choice(("半年", "半年期", "半年", "半年的", "half a year", "half year")), "6m"
    if draw < 0.8:
        number = random.choice((1, 1, 1, 2, 2, 3))
        return random.choice((f"{counted(number)}年半", f"{number}年半", f"{counted(number)}年半期")), f"{number * 12 + 6}m"
    if draw < 0.83:
        value = random.choice(("1.5", "0.5", "2.5", "0.25", "0.75"))
        return value + random.choice(("y", "年", "年期", " years")), f"{value}y"
    if draw < 0.86:
        number = random.choice((1, 1, 2, 3))
        return random.choice((f"{counted(number)}个季度", f"{number}个季度")), f"{number * 3}m"
    if draw < 0.93:
        number = random.choice((1, 2, 2, 3, 4, 6, 8, random.randint(1, 20)))
        word = counted(number)
        return random.choice((
            f"{number}w", f"{number}周", f"{word}周", f"{word}个礼拜", f"{word}个星期", f"{number}星期", f"{number} weeks", f"{number}周期", f"{number}wk", f"{word}礼拜", f"{word}星期", f"{number}wks",
        )), f"{number}w"  # fmt: skip
    number = random.choice((7, 10, 14, 15, 20, 30, 30, 45, 60, 90, 120, 180, random.randint(3, 250)))
    return random.choice((f"{number}天", f"{number}d", f"{number}天期", f"{number} days", f"{number}日", f"{chinese(number)}天", f"{number}天的", f"{number}个自然日")), f"{number}d"


def expiry_date(random: Random) -> str:
    """Return an expiry as a date, which is no tenor."""
    year, month, day = random.randint(2026, 2028), random.randint(1, 12), random.randint(1, 28)
    return random.choice((
        f"{month}月{day}日到期", f"{year}年{month}月到期", f"{year}{month:02}{day:02}到期", f"到{month}月{day}号", f"{month}月底到期", f"expiry {year}-{month:02}-{day:02}", f"{month}/{day}到期",
        f"到期日{year}-{month:02}-{day:02}", f"{year % 100}年{month}月到期", f"到期日为{month}月{day}日", f"{month}月合约到期", "年底到期", f"{year}/{month}/{day}到期", f"下个月{day}号到期", f"到{year}年底", f"expiring {year}-{month:02}",
    ))  # fmt: skip


def percent(random: Random, number: str) -> str:
    """Return a percentage as people write it behind its label."""
    return number + random.choice(("", "", "%", "%", "%", "个点", " %"))


def folded_tens(random: Random) -> tuple[str, str]:
    """Return a strike as a discount: 九五折 is 95, 8折 is 80."""
    tens, ones = random.randint(6, 9), random.choice((0, 0, 0, 5, 5, 2, 8))
    if ones:
        return random.choice((f"{DIGITS[tens]}{DIGITS[ones]}折", f"{tens}{ones}折", f"{tens}.{ones}折")), f"{tens}{ones}"
    return random.choice((f"{DIGITS[tens]}折", f"{tens}折")), f"{tens}0"


def barrier(random: Random, low: int, high: int) -> str:
    """Return a number like 103, 80 or 102.5."""
    return str(random.randint(low, high)) if random.random() < 0.85 else f"{random.randint(low, high)}.{random.choice('55123478')}"


def half_step(random: Random) -> str:
    """Return a small percentage."""
    return random.choice(("0.5", "0.5", "0.5", "0.3", "1", "0.25", "0.2", "0.4", "0.8", "0.75", "0.1", "0.6", "0.35", "1.5"))
