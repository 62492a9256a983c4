"""The terms of a snowball as phrases."""

from __future__ import annotations

from random import Random

from otc import numbers
from otc.phrases import Phrase, grow_together
from otc.words import pick


def snowball_word(random: Random) -> Phrase:
    """Name a snowball."""
    return Phrase("product", pick(random, "snowball"), {"product": "snowball"})


def barriers(random: Random) -> Phrase:
    """State both barriers: 103-80, 80/103, 敲入80敲出103, ko 103 ki 75."""
    upper, lower = numbers.barrier(random, 96, 110), numbers.barrier(random, 50, 92)
    values = {"ki": lower, "ko": upper}
    draw = random.random()
    if draw < 0.36:
        first, second = (upper, lower) if random.random() < 0.6 else (lower, upper)
        mark = random.choice(
            ("-", "-", "-", "/", "/", "/", "~", "|", "、", " / ", " - ", "_", "对", "x", " ", ",", "到", "*", "\\", "--", "比")
        )
        both = random.random()
        shown = f"{first}%{mark}{second}%" if both < 0.15 else f"{first}{mark}{second}%" if both < 0.2 else f"{first}{mark}{second}"
        return Phrase("barriers", shown + pick(random, "barriers_after"), values)
    if draw < 0.44:
        return Phrase("barriers", _in_and_out(random, lower, upper), values)
    said = draw < 0.52
    out, into = (
        (_said_barrier if said else pick_barrier)(random, "knock_out", upper),
        (_said_barrier if said else pick_barrier)(random, "knock_in", lower),
    )
    parts = [out, into]
    random.shuffle(parts)
    glue = random.choice(("", ",", " ", ",", "、", "/", ";", " and ", "\n", "和"))
    if not glue and grow_together(parts[0][-1], parts[1][0]):
        glue = " "
    return Phrase("barriers", glue.join(parts), values)


def _in_and_out(random: Random, lower: str, upper: str) -> str:
    """Say both with a syllable each: 103出80入, 入80出103."""
    return pick(random, "barriers_short", i=lower, o=upper)


def no_knock_in(random: Random) -> Phrase:
    """Say that there is no knock-in."""
    return Phrase("barriers", pick(random, "no_knock_in"))


def pick_barrier(random: Random, name: str, number: str) -> str:
    return pick(random, name, n=number)


def _said_barrier(random: Random, name: str, number: str) -> str:
    word, said = "敲出" if name == "knock_out" else "敲入", numbers.chinese_decimal(number)
    if number.isdigit() and len(number) == 2 and random.random() < 0.35:  # 敲入七五, 七五折敲入, 敲入打八折
        tens, ones = (numbers.DIGITS[int(each)] for each in number)
        short = tens if ones == "零" else tens + ones
        forms: tuple[str, ...] = (
            f"{word}打{short}折",
            f"{short}折{word}",
            f"{word}{short}折",
            *((f"{word}{short}", f"{short}{word}") if ones != "零" else (f"{word}{tens}成",)),
        )
        return random.choice(forms)
    return random.choice(
        (f"{word}{said}", f"{word}百分之{said}", f"百分之{said}{word}", f"{said}{word}", f"{word}线百分之{said}", f"{word}价{said}")
    )


def knock_out(random: Random) -> Phrase:
    """State the knock-out alone."""
    if random.random() < 0.12:
        return Phrase("barriers", pick(random, "knock_out_atm"), {"ko": "100"})
    upper = numbers.barrier(random, 95, 112)
    return Phrase(
        "barriers",
        _said_barrier(random, "knock_out", upper) if random.random() < 0.08 else pick(random, "knock_out", n=upper),
        {"ko": upper},
    )


def knock_in(random: Random) -> Phrase:
    """State the knock-in alone."""
    lower = numbers.barrier(random, 50, 92)
    return Phrase(
        "barriers", _said_barrier(random, "knock_in", lower) if random.random() < 0.08 else pick(random, "knock_in", n=lower), {"ki": lower}
    )


def knock_out_moved(random: Random) -> Phrase:
    """Say where the knock-out shall be instead."""
    upper = numbers.barrier(random, 95, 112)
    return Phrase("barriers", pick(random, "knock_out_moved", n=upper), {"ko": upper})


def knock_in_moved(random: Random) -> Phrase:
    """Say where the knock-in shall be instead."""
    lower = numbers.barrier(random, 50, 92)
    return Phrase("barriers", pick(random, "knock_in_moved", n=lower), {"ki": lower})


def step(random: Random) -> Phrase:
    """State by how much the knock-out falls a month."""
    if random.random() < 0.07:
        surface, _, value = pick(random, "steps_said").partition("=")
        return Phrase("step", surface, {"step": value})
    number = numbers.half_step(random)
    return Phrase("step", pick(random, "steps", n=number), {"step": number})


def lockup(random: Random) -> Phrase:
    """State the lock-up: 锁三, 锁定期3个月, lock 3m, 不锁."""
    draw = random.random()
    for below, name, value in ((0.12, "no_lockup", "0m"), (0.18, "half_year_lockup", "6m"), (0.22, "year_lockup", "1y")):
        if draw < below:
            return Phrase("lockup", pick(random, name), {"lockup": value})
    n = random.choice((3, 3, 3, 3, 6, 6, 1, 2, 4, 5, 12, 9))
    words = {"n": n, "w": numbers.chinese(n), "w2": numbers.counted(n), "e": numbers.english(n)}
    return Phrase("lockup", pick(random, "lockups", **words), {"lockup": f"{n}m"})


def coupon(random: Random) -> Phrase:
    """Demand a coupon."""
    usual = (
        "15",
        "12",
        "18",
        "20",
        "10",
        "8",
        "16",
        "14",
        "13.5",
        "12.5",
        "22",
        "25",
        "9",
        "11",
        "17.8",
        "15.5",
        "15",
        "20",
        "10.5",
        "6",
        "7.2",
    )
    n = random.choice((*usual, str(random.randint(5, 40)), str(random.randint(5, 40))))
    if random.random() < 0.05:
        points = str(int(float(n) * 100))
        return Phrase(
            "coupon", random.choice(("票息{}bp", "coupon {}bps", "票息要{}bp", "票息{}个bp")).format(points), {"coupon": f"{points}bp"}
        )
    shown = random.choice((f"{n}%", f"{n}%", n, f"{n}个点", f"{n}%", f"{n} %", f"{n}个百分点", f"{n}%", f"{n}", f"{n}厘", f"{n}%"))
    if random.random() < 0.08:
        said = numbers.chinese_decimal(n)
        shown = random.choice(("百分之" + said, said + "个点", "百分之" + said))
    return Phrase("coupon", pick(random, "coupons", n=shown), {"coupon": n})


def coupon_asked(random: Random) -> Phrase:
    """Ask what the coupon is, or quote it back: nothing is demanded."""
    return Phrase("coupon", pick(random, "coupons_asked", n=random.randint(5, 30)))
