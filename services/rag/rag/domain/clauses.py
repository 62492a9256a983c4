"""Numbers of clauses, as Chinese and English documents print them at the beginning of a paragraph."""

from __future__ import annotations

import re

_NUMERAL = "0-9０-９一二三四五六七八九十百千零〇两"
_ARTICLE = re.compile(
    rf"\s*((?:第\s*[{_NUMERAL}]{{1,9}}\s*[条款])|(?:[0-9０-９]{{1,3}}(?:[.．][0-9０-９]{{1,3}}){{1,4}})(?![0-9０-９%％])"
    r"|(?:(?:Article|Section|Clause)\s+[0-9IVXLC]{1,6}(?:\.[0-9]{1,3}){0,4})\b)",
    re.IGNORECASE,
)
_ITEM = re.compile(
    rf"\s*((?:[{_NUMERAL}]{{1,4}}[、．])|(?:[（(][{_NUMERAL}a-zA-Z]{{1,4}}[）)])|(?:[0-9]{{1,3}}[.)](?=\s|[一-鿿]))|(?:[①-⑳]))"
)


def number(text: str) -> str:
    """Return the number of the clause that a paragraph begins, spaces removed: 第十二条, 5.3, Section 4.2; empty when it begins none."""
    found = _ARTICLE.match(text)
    return "".join(found.group(1).split()) if found else ""


def item(text: str) -> str:
    """Return the number of the item inside a clause that a paragraph begins: （一）, 1., ①; empty when it begins none."""
    found = _ITEM.match(text)
    return "".join(found.group(1).split()) if found else ""
