"""The same term said once more, otherwise: for corrections, of which the last one counts."""

from __future__ import annotations

from random import Random

from otc import bonds, phrases, structures
from otc.phrases import Maker, Phrase
from otc.words import pick

_AGAIN: dict[str, Maker] = {
    "notional": phrases.notional, "tenor": phrases.tenor, "side": phrases.side, "strike": phrases.strike,
    "barriers": structures.barriers, "lockup": structures.lockup, "coupon": structures.coupon,
    "step": structures.step,
    "face": bonds.face_named, "yield": bonds.bond_yield, "bond": bonds.bond_code, "option": phrases.strike_option,
}  # fmt: skip


def again(random: Random, phrase: Phrase) -> Phrase | None:
    """Return another phrase of the same kind that states the same fields, with other values."""
    maker = _AGAIN.get(phrase.kind)
    for _ in range(8 if maker else 0):
        made = maker(random) if maker else phrase
        if set(phrase.values) <= set(made.values) and made.values != phrase.values:
            return made
    return None


def corrected(random: Random, phrase: Phrase) -> Phrase:
    """Say it wrongly first, and correct it in the same breath: 一年,不对,半年."""
    new = again(random, phrase)
    if new is None or set(new.values) != set(phrase.values):
        return phrase
    return Phrase(phrase.kind, pick(random, "corrected_inside", old=phrase.surface, new=new.surface), new.values)
