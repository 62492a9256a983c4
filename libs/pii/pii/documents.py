"""Passports and permits: their numbers have no check digit and look like anything, so a word must stand beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii.finding import Certainty, Finding, Kind

_MARKS = ("证", "證", "护照", "護照", "passport", "permit")
_NUMBER = re.compile(r"[0-9A-Za-z]{7,}+")
_PASSPORT = re.compile(
    r"[EeGgDdSsPpHhKkMm][A-Za-z]?[0-9]{7,8}|[A-Za-z]{1,2}[0-9]{6,8}|[0-9]{9}|[0-9]{2}[A-Za-z]{2}[0-9]{5}|[CFGHJKLMNPRTVWXYZcfghjklmnprtvwxyz0-9]{9}"
)
_PERMIT = re.compile(r"[CWHMTLKcwhmtlk][A-Za-z]?[0-9]{7,10}|[0-9]{8}(?:[0-9]{2}[A-Za-z]?)?|[A-Za-z]{3}[0-9]{9}")
_DAY = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_NEAR_PASSPORT = re.compile(r"护照|護照|passport", re.IGNORECASE)
_NEAR_PERMIT = re.compile(r"通行[证證]|[台臺]胞[证證]|回[乡鄉][证證]|居[留住]|permit", re.IGNORECASE)
_NEAR = re.compile("护照|護照|通行[证證]|[台臺]胞[证證]|回[乡鄉][证證]|居留|居住|passport|permit")
_LONGEST = 12
_BEFORE, _AFTER = 32, 12  # characters between number and word


def documents(text: str, lower: str) -> Iterator[Finding]:
    """Yield numbers of passports and permits. ``lower`` is the text in lower case."""
    if not any(mark in lower for mark in _MARKS):
        return
    done = 0
    for word in _NEAR.finditer(lower):
        start, end = max(done, word.start() - _AFTER - _LONGEST), word.end() + _BEFORE + _LONGEST
        for match in _NUMBER.finditer(text, start, end):
            if match.end() < end or end >= len(text):  # else cut
                done = match.end()
                finding = _document(text, match)
                if finding is not None:
                    yield finding


def _document(text: str, match: re.Match[str]) -> Finding | None:
    number, (start, end) = match[0], match.span()
    if end - start > _LONGEST or sum(map(str.isdigit, number)) < 5 or _DAY.fullmatch(number):
        return None
    before = text[max(0, start - _BEFORE) : start]
    near = before, text[end : end + _AFTER]
    if before[-1:].isascii() and before[-1:].isalnum():  # the rest of a longer word
        return None
    if _PASSPORT.fullmatch(number) and any(map(_NEAR_PASSPORT.search, near)):
        return Finding(Kind.PASSPORT, start, end, Certainty.LIKELY)
    if _PERMIT.fullmatch(number) and any(map(_NEAR_PERMIT.search, near)):
        return Finding(Kind.PERMIT, start, end, Certainty.LIKELY)
    return None
