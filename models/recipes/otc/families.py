"""How phrases become texts: families of templates that training sees. `held_out` has the others, whole.

Each family draws from a `Draft`: phrases that state the terms, in an order of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from otc.phrases import Phrase, grow_together
from otc.words import pick

_SEPARATORS = (" ", " ", ",", ",", ", ", "/", "、", ";", " | ", "\n", "  ", " - ", "。", "+")


@dataclass(frozen=True, slots=True)
class Draft:
    """``underlying``: the words, empty for bonds and where none is named; ``phrases``: of everything else."""

    random: Random
    product: str
    underlying: str
    phrases: tuple[Phrase, ...]

    def of(self, *kinds: str) -> list[str]:
        """Return the words of phrases of these kinds, in the order of the kinds."""
        return [phrase.surface for kind in kinds for phrase in self.phrases if phrase.kind == kind]

    def rest(self, *kinds: str) -> list[str]:
        """Return the words of all other phrases, in their order."""
        return [phrase.surface for phrase in self.phrases if phrase.kind not in kinds]


Family = Callable[[Draft], str]


def glued(random: Random, parts: Sequence[str], separators: Sequence[str] = _SEPARATORS) -> str:
    """Join parts; where nothing stands between two of them they must not grow together."""
    separator = random.choice(separators)
    text = ""
    for part in parts:
        if not part:
            continue
        between = separator if random.random() < 0.85 else random.choice(separators)
        if text and not between and grow_together(text[-1], part[0]):
            between = " "
        said = random.choice(("({})", "[{}]", "【{}】", '"{}"', "<{}>")).format(part) if random.random() < 0.015 else part
        text += (between if text else "") + said
    return text


def terse(draft: Draft) -> str:
    """500 1y atm call 1000w 买: a trader's shorthand, in any order."""
    parts = [draft.underlying, *draft.rest()]
    if draft.random.random() < 0.45:
        draft.random.shuffle(parts)
    text = glued(draft.random, parts)
    return asked(draft.random, text) if draft.random.random() < 0.5 else text


def unspaced(draft: Draft) -> str:
    """中证500一年平值看涨1000万: nothing between."""
    parts = [
        draft.underlying,
        *draft.of(
            "tenor", "product", "strike", "option", "barriers", "step", "lockup", "coupon", "bond", "yield", "face", "notional", "side"
        ),
    ]
    if draft.random.random() < 0.3:
        parts = [parts[-1], *parts[:-1]] if draft.of("side") else parts
    text = glued(draft.random, parts, ("", "", "的"))
    return asked(draft.random, text) if draft.random.random() < 0.4 else text


def asked_first(draft: Draft) -> str:
    """麻烦报个 茅台 3个月 的 平值看涨 …"""
    random = draft.random
    parts = [draft.underlying, *draft.rest("side")]
    if random.random() < 0.35:
        random.shuffle(parts)
    lead = pick(random, "ask_before")
    if draft.of("side"):
        lead = random.choice(
            (lead + random.choice(("", " ", ",")) + draft.of("side")[0], draft.of("side")[0] + random.choice((",", " ")) + lead)
        )
    return lead + random.choice(("", " ", ":", ",", " ")) + glued(random, parts, (" ", ",", "的", "", "、", ", "))


def asked_last(draft: Draft) -> str:
    """茅台 3个月 平值看涨, 1000万, 多少钱"""
    random = draft.random
    parts = [draft.underlying, *draft.rest()]
    random.shuffle(parts)
    return glued(random, parts, (" ", ",", "", ",", "的")) + random.choice((",", " ", "", "。", ", ")) + pick(random, "ask_after")


