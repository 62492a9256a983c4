"""A cell's value as a spreadsheet displays it: 0.0435 as 4.35%, 1234.5 as 1,234.50, a date by its own pattern.

The part of the format language that financial sheets use; what is not known is shown without format, never wrong by a factor.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

_LITERAL = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[\$([^\]-]*)(?:-[^\]]*)?\]|\[[^\]]*\]')
_PLACES = re.compile(r"[#0?][#0?,.]*(?:E[+-]0+)?")
_DATE_PIECE = re.compile(r'"[^"]*"|\\.|\[\$?[^\]]*\]|AM/PM|A/P|上午/下午|y+|m+|d+|h+|s+(?:\.0+)?|.', re.IGNORECASE)
_DATE = re.compile(r"[ymdhs]", re.IGNORECASE)
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


def shown(value: object, code: str) -> str:
    """``code``: the cell's number format. None is ""."""
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return _number(value, code)
        case dt.datetime() | dt.date() | dt.time():
            return _date(value, code)
        case dt.timedelta():
            minutes, seconds = divmod(int(value.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)


def _number(value: float, code: str) -> str:
    try:
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        return str(value)
    if not exact.is_finite():
        return str(value)
    section, exact = _section(code, exact)
    literal = _LITERAL.sub(lambda found: "".join("\ue000" + each for each in found[1] or found[2] or found[3] or ""), section)
    bare = re.sub("\ue000.", "", literal)
    places = _PLACES.search(bare)
    if section.strip().lower() in {"", "general", "@"} or "/" in bare:
        return _general(exact)
    if places is None:  # words alone
        return literal.replace("\ue000", "").strip()
    pattern = places[0]
    digits = _digits(exact * (100 ** bare.count("%")), pattern) if exact or "0" in pattern else ""
    start = _find(literal, pattern)
    before, after = literal[:start], literal[start + len(pattern) :]
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    return (sign + before + digits + after).replace("\ue000", "").strip()


def _find(literal: str, pattern: str) -> int:
    """Where a pattern starts outside of literal characters."""
    at = 0
    while at < len(literal):
        if literal[at] == "\ue000":
            at += 2
        elif literal.startswith(pattern, at):
            return at
        else:
            at += 1
    return 0


def _section(code: str, value: Decimal) -> tuple[str, Decimal]:
    """The part of a format for a value's sign, and the value as that part shows it."""
    sections = re.findall(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;"\\\[])+|(?<=;)(?=;|$)', code) or [code]
    if len(sections) > 1 and not any(re.search(r"\[[<>=]", each) for each in sections):
        if value < 0:
            return sections[1], -value
        if value == 0 and len(sections) > 2:
            return sections[2], value
    return sections[0], value


def _digits(value: Decimal, pattern: str) -> str:
    mantissa, _, exponent = pattern.partition("E")
    if exponent:
        return f"{value:.{len(mantissa.partition('.')[2])}E}"
    whole, _, decimals = mantissa.partition(".")
    scale = len(whole) - len(whole.rstrip(",")) if not decimals else len(decimals) - len(decimals.rstrip(","))
    value = value.scaleb(-3 * scale)
    decimals = decimals.rstrip(",")
    rounded = value.quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP) if abs(value) < Decimal(10) ** 20 else value
    text = f"{rounded:,f}" if "," in whole.rstrip(",") else f"{rounded:f}"
    optional = len(decimals) - len(decimals.rstrip("#?"))
    if optional and "." in text:
        kept = len(text) - optional
        text = text[:kept] + text[kept:].rstrip("0")
        text = text.rstrip(".")
    sign, bare = ("-", text[1:]) if text.startswith("-") else ("", text)
    least = sum(each == "0" for each in whole)
    if len(bare.partition(".")[0]) < least and "," not in bare:
        bare = bare.rjust(len(bare) + least - len(bare.partition(".")[0]), "0")
    return ("" if not rounded else sign) + bare


def _general(value: Decimal) -> str:
    """As Excel shows numbers without a format: eleven digits at most."""
    if value == value.to_integral_value() and abs(value) < Decimal(10) ** 15:
        return f"{value.to_integral_value():f}"
    text = f"{value:.10g}" if abs(value) < 1 else f"{value:.11g}"
    return f"{Decimal(text).normalize():f}" if abs(value) > Decimal("1e-9") else text


def _date(value: dt.date | dt.time, code: str) -> str:
    pattern = re.split(r";(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", code)[0]
    if not _DATE.search(_LITERAL.sub("", pattern)):
        return str(value)
    moment = (
        value
        if isinstance(value, dt.datetime)
        else dt.datetime.combine(
            value if isinstance(value, dt.date) else dt.date(1900, 1, 1), value if isinstance(value, dt.time) else dt.time()
        )
    )
    pieces = _DATE_PIECE.findall(pattern)
    half = any(each.upper() in {"AM/PM", "A/P"} or each == "上午/下午" for each in pieces)
    out: list[str] = []
    for at, piece in enumerate(pieces):
        if piece[0] == '"':
            out.append(piece[1:-1])
        elif piece[0] == "\\":
            out.append(piece[1])
        elif piece[0] != "[" and piece not in {"_", "*", "@"}:
            out.append(_part(piece, moment, _is_minute(pieces, at), half))
    return "".join(out).strip()


def _is_minute(pieces: list[str], at: int) -> bool:
    """m is a minute behind an hour and before a second."""
    before = next((each for each in reversed(pieces[:at]) if each[0].lower() in "ymdhs"), "")
    after = next((each for each in pieces[at + 1 :] if each[0].lower() in "ymdhs"), "")
    return before[:1].lower() == "h" or after[:1].lower() == "s"


def _part(piece: str, moment: dt.datetime, minute: bool, half: bool) -> str:
    kind, count = piece[0].lower(), len(piece)
    if piece.upper() in {"AM/PM", "A/P"}:
        return "AM" if moment.hour < 12 else "PM"
    if piece == "上午/下午":
        return "上午" if moment.hour < 12 else "下午"
    if kind == "y":
        return f"{moment.year:04}" if count > 2 else f"{moment.year % 100:02}"
    if kind == "m" and not minute and count >= 3:
        return _MONTHS[moment.month - 1][: 3 if count == 3 else None]
    if kind == "d" and count >= 3:
        return moment.strftime("%a" if count == 3 else "%A")
    hour = (moment.hour % 12 or 12) if half else moment.hour
    numbers = {"m": moment.minute if minute else moment.month, "d": moment.day, "h": hour, "s": moment.second}
    if kind not in numbers or (not piece.isalpha() and kind != "s"):
        return piece
    return f"{numbers[kind]:02}" if count > 1 else str(numbers[kind])
