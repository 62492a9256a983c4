"""Numbers, dates and periods in the ways that Chinese and English financial text writes them: for the corpus of claims."""

from __future__ import annotations

from calendar import month_name
from decimal import Decimal
from random import Random

FULL_WIDTH = str.maketrans("0123456789.,%", "０１２３４５６７８９．，％")
_HAN = "零一二三四五六七八九"
_CAPITAL = "零壹贰叁肆伍陆柒捌玖"


def plain(number: Decimal) -> str:
    """Write without an exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def grouped(number: Decimal) -> str:
    """Write with thousands separators."""
    whole, point, rest = plain(number).partition(".")
    return f"{int(whole):,}{point}{rest}"


def han(number: int, *, capital: bool = False) -> str:
    """Write a whole number below 10^12 in Chinese numerals."""
    digits, units = (_CAPITAL, ("", "拾", "佰", "仟")) if capital else (_HAN, ("", "十", "百", "千"))
    if number >= 100_000_000:
        high, low = divmod(number, 100_000_000)
        return han(high, capital=capital) + "亿" + _rest(low, 10_000_000, capital)
    if number >= 10_000:
        high, low = divmod(number, 10_000)
        return han(high, capital=capital) + "万" + _rest(low, 1_000, capital)
    text, zero = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            text += ("零" if zero and text else "") + digits[digit] + units[place]
            zero = False
        elif text:
            zero = True
    text = text or digits[0]
    return text.removeprefix("一") if text.startswith("一十") else text


def _rest(low: int, full: int, capital: bool) -> str:
    if not low:
        return ""
    text = han(low, capital=capital)
    if not capital and text.startswith("十"):
        text = "一" + text
    return text if low >= full else "零" + text


def money(random: Random, yuan: Decimal) -> str:
    """Write an amount of yuan exactly, in any of the ways."""
    ways = [
        f"{plain(yuan)}元",
        f"{grouped(yuan)}元",
        f"人民币{grouped(yuan)}元",
        f"{grouped(yuan)}元".translate(FULL_WIDTH),
        f"RMB{grouped(yuan)}",
    ]
    if yuan % 100 == 0:
        ways.append(f"{plain(yuan / 10_000)}万元")
        ways.append(f"{grouped(yuan / 10_000)} 万元")
    if yuan >= 10_000_000 and yuan % 10_000 == 0:
        ways += [f"{plain(yuan / 100_000_000)}亿元", f"人民币{plain(yuan / 100_000_000)}亿元"]
    if yuan == yuan.to_integral_value() and yuan < 10**12:
        ways.append(f"人民币{han(int(yuan), capital=True)}元整")
    return random.choice(ways)


def dollars(random: Random, amount: Decimal) -> str:
    """Write an amount of dollars exactly, in any of the ways."""
    ways = [f"${grouped(amount)}", f"USD {grouped(amount)}", f"US${grouped(amount)}"]
    if amount >= 100_000:
        million = plain(amount / 1_000_000)
        ways += [f"${million} million", f"${million}m", f"US${million} million", f"{million} million dollars", f"USD {million}mn"]
    if amount >= 100_000_000:
        ways += [f"${plain(amount / 1_000_000_000)} billion", f"${plain(amount / 1_000_000_000)}bn"]
    return random.choice(ways)


def rate(random: Random, per_cent: Decimal, *, chinese: bool, points: bool = False) -> str:
    """Write a rate exactly, in per cent or words; in basis points on request, as rates of interest are."""
    ways = [f"{plain(per_cent)}%", f"{plain(per_cent)}%".translate(FULL_WIDTH) if chinese else f"{plain(per_cent)} %"]
    if points:
        ways += (
            [f"{plain(per_cent * 100)}BP", f"{plain(per_cent * 100)}个基点"]
            if chinese
            else [f"{plain(per_cent * 100)} basis points", f"{plain(per_cent * 100)} bps"]
        )
    ways.append(f"百分之{_spoken(per_cent)}" if chinese else f"{plain(per_cent)} percent")
    return random.choice(ways)


def _spoken(number: Decimal) -> str:
    whole, point, rest = plain(number).partition(".")
    return han(int(whole)) + (("点" + "".join(_HAN[int(digit)] for digit in rest)) if point else "")


def days(random: Random, number: int, *, chinese: bool) -> str:
    """Write a number of days."""
    if not chinese:
        return random.choice((f"{number} days", f"{number} calendar days"))
    return random.choice((f"{number}日", f"{number}天", f"{han(number)}日", f"{number} 日", f"{number}日".translate(FULL_WIDTH)))


def period(random: Random, year: int, part: str, *, chinese: bool) -> str:
    """Write a period: "" a year, h1 or h2, q1 to q4."""
    if not part:
        ways = (
            [f"{year}年", f"{year}年度", f"{year}年全年", f"{year}财年"]
            if chinese
            else [f"{year}", f"FY{year}", f"fiscal {year}", f"fiscal year {year}"]
        )
        return random.choice(ways)
    number = int(part[1])
    if part[0] == "h":
        ordinal = ("first", "second")[number - 1]
        return random.choice(
            (f"{year}年{'上下'[number - 1]}半年", f"{year}年{'上下'[number - 1]}半年度")
            if chinese
            else (f"H{number} {year}", f"the {ordinal} half of {year}")
        )
    ordinal = ("first", "second", "third", "fourth")[number - 1]
    if chinese:
        return random.choice((f"{year}年第{_HAN[number]}季度", f"{year}年{_HAN[number]}季度", f"{year}年第{number}季度"))
    return random.choice((f"Q{number} {year}", f"the {ordinal} quarter of {year}"))


def day(random: Random, year: int, month: int, number: int, *, chinese: bool) -> str:
    """Write a date."""
    name = month_name[month]
    if chinese:
        digits = "".join(_HAN[int(digit)] for digit in str(year)).replace("零", "〇")
        return random.choice(
            (
                f"{year}年{month}月{number}日",
                f"{year}-{month:02d}-{number:02d}",
                f"{year}/{month:02d}/{number:02d}",
                f"{digits}年{han(month)}月{han(number)}日",
            )
        )
    return random.choice(
        (f"{name} {number}, {year}", f"{number} {name} {year}", f"{year}-{month:02d}-{number:02d}", f"{name[:3]} {number}, {year}")
    )
