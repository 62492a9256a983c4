"""Many words, one meaning: going up and down, against the year or quarter before; and words that name nothing (本合同, 我们)."""

from __future__ import annotations

import re

RISES = (
    r"增长|增加|上升|提高|上调|上涨|扩大|升高|增厚|攀升|回升|增幅|涨幅|多增"
    r"|\bincreas\w*|\brose\b|\bris(?:es|en|ing)\b|\bgr[eo]w(?:s|n|th|ing)?\b|\bhigher\b|\bgain\w*|\bimprov\w*|\bup by\b"
)
FALLS = (
    r"下降|减少|降低|下调|下跌|缩小|下滑|回落|降幅|跌幅|少增|萎缩"
    r"|\bdecreas\w*|\bfell\b|\bfall(?:s|en|ing)?\b|\bdeclin\w*|\blower\b|\breduc\w*|\bdropp?\w*|\bdown by\b|\bdeteriorat\w*"
)
_YEAR_ON_YEAR = (
    r"(?:同比|[较比]?(?:上|去)年(?:同期|同季)|year[- ](?:on|over)[- ]year|\byoy\b|from the (?:same period of the )?(?:prior|previous) year)"
)
_QUARTER_ON_QUARTER = r"(?:环比|[较比]上(?:个)?季度?末?|quarter[- ](?:on|over)[- ]quarter|\bqoq\b)"
_EITHER = re.compile(rf"(?P<up>{RISES})|(?P<down>{FALLS})")
_ONE = re.compile(
    rf"(?P<up>{RISES})|(?P<down>{FALLS})|(?P<yoy>{_YEAR_ON_YEAR})|(?P<qoq>{_QUARTER_ON_QUARTER})"
    r"|(?P<none>(?:本|该|此)(?:附加)?(?:保险)?(?:产品|合同|公司|行|条款|保险|办法|制度|计划)|我们|我行|我司|您|贵行|贵司|上述|前述|"
    r"前款|实现|达到?(?=[-0-9a-z¥$€人民币壹贰叁肆伍陆柒捌玖])|约定的|规定的)"
)


def directions(text: str) -> set[str]:
    """Return the ways, up or down, that a folded text names."""
    return {match.lastgroup or "" for match in _EITHER.finditer(text)}


def found(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, meaning) of such words in a folded text, "none" for those that name nothing."""
    return [(*match.span(), match.lastgroup or "") for match in _ONE.finditer(text)]
