"""How people write numbers, amounts and percentages, each with what the model shall write for it.

Each function draws from the generator's `random.Random` and returns (surface, own value). What is Arabic is copied; Chinese numerals become
digits; units become exponents or letters. Nothing is multiplied out.
"""

from __future__ import annotations

from random import Random

DIGITS = "零一二三四五六七八九"
_ENGLISH = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten", 12: "twelve"}
_ENGLISH |= {15: "fifteen", 18: "eighteen", 20: "twenty", 24: "twenty-four", 30: "thirty", 50: "fifty"}
_UNITS = (
    ("万", 4), ("w", 4), ("万", 4), ("万元", 4), ("千万", 7), ("kw", 7), ("千w", 7), ("亿", 8), ("个亿", 8), ("亿元", 8), ("e", 8),
    ("mio", 6),
    ("mm", 6), ("mln", 6), (" million", 6), (" mio", 6), ("百万", 6), ("bn", 9), ("万块", 4), ("个", 8), ("million", 6), ("w元", 4),
    ("万rmb", 4), ("万人民币", 4), ("k", 3), ("千", 3), ("万", 4), ("w", 4), ("kw", 7), ("亿", 8), ("万元人民币", 4), ("万cny", 4),
    ("mil", 6), ("mn", 6), ("mio cny", 6), ("万元整", 4), ("wan", 4), ("亿人民币", 8), ("m cny", 6), ("m rmb", 6), (" million cny", 6),
    ("millions", 6), ("千万元", 7), ("百万元", 6), (" mio rmb", 6), ("个e", 8), ("w rmb", 4), (" bn", 9), (" billion", 9), ("万 ", 4),
    (" million yuan", 6), (" million rmb", 6), (" mio yuan", 6), ("m yuan", 6), ("个万", 4), ("个w", 4), ("百w", 6), ("kw元", 7),
    ("千万rmb", 7),
    ("kw rmb", 7), (" mln cny", 6), ("mm cny", 6), ("mm rmb", 6), ("千万整", 7), ("w左右", 4), ("万上下", 4),
)  # fmt: skip
_MANTISSAS = {
    3: ("500", "800", "5000", "2000", "10000"),
    4: (
        "1000", "500", "2000", "3000", "5000", "800", "100", "200", "300", "1500", "2500", "50", "10000", "1200", "600", "6000", "8000",
        "4000",
        "1800", "3500", "1000", "1000", "2000", "5000", "20000",
    ),
    6: ("1", "2", "5", "10", "20", "50", "100", "30", "15", "8", "2.5", "1.5", "12"),
    7: ("1", "2", "3", "5", "1.5", "2.5", "4", "6", "8", "9", "3.5", "0.5", "1", "2"),
    8: ("1", "2", "0.5", "0.1", "1.5", "3", "5", "0.2", "10", "0.3", "0.8", "1.2", "2.5", "0.15", "0.25", "1"),
    9: ("1", "0.1", "0.5", "0.2", "1.5"),
}  # fmt: skip
FOREIGN = (
    "万美元", "万美金", "万usd", "万刀", "万港币", "万hkd", "万港元", "mio usd", "mio hkd", "万欧元", "万eur", "亿日元", "w美元", "w刀",
    "百万美元",
    "万港纸", "m usd", " million usd", "亿港元", "亿美元", "k usd", "万英镑", "万日元", "w usd", "千万港币", " million dollars",
)  # fmt: skip


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
        is_two = digit == 2 and (power >= 1000 or (power == 100 and random is not None and random.random() < 0.5))
        found += ("" if power == 10 and digit == 1 and not found else "两" if is_two else DIGITS[digit]) + unit
    return found


def chinese_decimal(number: str) -> str:
    """Return a decimal in Chinese: 102.5 is 一百零二点五."""
    whole, _, rest = number.partition(".")
    return chinese(int(whole)) + ("点" + "".join(DIGITS[int(each)] for each in rest) if rest else "")


def counted(number: int) -> str:
    """Return a number before a measure word: two is 两."""
    return "两" if number == 2 else chinese(number)


def english(number: int) -> str:
    """Return a number as an English word where it is a short one."""
    return _ENGLISH.get(number, str(number))


def amount(random: Random, *, is_bond: bool = False) -> tuple[str, str]:
    """Return an amount of yuan: 1000万, 1kw, 两千五百万, 10,000,000, 10mio, 一个亿, 一点五亿, 1亿5千万."""
    kind = random.random()
    if kind < 0.6:
        unit, exponent = random.choice(_UNITS)
        if (unit == "个" and not is_bond) or (unit in ("k", "千") and random.random() < 0.8):
            unit, exponent = "万", 4
        mantissa = random.choice(_MANTISSAS[exponent]) if random.random() < 0.7 else _odd_mantissa(random, exponent)
        shown = f"{int(mantissa):,}" if mantissa.isdigit() and len(mantissa) > 3 and random.random() < 0.15 else mantissa
        return f"{shown}{' ' if random.random() < 0.08 else ''}{unit}", f"{mantissa}e{exponent}"
    if kind < 0.88:
        return _chinese_amount(random)
    if kind < 0.91:
        number, (word, exponent) = (
            random.choice(tuple(_ENGLISH)),
            random.choice((("million", 6), ("million", 6), ("mio", 6), ("billion", 9))),
        )
        return f"{english(number)} {word}", f"{number}e{exponent}"
    if kind < 0.93:
        exponent, mantissa = random.choice((6, 7, 8)), random.choice(("1", "2", "5", "1.5", "3"))
        return f"{mantissa}e{exponent}", f"{mantissa}e{exponent}"
    whole = str(random.choice((1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 50, 100, 200)) * 10 ** random.choice((5, 6, 6, 6, 7)))
    grouped = f"{int(whole):,}"
    surface = random.choices((grouped, f"{grouped}.00", f"{whole[:-4]},{whole[-4:]}", whole), (62, 6, 6, 26))[0]
    return surface + random.choice(("", "元", "", " cny", "rmb", "块", "元整", "元人民币")), whole


