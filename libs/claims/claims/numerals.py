"""Numbers as Chinese text writes them: 三百二十, 二〇二三, 壹佰贰拾万, 两万五, 三点五; and the scales of both languages."""

from __future__ import annotations

from decimal import Decimal

DIGITS = {
    **dict(zip("零一二三四五六七八九", range(10), strict=True)),
    **dict(zip("壹贰叁肆伍陆柒捌玖", range(1, 10), strict=True)),
    "两": 2,
    "俩": 2,
}
_SMALL = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1_000, "仟": 1_000}
_LARGE = {"万": 10_000, "亿": 100_000_000}
CHARACTERS = "".join(DIGITS) + "".join(_SMALL) + "".join(_LARGE) + "点"

SCALES = {
    "万亿": Decimal(10) ** 12,
    "千亿": Decimal(10) ** 11,
    "百亿": Decimal(10) ** 10,
    "十亿": Decimal(10) ** 9,
    "亿": Decimal(10) ** 8,
    "千万": Decimal(10) ** 7,
    "百万": Decimal(10) ** 6,
    "十万": Decimal(10) ** 5,
    "万": Decimal(10) ** 4,
    "千": Decimal(1_000),
    "仟": Decimal(1_000),
    "百": Decimal(100),
    "佰": Decimal(100),
    "trillion": Decimal(10) ** 12,
    "tn": Decimal(10) ** 12,
    "billion": Decimal(10) ** 9,
    "bn": Decimal(10) ** 9,
    "million": Decimal(10) ** 6,
    "mn": Decimal(10) ** 6,
    "mm": Decimal(10) ** 6,
    "thousand": Decimal(1_000),
    "hundred": Decimal(100),
    "k": Decimal(1_000),
    "m": Decimal(10) ** 6,
    "b": Decimal(10) ** 9,
}


def chinese(text: str) -> Decimal | None:
    """Return the number that Chinese numerals write, None if they write none."""
    if not text or any(character not in CHARACTERS for character in text):
        return None
    whole, point, fraction = text.partition("点")
    if point:
        if not fraction or any(character not in DIGITS for character in fraction):
            return None
        head = chinese(whole)
        return None if head is None else head + Decimal("0." + "".join(str(DIGITS[character]) for character in fraction))
    if all(character in DIGITS for character in whole):  # digit by digit: 二零二三
        return Decimal("".join(str(DIGITS[character]) for character in whole))
    return _positional(whole)


def _positional(text: str) -> Decimal | None:
    total = section = digit = 0
    last_unit, seen_zero, had_digit = 1, False, False
    for character in text:
        if character in DIGITS:
            if had_digit:
                return None
            digit, had_digit = DIGITS[character], DIGITS[character] != 0
            seen_zero = seen_zero or character == "零"
        elif character in _SMALL:
            last_unit = _SMALL[character]
            section += (digit if had_digit else 1) * last_unit
            digit, had_digit, seen_zero = 0, False, False
        else:
            last_unit = _LARGE[character]
            block = section + digit
            if not block and not total:
                return None
            total = (total + block) * last_unit if last_unit > 10_000 else total + block * last_unit
            section = digit = 0
            had_digit = seen_zero = False
    if digit and last_unit >= 100 and not seen_zero:  # 两万五, 三百二
        digit *= last_unit // 10
    return Decimal(total + section + digit)


def written(number: int, *, capital: bool = False) -> str:
    """Write a whole number below 10^16 in Chinese, in capitals (大写) on request."""
    digits = "零壹贰叁肆伍陆柒捌玖" if capital else "零一二三四五六七八九"
    units = ("", "拾", "佰", "仟") if capital else ("", "十", "百", "千")
    if number == 0:
        return digits[0]
    blocks: list[tuple[int, str]] = []
    for scale in ("", "万", "亿", "万亿"):
        if not number:
            break
        number, block = divmod(number, 10_000)
        blocks.append((block, scale))
    text, gap = "", False
    for block, scale in reversed(blocks):
        if not block:
            gap = bool(text)
            continue
        part, zero = "", bool(text) and (gap or block < 1_000)
        for place in range(3, -1, -1):
            digit = block // 10**place % 10
            if digit:
                part += (digits[0] if zero else "") + digits[digit] + units[place]
                zero = False
            elif part:
                zero = True
        text += part + scale
        gap = False
    return text.removeprefix("一") if text.startswith("一十") else text
