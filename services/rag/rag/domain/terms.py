"""Text to the terms of the lexical index: what a passage is indexed by, and what a question asks for. Both must agree: both are here.

Chinese, Japanese and Korean become character bigrams (better than dictionary words on every Chinese set tried), English a light stem;
numbers stay whole without separators. Terms hold no white space. Surprising: `第十三条` and `clause 13` both give a clause term,
Chinese numerals before a unit (`三十日`) the number as well, and FY2019 is 2019. A change here changes every index: raise `VERSION`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from rag.domain.han import TO_SIMPLIFIED

VERSION = 1
"""Part of the configuration digest: an index made with another one is made anew."""

_HAN = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff"
_TOKEN = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    r"|(?P<year>fy'?\s?(?:\d{4}|\d{2})(?!\d))"
    r"|(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)*(?:\s?%)?)(?![a-z0-9])"
    r"|(?P<dotted>[a-z](?:\.[a-z])+(?![a-z]))"
    r"|(?P<word>[^\W_]+(?:'s(?![a-z]))?)"
)
_CLAUSE = re.compile(r"第\s?([0-9零〇一二两三四五六七八九十百]{1,7})\s?[条款章节]|(?:section|article|clause|item|note)\s(\d+(?:\.\d+)*)")
_MEASURE = re.compile(
    r"百分之([零一二两三四五六七八九十百]{1,7})|([零〇一二两三四五六七八九十百千]{1,7})([日天年月周岁期]|[个元次种倍份人亿万页]?)"
)
_DIGIT = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_TENS = {"十": 10, "百": 100, "千": 1000}

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been being but by can could did do does done for from had has have how i if in into is it its many "
        "may me might much my of on or our shall should so such than that the their them then there these they this those to was "
        "we were what when where which who whom whose why will with would you your ",
    )
)
"""Left out of English questions; passages keep them."""

_ASKING = re.compile(
    "请问|请教|我想知道|想了解|想知道|是什么|什么时候|为什么|什么样|什么|怎么办|怎么样|怎么|怎样|如何|是否|是不是|能不能|可不可以|会不会|有没有|能否|可否|"
    "哪些|哪种|哪个|哪里|哪|多少|多久|几个|吗|呢|吧|如果|我们|我|您|的|了"
)


def fold(text: str) -> str:
    """NFKC, case folded, Latin letters without accents, traditional characters as simplified ones."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if folded.isascii():
        return folded
    folded = folded.translate(TO_SIMPLIFIED).replace("’", "'")
    return "".join(_bare(c) if "\u00c0" <= c <= "\u024f" else c for c in folded)


def terms(text: str) -> list[str]:
    """Return a passage's terms, in order, repeated as often as they stand there."""
    return list(_terms(fold(text)))


def query_terms(text: str) -> dict[str, float]:
    """Return a question's terms with weights: question words left out in both languages, unless nothing else is there."""
    folded = fold(text)
    kept = [term for term in _terms(_ASKING.sub(" ", folded)) if term not in STOP_WORDS]
    return {term: float(count) for term, count in Counter(kept or _terms(folded)).items()}


def _terms(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup, match.group()
        if kind == "han":
            yield from _bigrams(token)
        elif kind == "number":
            yield from _number(token)
        elif kind == "year":
            yield "20" * (sum(map(str.isdigit, token)) == 2) + re.sub(r"\D", "", token)
        elif kind == "dotted":
            yield token.replace(".", "")
        else:
            yield stem(token.removesuffix("'s"))
    for match in _CLAUSE.finditer(text):
        yield "§" + (str(numeral(match[1])) if match[1] else match[2])


def _bigrams(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
        return
    for i in range(len(run) - 1):
        yield run[i : i + 2]
    for percent, number, unit in _MEASURE.findall(run):
        if percent:
            yield from _number(f"{numeral(percent)}%")
        elif unit and (len(number) > 1 or unit in "日天年月周岁期"):
            yield str(numeral(number))


def _number(token: str) -> Iterator[str]:
    plain = token.rstrip("% ").replace(",", "")
    yield plain
    if token.endswith("%"):
        yield plain + "%"


def numeral(text: str) -> int:
    """Return the value of a whole number written in digits or in Chinese numerals below 10,000; digits in a row are read one by one."""
    if text.isascii():
        return int(text)
    if not any(c in _TENS for c in text):
        return int("".join(str(_DIGIT.get(c, 0)) for c in text) or "0")
    total, last = 0, 0
    for c in text:
        if c in _TENS:
            total += (last or 1) * _TENS[c]
            last = 0
        else:
            last = _DIGIT.get(c, 0)
    return total + last


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return an English word without its inflection: plural, -ed, -ing, -ly. Words with digits or of other letters stay as they are."""
    if len(word) < 4 or not (word.isascii() and word.isalpha()):
        return word
    word = _singular(word)
    for suffix in ("ing", "ed"):
        base = word.removesuffix(suffix)
        if base != word and len(base) >= 3 and any(c in "aeiouy" for c in base):
            word = base[:-1] if base[-1] == base[-2] and base[-1] not in "lsz" else base
            break
    word = word.removesuffix("ly") if len(word) > 5 else word
    word = word[:-1] if word.endswith("e") and len(word) > 4 else word
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 and word[-2] not in "aeiou" else word


def _singular(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=1_024)
def _bare(letter: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", letter) if not unicodedata.combining(c)) or letter