def _odd_mantissa(random: Random, exponent: int) -> str:
    if exponent in (3, 4):
        return str(random.choice((random.randint(3, 99) * 10, random.randint(1, 99) * 100, random.randint(22, 9999))))
    return f"{random.randint(0, 20)}.{random.randint(1, 9)}" if random.random() < 0.5 else str(random.randint(1, 99))


def _chinese_amount(random: Random) -> tuple[str, str]:
    draw, digit, other = random.random(), random.randint(1, 9), random.randint(1, 9)
    if draw < 0.28:
        return random.choice((f"{counted(digit)}千万", f"{DIGITS[digit]}千万")) + random.choice(
            ("", "", "元", "块钱", "元整")
        ), f"{digit}e7"
    if draw < 0.4:
        return random.choice((f"{counted(digit)}百万", f"{DIGITS[digit]}百万")) + random.choice(("", "", "元")), f"{digit}e6"
    if draw < 0.52:
        number = random.choice((digit, digit, 10, random.randint(10, 60)))
        word = counted(number)
        return random.choice((f"{word}亿", f"{word}个亿", f"{word}亿元", f"{number}个亿", f"{word}亿人民币")), f"{number}e8"
    if draw < 0.57:
        return random.choice(("半个亿", "半亿", "半个e", "0.5个亿")), "0.5e8"
    if draw < 0.68:
        first, rest = random.choice((counted(digit), DIGITS[digit])), random.choice((counted(other), DIGITS[other]))
        forms = (
            f"{first}亿{DIGITS[other]}", f"{first}亿{rest}千万", f"{digit}亿{other}千万", f"{digit}亿{other}000万", f"{first}亿{other}千万",
            f"{digit}.{other}个亿", f"{first}个亿{rest}千万", f"{first}点{DIGITS[other]}亿", f"{first}点{DIGITS[other]}个亿",
            f"{digit}e{other}kw",
        )  # fmt: skip
        return random.choice(forms), f"{digit}.{other}e8"
    if draw < 0.72:
        return random.choice((f"零点{DIGITS[digit]}亿", f"零点{DIGITS[digit]}个亿")), f"0.{digit}e8"
    if draw < 0.77:
        mixed = (f"{digit}千{other}百万", f"{digit}{other}00万", f"{counted(digit)}千{DIGITS[other]}百万", f"{digit}千{other}百w")
        return random.choice(mixed), f"{digit}{other}00e4"
    number = random.choice(
        (digit * 10, random.randint(11, 99) * 10, random.randint(11, 99) * 100, random.randint(11, 99), random.randint(101, 999) * 10)
    )
    return chinese(number, random) + random.choice(("万", "万", "w")) + random.choice(("", "", "元", "元整")), f"{number}e4"


def foreign_amount(random: Random) -> str:
    """Return an amount in another currency."""
    lead = random.choice(("", "", "", "usd ", "hkd ", "$", "us$", "usd", "eur ", "美元", "港币", "hk$"))
    if lead:
        return lead + random.choice(("1mio", "500万", "100w", "2,000,000", "5 million", "10mio", "10m", "1000000", "2m", "5mm"))
    return random.choice(_MANTISSAS[4 if random.random() < 0.7 else 6]) + random.choice(FOREIGN)


def folded_tens(random: Random) -> tuple[str, str]:
    """Return a strike as a discount: 九五折 is 95, 8折 is 80."""
    tens, ones = random.randint(6, 9), random.choice((0, 0, 0, 5, 5, 2, 8))
    if ones:
        return random.choice(
            (f"{DIGITS[tens]}{DIGITS[ones]}折", f"{tens}{ones}折", f"{tens}.{ones}折", f"{DIGITS[tens]}点{DIGITS[ones]}折")
        ), f"{tens}{ones}"
    return random.choice((f"{DIGITS[tens]}折", f"{tens}折")), f"{tens}0"


def barrier(random: Random, low: int, high: int) -> str:
    """Return a number like 103, 80 or 102.5."""
    if random.random() < 0.35:
        usual = [
            each for each in (50, 60, 65, 70, 75, 75, 80, 80, 80, 85, 90, 100, 100, 101, 102, 103, 103, 103, 105) if low <= each <= high
        ]
        return str(random.choice(usual or [low]))
    return str(random.randint(low, high)) if random.random() < 0.85 else f"{random.randint(low, high)}.{random.choice('55123478')}"


def half_step(random: Random) -> str:
    """Return a small percentage."""
    return random.choice(
        ("0.5", "0.5", "0.5", "0.3", "1", "0.25", "0.2", "0.4", "0.8", "0.75", "0.1", "0.6", "0.35", "1.5", "2", "0.15", "0.45")
    )
