"""From what the model wrote to what the client said: the rules of the desk that need no model, and what could not be resolved."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

from otcdesk import own_text
from otcdesk.fold import Folded
from otcdesk.guards import is_instructing
from otcdesk.inquiry import Inquiry, Intent, Product
from otcdesk.instruments import Instruments
from otcdesk.numbers import foreign_amounts
from otcdesk.own_text import OwnTextError

MULTIPLE_INQUIRIES, NOT_UNDERSTOOD = "MULTIPLE_INQUIRIES", "NOT_UNDERSTOOD"
_LEAST = 1e-3
"""Confidence below which the model read nothing: another language, or no language at all, under a grammar that makes it write something."""
_LARGEST = {
    "strike_pct": Decimal(400),
    "knock_in_pct": Decimal(400),
    "knock_out_pct": Decimal(400),
    "yield_pct": Decimal(30),
    "coupon_pct": Decimal(200),
}
"""A price is no percentage of spot, and a clean price no yield."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """``reason``: UPPER_SNAKE; ``field``: of the inquiry, empty for all of it; ``words``: the client's, or the model's."""

    reason: str
    field: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """An inquiry, and what could not be resolved."""

    inquiry: Inquiry
    unresolved: tuple[Unresolved, ...] = ()


def read(written: str, text: Folded, instruments: Instruments, confidence: float = 1.0) -> Reading:
    """Return what the model's text means. What is none, or was written without any confidence, is OTHER, unresolved."""
    if is_instructing(text.text):
        return Reading(Inquiry(Intent.OTHER), (Unresolved("INSTRUCTIONS"),))
    try:
        values = own_text.read(written)
    except OwnTextError:
        return Reading(Inquiry(Intent.OTHER), (Unresolved("MODEL_TEXT_INVALID", words=written),))
    if confidence < _LEAST:
        return Reading(Inquiry(Intent.OTHER), (Unresolved(NOT_UNDERSTOOD, words=written),))
    found = own_text.inquiry(values, text, instruments)
    if found.is_several:
        return Reading(found, (Unresolved(MULTIPLE_INQUIRIES),))
    unresolved: list[Unresolved] = []
    is_left_out = "underlying" in values and (found.underlying_text is None or text.words(values["underlying"]) is None)
    if is_left_out and found.intent is not Intent.OTHER:
        unresolved.append(Unresolved("UNDERLYING_NOT_IN_TEXT", "underlying", values["underlying"]))
    if "strike" in values and found.strike_pct is None and found.intent is not Intent.OTHER:
        unresolved.append(Unresolved("STRIKE_NEEDS_OPTION_TYPE", "strike_pct", values["strike"]))
    found = _of_products(found)
    found = _of_bonds(found)
    if found.underlying_text is not None and found.underlying is None:
        is_known = bool(instruments.codes(found.underlying_text))
        unresolved.append(Unresolved("UNDERLYING_AMBIGUOUS" if is_known else "UNDERLYING_UNKNOWN", "underlying", found.underlying_text))
    if found.intent is not Intent.OTHER and found.notional_cny is None and found.face_cny is None:
        unresolved += (Unresolved("FOREIGN_CURRENCY", _amount_of(found), words) for words in foreign_amounts(text.text)[:1])
    for name, largest in _LARGEST.items():
        value = getattr(found, name)
        if value is not None and value > largest:
            without: dict[str, Any] = {name: None}
            found = replace(found, **without)
            unresolved.append(Unresolved("NO_PERCENTAGE", name, str(value)))
    return Reading(found, tuple(unresolved))


def _amount_of(found: Inquiry) -> str:
    return "face_cny" if found.product is Product.BOND else "notional_cny"


def _of_products(found: Inquiry) -> Inquiry:
    """A call or put names a vanilla option, six digits of a bond a bond."""
    if found.product is None and found.option_type is not None:
        return replace(found, product=Product.VANILLA)
    if found.product is None and found.bond_code is not None:
        return replace(found, product=Product.BOND)
    return found


def _of_bonds(found: Inquiry) -> Inquiry:
    """A bond has no underlying, and its amount is its face."""
    if found.product is not Product.BOND:
        return found
    face = found.face_cny if found.face_cny is not None else found.notional_cny
    return replace(found, underlying=None, underlying_text=None, notional_cny=None, face_cny=face)


def confidence(logprobs: Iterable[float]) -> float:
    """Return the product of the probabilities of the tokens of the model's text, before the grammar's mask; natural logarithms.

    The pieces between values count: each ends a value and says which comes next. What only the grammar forces costs nothing.
    """
    return math.exp(min(0.0, math.fsum(logprobs)))


def terms(inquiry: Inquiry, last: Inquiry | None) -> Inquiry:
    """Return what is agreed on after an inquiry: a quote's own terms; else the last ones with what it changes. OTHER changes nothing."""
    if inquiry.intent is Intent.OTHER:
        return last or Inquiry(Intent.OTHER)
    if inquiry.intent is Intent.QUOTE or last is None:
        return inquiry
    changed = {each.name: getattr(inquiry, each.name) for each in fields(inquiry) if getattr(inquiry, each.name) is not None}
    if "underlying_text" in changed:
        changed["underlying"] = inquiry.underlying  # unknown words take the code before them away
    return replace(last, **changed)
