"""An inquiry, field by field. What the text does not state is None."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Intent(StrEnum):
    """What the client wants."""

    QUOTE = "quote"
    FOLLOW_UP = "follow_up"
    ORDER = "order"
    CANCEL = "cancel"
    OTHER = "other"


class Product(StrEnum):
    """What is traded."""

    VANILLA = "vanilla"
    SNOWBALL = "snowball"
    BOND = "bond"


class Side(StrEnum):
    """The client's direction."""

    BUY = "buy"
    SELL = "sell"


class OptionType(StrEnum):
    """Kind of a vanilla option."""

    CALL = "call"
    PUT = "put"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One text, one inquiry. Percentages are of spot or a year, times in months (a week is a quarter, a day a thirtieth), amounts in yuan.

    ``underlying``: code of the instrument master; None when the words name none or several. ``underlying_text``: the client's own words.
    ``is_several``: the text had several inquiries; every field but the intent, OTHER, is None then.
    """

    intent: Intent
    product: Product | None = None
    side: Side | None = None
    underlying: str | None = None
    underlying_text: str | None = None
    option_type: OptionType | None = None
    notional_cny: Decimal | None = None
    tenor_months: Decimal | None = None
    strike_pct: Decimal | None = None
    knock_in_pct: Decimal | None = None
    knock_out_pct: Decimal | None = None
    knock_out_step_pct: Decimal | None = None
    lockup_months: Decimal | None = None
    coupon_pct: Decimal | None = None
    bond_code: str | None = None
    yield_pct: Decimal | None = None
    face_cny: Decimal | None = None
    is_several: bool = False
