"""How documents, products and defined terms are called: variants of a name, and the names that a text defines.

"3M_2018_10K" is 3m of 2018; 《安联安享（2021）终身寿险条款》 is 安联安享终身寿险 of 2021. A variant is squeezed: folded, letters and digits
alone, so that spaces, underscores, brackets and width don't matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rag.domain.periods import without_years
from rag.domain.terms import STOP_WORDS, fold

VERSION = "names/1"
"""Part of what shapes a version: another one means another look at every document."""

_EXTENSION = re.compile(r"\.(?:pdf|docx?|xlsx?|html?|md|txt|jsonl?)$")
_FORM = re.compile(
    r"(?<![a-z0-9])(?:10\s?-?\s?[kq]a?|8\s?-?\s?k|20\s?-?\s?f|q[1-4]|annual report|quarterly report|earnings|form|proxy statement"
    r"|v\d+(?:\.\d+)*)(?![a-z0-9])"
)
_COMPANY = re.compile(
    r"(?<![a-z0-9])(?:the|incorporated|inc|corporation|corp|company|co|limited|ltd|llc|plc|holdings?|group|n\.?v|s\.?a|ag)(?![a-z0-9])\.?"
)
_HAN_SUFFIX = re.compile(
    r"(?:产品条款|保险条款|利益条款|条款|说明书|(?:年度|半年度|季度)?报告|年报|股份有限公司|有限责任公司|有限公司|公司|\((?:试行|修订|版|\d+版?)\)|版)+$"
)
_DEFINED = re.compile(
    r"以下(?:统称|简称)[为:：]?\s*[“\"「『《]?([^”\"」』》）),，。；;]{2,40})"
    r"|\((?:hereinafter|herein|together|collectively)?[^()“”\"]{0,40}[“\"]([^”\"()]{2,60})[”\"][^()]{0,40}\)"
    r"|hereinafter(?: referred to as| called)?,? (?:the )?[“\"]([^”\"]{2,60})[”\"]",
    re.IGNORECASE,
)
_APART = re.compile(r"[^\w]+|_+")
_WORD = re.compile(r"[a-z0-9]+")
HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_GENERIC = frozenset(
    {
        "company",
        "thecompany",
        "group",
        "thegroup",
        "bank",
        "thebank",
        "our",
        "corpus",
        "document",
        "本公司",
        "公司",
        "本合同",
        "本行",
        "我们",
        "您",
    }
)


def squeezed(text: str) -> str:
    """Return the letters and digits of a text, folded."""
    return _APART.sub("", fold(text))


@lru_cache(maxsize=65_536)
def variants(name: str) -> frozenset[str]:
    """Return the squeezed ways of calling it: whole, without years and suffixes, and for three Latin words and more its initials."""
    folded = _EXTENSION.sub("", fold(name).strip())
    spaced = re.sub(r"_+", " ", folded)
    core = _COMPANY.sub(" ", _FORM.sub(" ", without_years(spaced)))
    core = _HAN_SUFFIX.sub("", re.sub(r"\(\s*版?\s*\)", "", core).strip(" -–—:：,，.《》「」"))
    found = {squeezed(folded), squeezed(core), squeezed(_COMPANY.sub(" ", spaced))}
    words = [word for word in _WORD.findall(core) if word not in STOP_WORDS]
    if len(words) >= 3 and not HAN.search(core):
        found.add("".join(word[0] for word in words))
    return frozenset(each for each in found if _telling(each))


def defined(text: str) -> Iterator[str]:
    """Yield the terms that a text defines for what stands before them: 以下简称, hereinafter, ("the Notes")."""
    for match in _DEFINED.finditer(text):
        term = next(group for group in match.groups() if group).strip()
        if _telling(squeezed(re.sub(r"(?i)^the ", "", term))):
            yield term


def _telling(key: str) -> bool:
    if key in _GENERIC or key in STOP_WORDS or key.isdigit():
        return False
    return len(key) >= (3 if key.isalpha() else 2)
