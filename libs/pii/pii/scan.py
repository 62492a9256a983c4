"""One look at a text: its view, what the view holds, and what the views of encoded parts hold.

What is looked for only where a mark of it stands is guarded by a search for that mark, which costs a hundredth of a pattern.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from pii.credentials import emails, keys, secrets
from pii.documents import documents
from pii.encoded import MARK, MAX_LAYERS, base64_texts, unescaped
from pii.finding import Finding, resolved
from pii.numbers import numbers
from pii.stretch import UUID, stretches
from pii.view import View, folded
from pii.words import LONG_WORD, words

MIN_CHARACTERS = 6
MAX_DECODED = 3  # characters of decoded views in all, to one of the text
_UUID_CHARACTERS = 36
_APART = "\0" * 8  # between decoded texts that are read together: nothing stands across it
_GONE = "\0"
_DENSE = 1_024  # characters of a part with escapes everywhere
_NEAR_CUT = 32  # what stands this near to where a decoded part was cut out, and holds no escape, may be half of something else
_BEYOND = 512  # what begins before a limit is known by what follows


def find(text: str) -> list[Finding]:
    """Return what a text holds, in order, none over another."""
    if len(text) < MIN_CHARACTERS or (len(text) == _UUID_CHARACTERS and UUID.fullmatch(text)):  # a log line's most frequent facts
        return []
    return resolved(_Scan(MAX_DECODED * len(text)).found(text, MAX_LAYERS))


def mask(text: str, limit: int | None = None) -> str:
    """Return the text with every finding replaced by its kind in brackets; with ``limit`` only that many characters of the text count.

    A finding that the limit would cut stands whole.
    """
    parts: list[str] = []
    at, end = 0, len(text) if limit is None else min(limit, len(text))
    for finding in find(text if limit is None else text[: limit + _BEYOND]):
        if finding.start >= end:
            break
        parts += (text[at : finding.start], f"[{finding.kind}]")
        at = finding.end
    return text[:end] if not parts else "".join([*parts, text[at:end]])


class _Scan:
    """One text and the views of it. ``budget``: characters that may still be decoded; views of views could else double layer by layer."""

    __slots__ = ("_budget",)

    def __init__(self, budget: int) -> None:
        self._budget = budget

    def found(self, text: str, layers: int, *, escaped: bool = True) -> list[Finding]:
        """Return what stands in a text, over one another still; ``layers`` of base64 are opened, escapes if it may be ``escaped``."""
        view = folded(text)
        if view is None:
            return self._in_view(text, layers, escaped)
        return [Finding(kind, *view.source(start, end), sure) for kind, start, end, sure in self._in_view(view.text, layers, escaped)]

    def _in_view(self, text: str, layers: int, escaped: bool) -> list[Finding]:
        found: list[Finding] = []
        plain = text
        for first, last, view in unescaped(text) if escaped else ():
            if self._afford(view.text):
                found += self._in_decoded(text, first, last, view, layers)
                if last - first > _DENSE:  # read once: what stands there plainly stands in the decoded view too
                    plain = f"{plain[: first + _NEAR_CUT]}{_GONE * (last - first - 2 * _NEAR_CUT)}{plain[last - _NEAR_CUT :]}"
        long_words = [match.span() for match in LONG_WORD.finditer(plain)]
        found += _plain(plain, long_words)
        if long_words and layers:
            found += self._in_base64(list(base64_texts(plain, long_words)), layers)
        return found

    def _in_decoded(self, text: str, first: int, last: int, view: View, layers: int) -> list[Finding]:
        """What stands in the decoded view of a part, at its place in the text."""
        low, high = first + (_NEAR_CUT if first else 0), last - (_NEAR_CUT if last < len(text) else 0)
        found = []
        for kind, at, after, sure in self.found(view.text, layers, escaped=False):
            start, end = (first + place for place in view.source(at, after))
            if (low <= start and end <= high) or MARK.search(text, start, end):
                found.append(Finding(kind, start, end, sure))
        return found

    def _in_base64(self, texts: list[tuple[int, int, str]], layers: int) -> list[Finding]:
        """What stands in decoded texts, all read at once: the whole word is the finding."""
        together = _APART.join([decoded for _, _, decoded in texts])
        if len(together) < MIN_CHARACTERS or not self._afford(together):
            return []
        ends = list(accumulate([len(decoded) + len(_APART) for _, _, decoded in texts]))
        found = []
        for kind, at, _, sure in resolved(self.found(together, layers - 1)):
            start, end, _ = texts[bisect_right(ends, at)]
            found.append(Finding(kind, start, end, sure))
        return found

    def _afford(self, text: str) -> bool:
        self._budget -= len(text)
        return self._budget >= 0


def _plain(text: str, long_words: list[tuple[int, int]]) -> list[Finding]:
    """What stands in a view as it is."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text
    found = [finding for stretch in stretches(text) for finding in numbers(stretch)]
    found += words(text, long_words)
    found += keys(text, long_words)
    found += secrets(text, lower)
    found += documents(text, lower)
    if "@" in text:
        found += emails(text)
    return found