def labelled(draft: Draft) -> str:
    """标的:茅台 期限:1y 方向:买"""
    random = draft.random
    parts = [pick(random, "labels.underlying") + draft.underlying] if draft.underlying else []
    for phrase in draft.phrases:
        label = pick(random, f"labels.{phrase.kind}")
        is_labelled = phrase.surface.startswith(label.rstrip(":= ")) or (phrase.kind == "barriers" and len(phrase.values) == 1)
        parts.append(phrase.surface if is_labelled else label + phrase.surface)
    if random.random() < 0.5:
        random.shuffle(parts)
    separator = random.choice(("\n", ",", " ", ";", ", ", "|", "。", "  ", "\n", "/", "、", " | "))
    if separator == "\n" and random.random() < 0.4:
        mark = random.choice(("n. ", "n、", "n) ", "n.", "(n)", "- ", "* "))
        parts = [mark.replace("n", str(number)) + part for number, part in enumerate(parts, 1)]
    text = separator.join(parts)
    draw = random.random()
    if draw < 0.35:
        return pick(random, "ask_before") + random.choice(("\n", ":", " ", ",")) + text
    if draw < 0.5:
        return (
            pick(random, "greetings")
            + random.choice(("\n", ",", "!"))
            + text
            + random.choice(("\n", ",", "。"))
            + pick(random, "ask_after")
        )
    return text + (random.choice(("\n", ",", " ")) + pick(random, "ask_after") if draw < 0.65 else "")


def sentence(draft: Draft) -> str:
    """客户想买1000万茅台的3个月平值看涨,怎么报?"""
    random = draft.random
    side = (draft.of("side") or [""])[0]
    amount, tenor = (draft.of("notional", "face") or [""])[0], (draft.of("tenor") or [""])[0]
    kinds = ("strike", "option", "barriers", "product", "bond", "yield")
    core = (
        glued(random, draft.of(*kinds), ("的", "", ","))
        if random.random() < 0.7
        else glued(random, draft.of(*kinds[::-1]), (",", "的", " "))
    )
    tail = draft.of("lockup", "step", "coupon")
    random.shuffle(tail)
    start = pick(random, "sentence_starts")
    verb = side or pick(random, "sentence_verbs")
    forms = (
        f"{start}{verb}{amount}{of_(amount)}{draft.underlying}{of_(draft.underlying)}{tenor}{of_(tenor)}{core}",
        f"{start}{verb}{draft.underlying}{of_(draft.underlying)}{tenor}{of_(tenor)}{core}{comma(amount)}{amount}",
        f"{draft.underlying}{of_(draft.underlying)}{core},{start}{verb}{amount}{comma(tenor)}{tenor}",
        f"{start}{verb}{tenor}{of_(tenor)}{draft.underlying}{core}{comma(amount)}{amount}",
        f"{start}{verb}一个{draft.underlying}{of_(draft.underlying)}{core}{comma(tenor)}{tenor}{comma(amount)}{amount}",
    )
    text = random.choice(forms)
    for each in tail:
        text += random.choice((",", ",", " ", "、")) + each
    return text + random.choice((",", " ", "。", "?", ",")) + pick(random, "ask_after") if random.random() < 0.6 else text


def of_(part: str) -> str:
    return "的" if part and not part.endswith("的") else ""


def comma(part: str) -> str:
    return "," if part else ""


def english(draft: Draft) -> str:
    """pls quote 1y atm call on csi500, notional 10mio"""
    random = draft.random
    lead = pick(random, "english_leads")
    side = draft.of("side")
    is_last = bool(side) and random.random() < 0.35
    first = [*([] if is_last else side), *draft.of("tenor", "strike", "option", "barriers", "product", "bond", "yield")]
    if random.random() < 0.3:
        random.shuffle(first)
    text = f"{lead} {' '.join(first)}"
    if draft.underlying:
        text += pick(random, "english_on") + draft.underlying
    for each in draft.of("notional", "face", "lockup", "step", "coupon"):
        text += pick(random, "english_join") + each
    if is_last:
        text += random.choice((", ", " - ", "; ", ". ", " ", "? ")) + side[0]
    return text + pick(random, "english_ends")


