"""What the specialist model writes: JSON, keys in one order, absent fields omitted, values as near to the client's words as possible.

The model copies and our code computes. Nothing has to be counted: 2,500万 is "2500e4", 45天 is "45d", 虚值5% is "otm5". Each stretch of
punctuation with its key is one token (`PIECES`), as are the words of a closed set.

Surprising: several inquiries in one text are an intent of the model's own, which the API tells as MULTIPLE_INQUIRIES.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from otcdesk import underlying
from otcdesk.fold import Folded
from otcdesk.inquiry import Inquiry, Intent, OptionType, Product, Side
from otcdesk.instruments import Instruments

SEVERAL = "multiple"
INTENTS = (*(each.value for each in Intent), SEVERAL)
WORDS_OF: dict[str, tuple[str, ...]] = {
    "intent": INTENTS,
    "product": tuple(each.value for each in Product),
    "side": tuple(each.value for each in Side),
    "option": tuple(each.value for each in OptionType),
}
NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,6})?"
LONGEST_UNDERLYING = 32
KEYS = (
    "intent",
    "product",
    "side",
    "underlying",
    "option",
    "strike",
    "tenor",
    "ki",
    "ko",
    "step",
    "lockup",
    "coupon",
    "notional",
    "bond",
    "yield",
    "face",
)
"""In the order in which they stand."""
START, END = '{"intent":"', '"}'
PIECES = (START, END, *(f'","{each}":"' for each in KEYS[1:]))
"""Punctuation and keys: single tokens of the model."""
WORDS = (*dict.fromkeys(word for words in WORDS_OF.values() for word in words), "otm", "itm", "bp")
"""Values of closed sets: single tokens of the model."""
_PER_MONTH = {"d": Decimal(30), "w": Decimal(4), "m": Decimal(1)}
_HUNDRED = Decimal(100)
_OF_AN_UNDERLYING = (Product.VANILLA, Product.SNOWBALL)


class OwnTextError(ValueError):
    """The model's text is not what the grammar promises."""


def write(values: Mapping[str, str]) -> str:
    """Return the text for values by key; what `read` gives back."""
    parts = []
    for number, name in enumerate(name for name in KEYS if name in values):
        parts.append((START if number == 0 else f'","{name}":"') + json.dumps(values[name], ensure_ascii=False)[1:-1])
    return "".join(parts) + END


def read(text: str) -> dict[str, str]:
    """Return values by key. Raises OwnTextError."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise OwnTextError(f"no JSON: {error}") from None
    if not isinstance(found, dict) or "intent" not in found or list(found) != [name for name in KEYS if name in found]:
        raise OwnTextError("not the keys of an inquiry in their order")
    for name, value in found.items():
        if not isinstance(value, str) or not re.fullmatch(_pattern(name), value):
            raise OwnTextError(f"{name} is not of its form")
    return found


def inquiry(values: Mapping[str, str], text: Folded, instruments: Instruments) -> Inquiry:
    """Return the inquiry that the values mean.

    Underlying words that the text does not have are left out: the parser invents nothing. The only instrument that the text names is meant
    then, and also where a product that needs one has none.
    """
    if values["intent"] in (SEVERAL, Intent.OTHER):
        return Inquiry(Intent.OTHER, is_several=values["intent"] == SEVERAL)
    words = text.part(_underlying(values, text, instruments))
    option = OptionType(values["option"]) if "option" in values else None
    barriers = [percent(values[name]) for name in ("ki", "ko") if name in values]
    lower, upper = (min(barriers), max(barriers)) if len(barriers) == 2 else (None, None)
    return Inquiry(
        intent=Intent(values["intent"]),
        product=Product(values["product"]) if "product" in values else None,
        side=Side(values["side"]) if "side" in values else None,
        underlying=instruments.resolve(words) if words else None,
        underlying_text=words,
        option_type=option,
        notional_cny=_if(values, "notional", amount),
        tenor_months=_if(values, "tenor", months),
        strike_pct=strike(values["strike"], option) if "strike" in values else None,
        knock_in_pct=lower if lower is not None else _if(values, "ki", percent),
        knock_out_pct=upper if upper is not None else _if(values, "ko", percent),
        knock_out_step_pct=_if(values, "step", percent),
        lockup_months=_if(values, "lockup", months),
        coupon_pct=_if(values, "coupon", percent),
        bond_code=values.get("bond"),
        yield_pct=_if(values, "yield", percent),
        face_cny=_if(values, "face", amount),
    )


def _underlying(values: Mapping[str, str], text: Folded, instruments: Instruments) -> underlying.Span | None:
    if "underlying" in values:
        return underlying.meant(values["underlying"], text, instruments)
    return underlying.named_alone(text, instruments) if values.get("product") in _OF_AN_UNDERLYING else None


def percent(value: str) -> Decimal:
    """ "15" and "1500bp" are 15 per cent."""
    return Decimal(value.removesuffix("bp")) / (_HUNDRED if value.endswith("bp") else 1)


def amount(value: str) -> Decimal:
    """ "2500e4" are 25,000,000."""
    mantissa, _, exponent = value.partition("e")
    return Decimal(mantissa) * Decimal(10) ** int(exponent or 0)


def months(value: str) -> Decimal:
    """ "2w" is half a month, "45d" one and a half, "1y" twelve."""
    return Decimal(value[:-1]) * 12 if value.endswith("y") else Decimal(value[:-1]) / _PER_MONTH[value[-1]]


def strike(value: str, option: OptionType | None) -> Decimal | None:
    """ "80" is 80 per cent of spot, "0.8x" as well; "otm5" is 105 for a call and 95 for a put, and nothing when it is neither."""
    if value.startswith(("otm", "itm")):
        if option is None:
            return None
        is_above = (option is OptionType.CALL) == value.startswith("otm")
        return _HUNDRED + Decimal(value[3:]) if is_above else _HUNDRED - Decimal(value[3:])
    return Decimal(value.removesuffix("x")) * (_HUNDRED if value.endswith("x") else 1)


def _if(values: Mapping[str, str], name: str, means: Any) -> Decimal | None:
    return means(values[name]) if name in values else None


def forms(number: str, time: str, amount: str) -> dict[str, str]:
    """Return the patterns of numeric values by key, made of those of their parts: a number, how many of a unit of time, an amount."""
    return {
        "strike": rf"(?:otm|itm)?{number}x?",
        "ki": number,
        "ko": number,
        "step": number,
        "lockup": rf"{time}[dwmy]",
        "tenor": rf"{time}[dwmy]",
        "coupon": rf"{number}(?:bp)?",
        "notional": amount,
        "yield": rf"{number}(?:bp)?",
        "face": amount,
    }


ANY = forms(NUMBER, NUMBER, rf"{NUMBER}(?:e[0-9]{{1,2}})?")
"""Patterns of whatever numbers."""


def _pattern(name: str) -> str:
    if name in WORDS_OF:
        return "|".join(WORDS_OF[name])
    if name == "bond":
        return "[0-9]{6}"
    return ANY.get(name, rf".{{1,{LONGEST_UNDERLYING}}}")
