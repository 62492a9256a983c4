"""Identifiers made of letters and digits in one word, each with a check: USCC, VIN, LEI, IBAN, HKID; and licence plates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii.checks import iban_length, is_card, is_hkid, is_iban, is_lei, is_uscc, is_vin
from pii.finding import Certainty, Finding, Kind

LONG_WORD = re.compile(r"[0-9A-Za-z+/_-]{15,}+")
_PART = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{15,34}+(?![0-9A-Za-z])")
_USCC = re.compile(r"[1-9ANY][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{8}[0-9X][0-9A-HJ-NPQRTUWXY]")
_VIN = re.compile(r"(?=[0-9]*[A-Z][0-9]*[A-Z])[1-9A-HJ-NPR-Z][0-9A-HJ-NPR-Z]{7}[0-9X][0-9A-HJ-NPR-Z]{4}[0-9]{4}")
_LEI = re.compile(r"(?=[0-9]*[A-Z][0-9]*[A-Z])[0-9A-Z]{18}[0-9]{2}")
# Both begin with their digits, of which ordinary text has few, and look back.
_IBAN = re.compile(
    r"[0-9]{2}(?<=[A-Za-z]{2}[0-9]{2})(?<![0-9A-Za-z][A-Za-z]{2}[0-9]{2})"
    r"(?:[0-9A-Za-z]{11,30}+|(?:[\W_]{1,3}[0-9A-Za-z]{4}){2,7}(?:[\W_]{1,3}[0-9A-Za-z]{1,3})?)(?![0-9A-Za-z])"
)
_ORDER = re.compile(r"[A-Z]{1,4}(?:20)?[2-4][0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]*")
_HKID = re.compile(r"([0-9]{6})(?: ?[(（]([0-9Aa])[)）]|([0-9Aa])(?![0-9A-Za-z]))")
_HKID_LETTERS = re.compile(r"(?<![0-9A-Za-z])([A-Za-z]{1,2})[ -]?\Z")
_GROUP = re.compile(r"[0-9A-Za-z]+")
_HONG_KONG = re.compile(r"hkid|hong ?kong|香港|身份[证證]", re.IGNORECASE)
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][\W_]{0,2}([A-HJ-NP-Za-hj-np-z])[\W_]{0,2}"
    r"([A-HJKa-hjk][0-9A-HJ-NP-Za-hj-np-z][0-9]{4}|[0-9]{5}[A-HJKa-hjk]|[0-9A-HJ-NP-Za-hj-np-z]{4}(?:[0-9A-HJ-NP-Za-hj-np-z]|[挂学警港澳领]))"
    r"(?![0-9A-Za-z])"
)


def words(text: str, long_words: list[tuple[int, int]]) -> Iterator[Finding]:
    """Yield what the words of a view hold; ``long_words`` are its matches of LONG_WORD."""
    for start, end in long_words:
        for part in _PART.finditer(text, start, end):
            kind = _kind(part[0])
            if kind is not None:
                yield Finding(kind, *part.span(), Certainty.CERTAIN)
    for match in _IBAN.finditer(text):
        written = text[match.start() - 2 : match.end()]
        due = iban_length(written[:2].upper())
        if due and (written.isupper() or written[:due].isupper() or written.islower()):
            yield from _iban(match.start() - 2, written, due)
    for match in _HKID.finditer(text):
        yield from _hkid(text, match)
    for match in _PLATE.finditer(text):
        rest = match[2]
        if sum(map(str.isdigit, rest)) >= (3 if match[1].isupper() else 4):
            yield Finding(Kind.PLATE, *match.span(), Certainty.LIKELY)


def _kind(word: str) -> Kind | None:
    size = len(word)
    if size not in (17, 18, 20) or word.isalpha() or not (word.isupper() or word.islower() or word.isdigit()):
        return None
    word = word.upper()
    if size == 18:
        return Kind.USCC if _USCC.fullmatch(word) and is_uscc(word) and not is_card(word) else None
    if word.isdigit() or _ORDER.fullmatch(word):
        return None
    if size == 17:
        return Kind.VIN if _VIN.fullmatch(word) and is_vin(word) else None
    return Kind.LEI if _LEI.fullmatch(word) and is_lei(word) else None


def _iban(start: int, written: str, due: int) -> Iterator[Finding]:
    """The IBAN that a text begins with, if a group ends where it must: words of four letters may follow."""
    end = due
    if not written.isalnum():
        length = 0
        for group in _GROUP.finditer(written):
            length += group.end() - group.start()
            if length >= due:
                end = group.end() if length == due else 0
                break
    text = written[:end]
    if is_iban("".join(_GROUP.findall(text)).upper()):
        yield Finding(Kind.IBAN, start, start + len(text), Certainty.CERTAIN)


def _hkid(text: str, match: re.Match[str]) -> Iterator[Finding]:
    digits, bracketed, bare = match.groups()
    letters = _HKID_LETTERS.search(text, max(0, match.start() - 4), match.start())
    if letters is None or not is_hkid(letters[1].upper(), digits, bracketed or bare):
        return
    if bracketed:
        yield Finding(Kind.HKID, letters.start(), match.end(), Certainty.CERTAIN)
    elif _HONG_KONG.search(text, max(0, letters.start() - 24), letters.start()):
        yield Finding(Kind.HKID, letters.start(), match.end(), Certainty.LIKELY)