def two_clauses(draft: Draft) -> str:
    """The structure in one clause, amount and direction in the other, either first."""
    random = draft.random
    one = glued(
        random,
        [draft.underlying, *draft.of("tenor", "barriers", "strike", "option", "product", "lockup", "step", "bond")],
        (" ", "的", "", ","),
    )
    other = draft.of("side", "notional", "face", "coupon", "yield")
    random.shuffle(other)
    both = [one, glued(random, other, (" ", ",", "", ","))]
    if random.random() < 0.5:
        both.reverse()
    both = [each for each in both if each]
    marks = (
        "。",
        ";",
        "\n",
        ",",
        "。 ",
        "! ",
        ",另外",
        ",然后",
        "。另外",
        " -- ",
        ",就是",
        "\n\n",
        ". ",
        ",要",
        ",对了,",
        "。具体:",
        ":",
        " / ",
        ",麻烦",
        ";另",
        "~",
    )
    mark = random.choice(marks)
    text = mark.join(both)
    return asked(random, text) if random.random() < 0.6 else text


def dialogue(draft: Draft) -> str:
    """客户: 茅台, 3个月 / 客户: 平值看涨: a fragment of a chat."""
    random = draft.random
    parts = [draft.underlying, *draft.rest()]
    if random.random() < 0.4:
        random.shuffle(parts)
    parts = [each for each in parts if each]
    cut = random.randint(1, max(len(parts) - 1, 1))
    halves = [glued(random, parts[:cut], (" ", ",", "")), glued(random, parts[cut:], (" ", ",", ""))]
    speaker = pick(random, "speakers")
    answer = pick(random, "answers")
    lines = [speaker + halves[0], answer, (speaker + halves[1]) if halves[1] else ""]
    if random.random() < 0.35:
        lines.insert(0, speaker + pick(random, "greetings"))
    if random.random() < 0.4:
        lines.append(speaker + pick(random, "ask_after"))
    return random.choice(("\n", "\n", " ", " / ")).join(each for each in lines if each)


def listed(draft: Draft) -> str:
    """Each term on a line, some with a dash or a number."""
    random = draft.random
    parts = [each for each in (draft.underlying, *draft.rest()) if each]
    if random.random() < 0.5:
        random.shuffle(parts)
    mark = random.choice(("", "- ", "* ", "n) ", "n. ", "> ", "n、", "n: "))
    lines = [mark.replace("n", str(number)) + part for number, part in enumerate(parts, 1)]
    return (pick(random, "ask_before") + ":\n" if random.random() < 0.5 else "") + "\n".join(lines)


def _filled(random: Random, part: str) -> str:
    return (pick(random, "fillers") + random.choice(("", " ", ",")) if random.random() < 0.3 else "") + part


def chatty(draft: Draft) -> str:
    """Terms among much that says nothing: fillers, haste, numbers that mean something else."""
    random = draft.random
    parts = [draft.underlying, *draft.rest()]
    if random.random() < 0.5:
        random.shuffle(parts)
    found = [pick(random, "greetings")] if random.random() < 0.6 else []
    found += [_filled(random, part) for part in parts if part]
    found.insert(random.randint(0, len(found)), pick(random, "distractions"))
    if random.random() < 0.5:
        found.append(pick(random, "ask_after"))
    return glued(random, found, (",", ",", " ", "。", ", "))


def asked(random: Random, text: str) -> str:
    draw = random.random()
    if draw < 0.4:
        return text + random.choice((",", " ", "", "。", ", ")) + pick(random, "ask_after")
    if draw < 0.7:
        return pick(random, "ask_before") + random.choice((" ", ":", ",", "")) + text
    if draw < 0.85:
        return pick(random, "greetings") + random.choice((",", " ", "!")) + pick(random, "ask_before") + random.choice((" ", "")) + text
    return pick(random, "greetings") + random.choice((",", " ", "!")) + text
