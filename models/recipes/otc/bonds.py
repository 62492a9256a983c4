"""The terms of a bond as phrases."""

from __future__ import annotations

from random import Random

from otc import numbers
from otc.phrases import Phrase
from otc.words import pick


def bond_code(random: Random) -> Phrase:
    """Name a bond by its six digits."""
    year = random.choice(("19", "20", "21", "22", "23", "24", "25", "26"))
    kind = random.choice(("00", "02", "02", "04", "03", "00", "98", "18"))
    code = f"{year}{kind}{random.randint(1, 30):02}" if random.random() < 0.85 else f"{random.randint(100000, 299999)}"
    return Phrase("bond", pick(random, "bond_before") + code + pick(random, "bond_after"), {"bond": code, "product": "bond"})


def bond_name(random: Random) -> Phrase:
    """Name a bond in words, which have no code."""
    return Phrase("bond", pick(random, "bond_names", y=random.randint(19, 26), n=f"{random.randint(1, 30):02}"), {"product": "bond"})


def bond_yield(random: Random) -> Phrase:
    """State a yield."""
    n = f"{random.randint(1, 4)}." + random.choice(
        (f"{random.randint(0, 99):02}",) * 6 + (str(random.randint(1, 9)), f"{random.randint(0, 9999):04}")
    )
    n += "5" if len(n) == 4 and random.random() < 0.25 else ""
    draw = random.random()
    if draw < 0.05:
        points = random.randint(120, 380)
        return Phrase("yield", pick(random, "yields_bp", n=points), {"yield": f"{points}bp"})
    if draw < 0.1:
        return Phrase("yield", pick(random, "yields_said", w=numbers.chinese_decimal(n)), {"yield": n})
    return Phrase("yield", pick(random, "yields", n=n), {"yield": n})


def bond_sided(random: Random) -> Phrase:
    """State yield and direction in one: 2.15bid, 1.8 ofr, 要2.6的offer, 2.88以上就收."""
    n = f"{random.randint(1, 3)}.{random.choice((random.randint(0, 9), f'{random.randint(0, 99):02}', f'{random.randint(0, 999):03}'))}"
    surface, _, side = pick(random, "yields_sided", n=n).partition("=")
    return Phrase("yield", surface, {"yield": n, "side": side})


def bond_relative(random: Random) -> Phrase:
    """State a yield relative to another, or a clean price: no yield."""
    some = {"a": random.randint(1, 80), "b": random.randint(1, 9), "p": random.randint(96, 104), "d": random.randint(1, 99)}
    return Phrase("yield", pick(random, "yields_relative", **some))


def face(random: Random) -> Phrase:
    """State a bond's face."""
    surface, value = numbers.amount(random, is_bond=True)
    draw = random.random()
    if draw < 0.4:
        surface = pick(random, "face_before") + surface
    elif draw < 0.5:
        surface += pick(random, "face_after")
    return Phrase("face", surface, {"face": value})


def face_named(random: Random) -> Phrase:
    """State a face where nothing else says that it is a bond's."""
    surface, value = numbers.amount(random, is_bond=True)
    return Phrase("face", pick(random, "face_named", n=surface), {"face": value})
