"""Which encoding bytes without a declaration are in: a byte order mark, UTF-8, else GB18030 or Big5, whichever reads more like Chinese."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMMON = frozenset(
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"
    "十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形"
    "相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五"
    "保险金额款期合同被人受益责任费率赔付条例规定银账户资本风投基券信贷贷利息元万亿"
    "這個為來時們會對發動說產種過進著經學後與關線數體點從業還條變結問無現實當應開沒內氣質題險額費賠償貸帳資區處長"
    "，。、；：（）《》“”％"
)
SAMPLE_BYTES = 1 << 16
DECODABLE = frozenset(
    ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "big5hkscs", "cp1252", "shift_jis", "euc_jp", "euc_kr")
)
"""What declarations may name; all are loaded before a parser is confined."""
_NAMES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "big5": "big5hkscs",
    "latin-1": "cp1252",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
}
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def decode(content: bytes, declared: str = "") -> tuple[str, str]:
    """Text and the encoding that was taken. ``declared`` (by a page) yields to a mark and to bytes that are valid UTF-8 beyond ASCII.

    Never fails; what can't be decoded becomes U+FFFD.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return _decoded(content, name)
    if content.isascii():
        return content.decode("ascii"), "utf-8"
    if _valid(content, "utf-8"):
        return _decoded(content, "utf-8")
    if (name := known(declared)) and name != "utf-8":
        return _decoded(content, name)
    return _decoded(content, _guess(content[:SAMPLE_BYTES]))


def known(declared: str) -> str:
    """The codec for a declared name, "" if there is none that we take."""
    try:
        name = codecs.lookup(declared.strip().lower()).name if declared.isascii() and declared.strip() else ""
    except (LookupError, ValueError):
        return ""
    name = _NAMES.get(name, name)
    return name if name in DECODABLE else ""


def _decoded(content: bytes, name: str) -> tuple[str, str]:
    return content.decode(name, "replace").removeprefix("\ufeff"), name


def _valid(content: bytes, name: str) -> bool:
    """Whether it decodes, but for a character cut off at the end."""
    try:
        codecs.getincrementaldecoder(name)().decode(content)
    except UnicodeDecodeError:
        return False
    return True


def _guess(sample: bytes) -> str:
    if 0 in sample:
        wide = max(("utf-16-le", "utf-16-be"), key=lambda name: _plain(sample, name))
        return wide if _plain(sample, wide) > 0.2 else "cp1252"
    likely = max(("gb18030", "big5hkscs"), key=lambda name: _likeness(sample, name))
    return likely if _likeness(sample, likely) > 0.05 else "cp1252"


def _plain(sample: bytes, name: str) -> float:
    """Share of ASCII and common Chinese characters."""
    text = sample[: len(sample) // 2 * 2].decode(name, "replace")
    return sum(each in _COMMON or "\t" <= each <= "~" for each in text) / max(len(text), 1)


def _likeness(sample: bytes, name: str) -> float:
    """Share of common characters among those beyond ASCII, less twice the share of those that couldn't be decoded."""
    beyond = [each for each in sample.decode(name, "replace") if each > "\x7f"]
    return (sum(each in _COMMON for each in beyond) - 2 * beyond.count("\ufffd")) / max(len(beyond), 1)


def is_text(text: str) -> bool:
    """Whether decoded bytes can have been text: next to no control characters and no undecodable ones."""
    sample = text[:SAMPLE_BYTES]
    return 50 * (len(_CONTROLS.findall(sample)) + sample.count("\ufffd")) <= len(sample) + 100
