"""E-mail addresses and secrets. Every pattern begins where a word does and never goes back: hostile text costs what other text does."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator

from pii.finding import Certainty, Finding, Kind

_AT_DOMAIN = re.compile(
    r"@(?:[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z_\u4e00-\u9fff-]*+[.。])+"
    r"(?:[A-Za-z]{2,24}+(?![0-9A-Za-z_-])|中国|中國|公司|网络|網絡|香港|台灣|台湾)"
)
_LOCAL = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.!#$%&'*+/=?^_`{|}~-"
_NOT_FIRST = ".=&'`/?{|"
_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{2,40}-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{2,40}-----")
_PEM_BODY = re.compile(r"(?:(?:\s|\\[rn])*+[0-9A-Za-z+/=]{16,}+)*+")
_MAX_PEM = 20_000
_USER_AND_PASSWORD = re.compile(r"://[^\s/?#:@'\"<>]{0,128}:([^\s/?#]{1,256})@")
_JWT = re.compile(r"(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{8,}+(?:\.[0-9A-Za-z_-]*+){0,4}")
_BEARER = re.compile(r"bearer[ :]{1,4}+(?P<bearer>[0-9a-z._~+/=-]{8,}+)|basic[ :]{1,4}+(?P<basic>[0-9a-z+/]{8,}+={0,2})")
_KEY = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36,}+|github_pat_[0-9A-Za-z_]{22,}+|glpat-[0-9A-Za-z_-]{20,}+|"
    r"xox[abprs]-[0-9A-Za-z-]{10,}+|sk[-_](?:live_|test_|proj-|ant-)?[0-9A-Za-z_-]{20,}+|AIza[0-9A-Za-z_-]{35}|LTAI[0-9A-Za-z]{12,24}+|"
    r"AKID[0-9A-Za-z]{13,40}+|npm_[0-9A-Za-z]{36}|hf_[0-9A-Za-z]{30,}+)(?![0-9A-Za-z])"
)
_LABELS = ("passw", "pwd", "secret", "token", "api", "access", "credential", "密码", "密碼", "口令", "密钥", "密鑰")
_LABELLED = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|secret(?:[_-]?key)?|api[_-]?key|access[_-]?key(?:[_-]?(?:id|secret))?|access[_-]?token|auth[_-]?token|"
    r"client[_-]?secret|credentials?|private[_-]?key|(?P<weak>token)|密[码碼]|口令|密[钥鑰])"
    r"[\"'”’]?\s{0,2}(?:(?P<sets>=)|[:：]|是|为)\s{0,2}[\"'“‘]?(?P<value>[!#-&(-+\--:<-Z\\^-~]{6,}+)"
)
_UUID_OR_HASH = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,128}")


def emails(text: str) -> Iterator[Finding]:
    """Yield e-mail addresses."""
    after = 0
    for match in _AT_DOMAIN.finditer(text):
        at = match.start()
        before = text[max(after, at - 64) : at]
        local = before[len(before.rstrip(_LOCAL)) :].lstrip(_NOT_FIRST)
        if local and not local.endswith("."):
            after = match.end()
            yield Finding(Kind.EMAIL, at - len(local), after, Certainty.CERTAIN)


def keys(text: str, long_words: list[tuple[int, int]]) -> Iterator[Finding]:
    """Yield keys of clouds and code hosts, which begin with a mark of their own."""
    for start, end in long_words:
        for match in _KEY.finditer(text, start, end):
            yield Finding(Kind.SECRET, *match.span(), Certainty.CERTAIN)


def secrets(text: str, lower: str) -> Iterator[Finding]:
    """Yield PEM blocks, passwords in URLs, tokens and labelled values. ``lower`` is the text in lower case, character for character."""
    if "-----BEGIN" in text:
        yield from _pem(text)
    if "://" in text and "@" in text:
        for match in _USER_AND_PASSWORD.finditer(text):
            yield Finding(Kind.SECRET, *match.span(1), Certainty.CERTAIN)
    if "eyJ" in text:
        for match in _JWT.finditer(text):
            yield Finding(Kind.SECRET, *match.span(), Certainty.CERTAIN)
    if "bearer" in lower or "basic" in lower:
        for match in _BEARER.finditer(lower):
            if _is_token(text[slice(*match.span(match.lastgroup or 0))], basic=match.lastgroup == "basic"):
                yield Finding(Kind.SECRET, *match.span(), Certainty.LIKELY)
    if any(label in lower for label in _LABELS):
        for match in _LABELLED.finditer(lower):
            if _is_secret(match):
                yield Finding(Kind.SECRET, *match.span("value"), Certainty.LIKELY)


def _pem(text: str) -> Iterator[Finding]:
    at, closing = 0, _PEM_END.search(text)
    while (begin := _PEM_BEGIN.search(text, at)) is not None:
        while closing is not None and closing.start() < begin.end():
            closing = _PEM_END.search(text, closing.end())
        body = _PEM_BODY.match(text, begin.end())
        at = begin.end() if body is None else body.end()
        if closing is not None and closing.end() - begin.start() < _MAX_PEM:
            at = closing.end()
        yield Finding(Kind.SECRET, begin.start(), at, Certainty.CERTAIN)


def _is_token(value: str, *, basic: bool) -> bool:
    """Whether it is one, not the next word of a sentence (bearer certificates, basic understanding)."""
    if basic:
        try:
            return b":" in b64decode(value + "=" * (-len(value) % 4))
        except ValueError:
            return False
    value = value.rstrip(".-=")
    return len(value) > 24 or any(map(str.isdigit, value)) or any(mark in value for mark in "._~+=")


def _is_secret(match: re.Match[str]) -> bool:
    """Whether a labelled value is one, not the next word of a sentence."""
    value = match["value"].rstrip(".,;:!?)]}")
    if len(value) < 6 or set(value) <= set("*.xX-_<>"):
        return False
    if match["weak"]:
        return len(value) >= 12 and any(map(str.isdigit, value)) and not _UUID_OR_HASH.fullmatch(value)
    return bool(match["sets"]) or not value.isalpha()
