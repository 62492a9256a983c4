"""What a client says after a quote: follow-ups that name only what changes, orders and cancellations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from otc import bonds, corrections, families, numbers, phrases, structures, times
from otc.frames import expanded
from otc.names import Names
from otc.phrases import Maker, Phrase
from otc.words import pick

Reply = tuple[str, dict[str, str]]
_MAKERS: tuple[Maker, ...] = (
    phrases.tenor, phrases.tenor, phrases.strike, phrases.strike_option, phrases.option, structures.barriers, structures.knock_in,
    structures.knock_out,
    phrases.notional, structures.lockup, structures.step, structures.coupon, phrases.side, bonds.bond_yield, bonds.face,
    structures.snowball_word, phrases.date,
    structures.knock_in_moved, structures.knock_out_moved, bonds.bond_code, phrases.notional,
)  # fmt: skip
_LABELS = {
    "notional": ("名本", "规模", "名义本金", "量", "size"), "tenor": ("期限", "tenor", "存续期"), "lockup": ("锁定期",),
    "strike": ("行权价", "执行价", "strike"),
    "ko": ("敲出", "敲出线", "ko"), "ki": ("敲入", "敲入线", "ki"), "coupon": ("票息", "coupon"), "step": ("每月降", "降敲"),
    "yield": ("收益率",), "face": ("面额",),
}  # fmt: skip


def values(parts: Sequence[Phrase]) -> dict[str, str]:
    """Return all values of the phrases."""
    found: dict[str, str] = {}
    for phrase in parts:
        found |= phrase.values
    return found


def number(random: Random, name: str) -> tuple[str, str]:
    """Return a value of a key without any word about it: surface and own value."""
    if name in ("notional", "face"):
        return numbers.amount(random)
    if name == "tenor":
        return times.tenor(random)
    if name == "lockup":
        months = random.choice((1, 2, 3, 6, 9))
        return random.choice((f"{months}个月", f"{numbers.counted(months)}个月", f"{months}m")), f"{months}m"
    makers: dict[str, Callable[[], str]] = {
        "strike": lambda: random.choice(("80", "90", "95", "100", "103", "105", "110")), "step": lambda: numbers.half_step(random),
        "ki": lambda: numbers.barrier(random, 50, 92), "ko": lambda: numbers.barrier(random, 96, 110),
        "coupon": lambda: random.choice(("10", "12", "15", "18", "20", "13.5")),
        "yield": lambda: f"{random.randint(1, 3)}.{random.randint(0, 99):02}",
    }  # fmt: skip
    value = makers[name]()
    return value + random.choice(("", "%", "")), value


def follow_up(random: Random, names: Names) -> Reply:
    """Ask about the last quote, or change some of its terms."""
    draw = random.random()
    if draw < 0.14:
        return (decorated(random, pick(random, "asks_last")) if random.random() < 0.5 else expanded(random, "ask_last")), {}
    if draw < 0.16:
        return decorated(random, pick(random, "asks_last_quoted", n=random.randint(3, 30))), {}
    if draw < 0.28:
        return _moved(random)
    parts = [make(random) for make in random.sample(_MAKERS, 1 if random.random() < 0.72 else 2)]
    kinds = [phrase.kind for phrase in parts]
    is_unclear = (
        len(set(kinds)) < len(kinds)
        or {"notional", "face"} <= set(kinds)
        or {"option", "strike"} <= set(kinds)
        or {"option", "product"} <= set(kinds)
    )
    if is_unclear or (len(kinds) > 1 and {"bond", "yield"} & set(kinds)):
        parts = parts[:1]
    parts = [bonds.face_named(random) if phrase.kind == "face" else phrase for phrase in parts]
    if parts[0].kind == "bond" and random.random() < 0.3:
        parts.append(bonds.face(random))
    if random.random() < 0.04:
        parts[0] = corrections.corrected(random, parts[0])
    found, words = values(parts), [phrase.surface for phrase in parts]
    if random.random() < 0.2 and parts[0].kind not in ("bond", "yield", "face"):
        name = names.draw(random)
        is_alone = random.random() < 0.6
        found, words = ({}, [name]) if is_alone else (found, [name, *words])
        found = {**found, "underlying": name}
    said = families.glued(random, words, (",", " ", ""))
    return decorated(random, pick(random, "changed", said=said)), found


def _moved(random: Random) -> Reply:
    """Say from what to what: 名本从1000万加到2000万."""
    if random.random() < 0.5:
        name, _, form = pick(random, "moved").partition("=")
        surface, value = number(random, name)
        surface = surface.removesuffix("%") if "{n}%" in form else surface
        return decorated(random, form.format(n=surface)), {name: value}
    name = random.choice(tuple(_LABELS))
    old, (new, value) = number(random, name)[0], number(random, name)
    return decorated(random, pick(random, "from_to", label=random.choice(_LABELS[name]), old=old, new=new)), {name: value}


def order(random: Random, names: Names) -> Reply:
    """Accept the last quote, or place an order with a few words."""
    draw = random.random()
    if draw < 0.36:
        return (decorated(random, pick(random, "orders")) if random.random() < 0.5 else expanded(random, "order")), {}
    if draw < 0.48:
        return _bond_order(random)
    parts = [
        phrase
        for chance, phrase in ((0.75, phrases.notional(random)), (0.2, phrases.side(random)), (0.08, phrases.option(random)))
        if random.random() < chance
    ]
    parts = parts or [bonds.face_named(random)]
    found, words = values(parts), [phrase.surface for phrase in parts]
    if random.random() < 0.25 and "face" not in found:
        found["underlying"] = names.draw(random)
        words.insert(
            random.randint(0, len(words)), found["underlying"] + random.choice(("", "", "", "那笔", "那单", "的那笔", "这笔", "那个"))
        )
    said = families.glued(random, words, (" ", ",", ""))
    return _ordered(random, said), found


def _bond_order(random: Random) -> Reply:
    parts = [bonds.bond_code(random), bonds.face(random)]
    parts += [bonds.bond_yield(random)] if random.random() < 0.3 else []
    parts += [phrases.side(random)] if random.random() < 0.3 else []
    random.shuffle(parts)
    return _ordered(random, families.glued(random, [phrase.surface for phrase in parts], (" ", ",", " "))), values(parts)


def _ordered(random: Random, said: str) -> str:
    verb, accepted = pick(random, "order_verbs"), pick(random, "orders")
    acknowledged = pick(random, "acknowledged")
    text = random.choice(
        (
            f"{verb}{said}",
            f"{accepted},{said}",
            f"{said},{accepted}",
            f"{acknowledged},{verb}{said}",
            f"{accepted} {said}",
            f"{said} {accepted}",
        )
    )
    return decorated(random, text)


def cancel(random: Random, names: Names) -> Reply:
    """Cancel, with or without saying what."""
    draw = random.random()
    if draw < 0.62:
        return (decorated(random, pick(random, "cancels")) if random.random() < 0.5 else expanded(random, "cancel")), {}
    if draw < 0.82:
        name = names.draw(random)
        said, found = name, {"underlying": name}
    else:
        maker = random.choice((bonds.bond_code, structures.snowball_word, phrases.option, bonds.bond_code, phrases.notional))
        part = maker(random)
        said, found = part.surface, dict(part.values)
        if random.random() < 0.3 and part.kind in ("product", "option"):
            name = names.draw(random)
            said, found = f"{name}{random.choice(('的', '', ' '))}{said}", {**found, "underlying": name}
    return decorated(random, pick(random, "cancel_names", name=said, verb=pick(random, "cancel_verbs"))), found


def decorated(random: Random, text: str) -> str:
    """Put a word before or behind, as people do."""
    if random.random() < 0.15:
        text = pick(random, "greetings" if random.random() < 0.5 else "heads") + random.choice((",", " ")) + text
    if random.random() < 0.15:
        text += random.choice((",", " ", "")) + pick(random, "tails")
    return text
