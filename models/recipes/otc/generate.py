"""Samples without end: a text as people write it and the model's own text for it.

The same seed gives the same samples, whoever asks. Texts are folded (`otcdesk.fold`), as they are in service; typos come last, and never
into an underlying or a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from otcdesk import own_text
from otcdesk.fold import fold
from otcdesk.instruments import Instruments

from otc import bonds, chatter, corrections, families, held_out, phrases, replies, several, structures, trained
from otc.families import Draft, Family
from otc.names import Names
from otc.phrases import Phrase
from otc.words import pick

LONGEST_TEXT = 320
_MOST_USUAL = 160
"""Longer texts are kept one in three, so that a batch has many."""
_COMMA = re.compile(r"(?<![0-9]),|,(?![0-9])")
Told = tuple[str, dict[str, str], str]
"""Text, values by key, family."""


@dataclass(frozen=True, slots=True)
class Sample:
    """``text``: folded. ``values``: by key of the model's text. ``family``: how it was written."""

    text: str
    values: dict[str, str]
    family: str

    @property
    def own_text(self) -> str:
        return own_text.write(self.values)


class Generator:
    """``is_held_out``: families and names that training does not see, else only the others. ``is_known``: only names of the master."""

    def __init__(self, instruments: Instruments, seed: int, *, is_held_out: bool = False, is_known: bool = False) -> None:
        self._random = Random(seed)
        self._names = Names(instruments, is_held_out=is_held_out, is_known=is_known)
        chosen = held_out.HELD_OUT if is_held_out else trained.TRAINED
        self._families: list[Family] = [family for family, _ in chosen]
        self._weights = [weight for _, weight in chosen]

    def __iter__(self) -> Iterator[Sample]:
        while True:
            sample = self._draw()
            if sample is not None:
                yield sample

    def _draw(self) -> Sample | None:
        random = self._random
        makers = (self._quote, self._follow_up, self._order, self._cancel, self._other, self._several)
        text, values, family = random.choices(makers, (61, 12, 8, 4, 9, 6))[0]()
        folded = fold(worn(random, text, values.get("underlying", ""))).text
        if not folded or len(folded) > LONGEST_TEXT or values.get("underlying", "") not in folded:
            return None
        if len(folded) > _MOST_USUAL and random.random() > 1 / 3:
            return None
        return Sample(folded, {key: values[key] for key in own_text.KEYS if key in values}, family)

    def _quote(self) -> Told:
        draft, values = self.terms()
        family = self._random.choices(self._families, self._weights)[0]
        text = self._corrected(family(draft), values, draft)
        return text, {"intent": "quote", **values}, family.__name__

    def terms(self) -> tuple[Draft, dict[str, str]]:
        """Return the terms of an inquiry, in any order, and their values."""
        random = self._random
        product = random.choices(("vanilla", "snowball", "bond", "other"), (47, 36, 16, 1))[0]
        makers = {"vanilla": self._vanilla, "snowball": self._snowball, "bond": self._bond, "other": self._unknown}
        parts = makers[product]()
        random.shuffle(parts)
        if random.random() < 0.2:
            place = random.randrange(len(parts))
            parts[place] = phrases.spoken(random, parts[place])
        if random.random() < 0.07:
            place = random.randrange(len(parts))
            parts[place] = corrections.corrected(random, parts[place])
        name = "" if product == "bond" or random.random() < 0.03 else self._names.draw(random)
        values = replies.values(parts)
        if name:
            values["underlying"] = name
        if name and random.random() < 0.015:
            name = pick(random, "corrected_inside", old=self._names.draw(random), new=name)
        return Draft(random, product, name, tuple(parts)), values

    def _maybe(self, *choices: tuple[float, Phrase]) -> list[Phrase]:
        return [phrase for chance, phrase in choices if self._random.random() < chance]

    def _amount(self) -> Phrase:
        return phrases.notional(self._random) if self._random.random() < 0.95 else phrases.foreign_notional(self._random)

    def _time(self) -> Phrase:
        return phrases.tenor(self._random) if self._random.random() < 0.94 else phrases.date(self._random)

    def _side(self) -> Phrase:
        return phrases.side(self._random) if self._random.random() < 0.97 else phrases.two_way(self._random)

    def _vanilla(self) -> list[Phrase]:
        random = self._random
        if random.random() < 0.1:
            parts = [phrases.vanilla_word(random), *self._maybe((0.5, phrases.strike(random)))]
        else:
            parts = [phrases.strike_option(random), *self._maybe((0.08, phrases.vanilla_word(random)))]
            if "strike" not in parts[0].values and random.random() < 0.7:
                parts.append(phrases.strike(random) if random.random() < 0.88 else phrases.strike_absolute(random))
        is_directed = random.random() < 0.14
        if is_directed:
            parts[0] = phrases.directed(random, parts[0])
        return [*parts, *self._maybe((0.85, self._time()), (0.7, self._amount()), (0 if is_directed else 0.45, self._side()))]

    def _snowball(self) -> list[Phrase]:
        random = self._random
        parts = [structures.snowball_word(random)]
        draw = random.random()
        if draw < 0.7:
            parts.append(structures.barriers(random))
        elif draw < 0.82:
            parts += [structures.knock_out(random), structures.knock_in(random)]
        elif draw < 0.94:
            parts.append(structures.knock_out(random) if draw < 0.88 else structures.knock_in(random))
            parts += self._maybe((0.2 if draw < 0.88 else 0, structures.no_knock_in(random)))
        asked = structures.coupon(random) if random.random() < 0.6 else structures.coupon_asked(random)
        terms = ((0.85, self._time()), (0.6, self._amount()), (0.6, structures.lockup(random)), (0.35, structures.step(random)))
        return [*parts, *self._maybe(*terms, (0.45, asked), (0.3, self._side()))]

    def _bond(self) -> list[Phrase]:
        random = self._random
        parts = [bonds.bond_code(random) if random.random() < 0.83 else bonds.bond_name(random)]
        if random.random() < 0.12:
            return [*parts, bonds.bond_sided(random), *self._maybe((0.75, bonds.face(random)))]
        price = bonds.bond_yield(random) if random.random() < 0.82 else bonds.bond_relative(random)
        return [*parts, *self._maybe((0.65, price), (0.75, bonds.face(random)), (0.85, self._side()))]

    def _unknown(self) -> list[Phrase]:
        parts = [phrases.other_product(self._random)]
        return [*parts, *self._maybe((0.8, self._time()), (0.6, self._amount()), (0.3, phrases.strike(self._random)))]

    def _corrected(self, text: str, values: dict[str, str], draft: Draft) -> str:
        """Append a correction now and then; the last word counts."""
        random = self._random
        if random.random() > 0.08:
            return text
        again = [
            made
            for made in (corrections.again(random, phrase) for phrase in draft.phrases if "," not in phrase.surface)
            if made is not None
        ]
        if draft.underlying and random.random() < 0.3:
            name = self._names.draw(random)
            again = [Phrase("underlying", random.choice(("标的", "", "标的是")) + name, {"underlying": name})]
        if not again:
            return text
        new = random.choice(again)
        values.update(new.values)
        joint, stop = random.choice((",", "。", " ", "\n", "...")), random.choice((",", " ", "", "。"))
        return text + joint + pick(random, "sorry") + stop + pick(random, "change") + new.surface

    def _follow_up(self) -> Told:
        text, values = replies.follow_up(self._random, self._names)
        return text, {"intent": "follow_up", **values}, "follow_up"

    def _order(self) -> Told:
        random = self._random
        if random.random() < 0.25:
            draft, values = self.terms()
            family = random.choice((families.terse, families.unspaced, families.labelled, families.two_clauses))
            lead = pick(random, "order_leads") + random.choice((" ", "", ",", "\n"))
            return lead + family(draft), {"intent": "order", **values}, "order_terms"
        text, values = replies.order(random, self._names)
        return text, {"intent": "order", **values}, "order"

    def _cancel(self) -> Told:
        text, values = replies.cancel(self._random, self._names)
        return text, {"intent": "cancel", **values}, "cancel"

    def _other(self) -> Told:
        random = self._random
        if random.random() < 0.2:
            draft, _ = self.terms()
            return chatter.instructed(random, families.terse(replace(draft))), {"intent": "other"}, "injection"
        return chatter.other(random, self._names.draw(random)), {"intent": "other"}, "other"

    def _several(self) -> Told:
        text = several.text(self._random, self._names, [self.terms()[0] for _ in range(3)])
        return text, {"intent": own_text.SEVERAL}, "several"


def worn(random: Random, text: str, name: str) -> str:
    """Wear a text as people do: a typo, a lost or doubled mark, blanks. ``name``: is left whole."""
    if random.random() < 0.1:
        right, _, wrong = pick(random, "typos").partition("=")
        text = text.replace(right, wrong, 1)
    if random.random() < 0.06:
        text = _COMMA.sub(random.choice((" ", ",,", "、", "。", "...")), text, count=1)
    if random.random() < 0.08 and (not name or name in text):
        before, kept, after = text.rpartition(name) if name else (text, "", "")
        text = _spaced(random, before) + kept + _spaced(random, after)
    if random.random() < 0.12:
        text += random.choice(
            ("。", "!", "?", "~", "...", "!!", " ", ":)", "[抱拳]", "[微笑]", "^_^", "🙏", "[玫瑰]", "哈", "~~", "[谢谢]", "👍")
        )
    return text


def _spaced(random: Random, text: str) -> str:
    """Put blanks where letters and Hanzi meet."""
    found = ""
    for each in text:
        if found and found[-1].isalnum() and each.isalnum() and found[-1].isascii() != each.isascii() and random.random() < 0.6:
            found += " "
        found += each
    return found
