"""What a clause affirms and what it denies: negations with what they deny, duty and leave, directions and other opposites.

A negation denies what follows it, up to the end of its clause or some characters on. ``differs`` compares two clauses that speak of the
same: it
finds what one denies and the other affirms, a duty against a leave (应当, 可以), an opposite (增长, 下降; covered, excluded).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from claims import terms
from claims.wordings import FALLS, RISES

# Words in which the character of negation denies nothing.
_NO_NEGATION = (
    "不动产|不可抗力|不仅|不但|不同|不久|不断|不管|不论|无论|不良|不特定|无形资产|无形|非常|除非|未来|未成年|无民事行为能力|"
    "限制民事行为能力|"
    "未分配利润|非流动|非经常|非金融|非利息|非银行|非公开|无人机|不锈钢|是否|能否|可否|否则|与否|不孕|不育|未必要|无线|无限|不等|不均|"
    "不定期|"
    "未到期|非因|差不多|不当得利|不利|不当|不足额|不安抗辩|不明|无因|免责|非标|未决|不时|毫不|未婚|无息|未偿还?款项|未满期|未还款项|"
    "not only|whether or not|no\\. ?[0-9]|not yet due|cannot but"
)
_BOUNDS = (
    "不(?:得)?(?:超过|高于|多于|大于|超出|低于|少于|小于|足|满|到)|未满|未达到?|未超过|"
    "no(?:t)? (?:more|less|fewer|higher|lower|greater|later|earlier) than|not (?:to )?exceed"
)
_NOT_HAN = (
    "并不|从不|绝不|概不|均不|不再|不予|不得|不能|不会|不可|不应|不须|不需|不必|不用|无需|无须|毋须|没有|未曾|尚未|并未|未能|未经|"
    "未予|未|无法|无权|无|非|不|没|勿|莫|毋|禁止|严禁|拒绝|免除|免予|免于|拒不"
)
_NOT_LATIN = (
    r"(?:\bnot\b|n't\b|\bno longer\b|\bno\b|\bnever\b|\bneither\b|\bnor\b|\bwithout\b|\bcannot\b|\bnone\b|\bnon-|\bneed not\b|"
    r"\bunable to\b|\bfail(?:s|ed|ure)? to\b|"
    r"\brefus\w+ to\b|\bprohibit\w*\b|\bforbid\w*\b|\bforbidden\b|\bfree from\b)"
)
_EXCEPT = (
    r"除外|除(?=[^,。;]{1,40}(?:以?外|之外))|除非|\bexcept(?:ing)?\b(?: for)?|\bunless\b|\bother than\b|\bwith the exception of\b|"
    r"\bexcluding\b"
)
_CUE = re.compile(rf"(?P<none>{_NO_NEGATION})|(?P<bound>{_BOUNDS})|(?P<out>{_EXCEPT})|(?P<deny>{_NOT_LATIN}|{_NOT_HAN})")
_NUMBER_FOLLOWS = re.compile(r"[^,。;]{0,12}[0-9零一二三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾]")
_STOPS = re.compile(r"[,。;:!?\n]|\s(?:but|and|or)\s|但")
_LIGHT = re.compile(
    r"(?:\s|予以|予|能够?|会|再|是|得以?|可以?|应当?|必须?|须|要|有任何|任何|有|存在|按|及时|对|向|被|将|"
    r"(?:be|been|being|have|has|had|a|an|the|any|to|of|in|such|longer|yet|been|required|liable|entitled|obliged)\b)*"
)
_NEARLY, _LEFT_OVER = 0.8, 4  # share of common words; words that a cue which is gone leaves behind
_REACH_HAN, _REACH_LATIN = 12, 56  # characters that a negation reaches
_DUTIES = {
    "must": r"应当|应(?=[\u4e00-\u9fff])(?!收|付|计|急|对|用|交)|必须|须(?!知)|需要"
    r"|\bmust\b|\bshall\b|\b(?:is|are) (?:required|obliged) to\b|\bhas to\b|\bhave to\b",
    "may": r"(?<!不)可以|有权|(?<![认许不宁])可(?![能靠抗撤用比接持观行])|\bmay\b|\b(?:is|are) (?:entitled|permitted|allowed) to\b",
}
_OPPOSITES: dict[str, tuple[str, str]] = {
    "rise": (RISES, FALLS),
    "profit": (r"盈利|净利润|利润总额|\bprofit\w*|\bnet income\b|\bgains?\b", r"亏损|净亏|\bloss(?:es)?\b"),
    "cover": (
        r"属于(?:保险|保障)|承保|予以赔|给付|\bcover(?:s|ed|age)?\b|\bincluded?s?\b|\beligible\b",
        r"拒保|拒赔|免赔(?!额)|\bexclud\w*|\bineligible\b|\buncovered\b",
    ),
    "include": (r"包括|包含|含有|(?<!不)含(?=[税息])", r"排除|剔除|扣除|不包括|不含(?=[税息])"),
    "above": (
        r"(?<!不)(?:高于|超过|大于|优于|多于)|以上|\babove\b|\bmore than\b|\bexceed\w*|\bgreater than\b",
        r"(?<!不)(?:低于|小于|劣于|少于)|以下|\bbelow\b|\bless than\b|\bfewer than\b",
    ),
    "before": (r"之前|以前|前(?=[,。;]|$|的|内)|\bbefore\b|\bprior to\b", r"之后|以后|后(?=[,。;]|$|的|内)|\bafter\b|\bfollowing\b"),
    "approve": (
        r"批准|同意|通过(?!.{0,6}(?:方式|途径))|接受|\bapprov\w*|\baccept\w*|\bagree\w*",
        r"拒绝|驳回|否决|不同意|\breject\w*|\bdeclin\w*|\brefus\w*|\bden(?:y|ied|ies)\b",
    ),
    "allow": (r"允许|准许|\ballow\w*|\bpermit\w*", r"禁止|严禁|\bprohibit\w*|\bforbid\w*"),
    "valid": (r"(?<!无)有效(?!身份|证件|期)|生效|\bvalid\b|\bin force\b", r"无效|失效|\binvalid\b|\bvoid\b|\blaps\w*"),
    "own": (r"故意", r"过失(?!.{0,2}故意)|非故意"),
    "able": (r"\bable\b", r"\bunable\b"),
    "side": (
        r"买入|购入|借入|流入|贷记|\bbuy\w*|\bbought\b|\binflow\w*|\bcredit(?:ed|s)?\b",
        r"卖出|出售|借出|流出|借记|\bsell\w*|\bsold\b|\boutflow\w*|\bdebit\w*",
    ),
    "least": (
        r"最低|至少|不低于|不少于|\bat least\b|\bminimum\b|\bno less than\b|\bnot less than\b",
        r"最高|至多|不超过|不高于|\bat most\b|\bmaximum\b|\bno more than\b|\bnot more than\b|\bup to\b",
    ),
    "fixed": (r"固定", r"浮动|变动"),
}
_DUTY = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _DUTIES.items()))
_OPPOSITE = re.compile("|".join(f"(?P<{name}_1>{one})|(?P<{name}_0>{two})" for name, (one, two) in _OPPOSITES.items()))


@dataclass(frozen=True, slots=True)
class Denial:
    """One negation: where it stands, what it denies first (``head``), all that it reaches."""

    start: int
    end: int
    head: str
    scope: frozenset[str]


@dataclass(frozen=True, slots=True)
class Polarity:
    """What a stretch of text denies and affirms; ``cues`` counts denials, exceptions and bounds
    without a number; ``bounds`` is where denials and these bounds stand."""

    denials: tuple[Denial, ...]
    exceptions: int
    affirmed: frozenset[str]
    duties: frozenset[str]
    poles: dict[str, frozenset[int]] = field(hash=False, compare=False)
    cues: int = 0
    bounds: tuple[tuple[int, int], ...] = ()

    @property
    def is_denied(self) -> bool:
        """Whether anything is denied here."""
        return bool(self.denials)


@lru_cache(maxsize=8_192)
def of(text: str) -> Polarity:
    """Return the polarity of a folded clause or sentence."""
    denials: list[Denial] = []
    exceptions, spans, reached = 0, [], []
    for match in _CUE.finditer(text):
        if match["out"]:
            exceptions += 1
        elif match["bound"]:
            if _NUMBER_FOLLOWS.match(text, match.end()) is None:
                spans.append(match.span())
        elif match["deny"]:
            denial = _denial(text, match.start(), match.end())
            denials.append(denial)
            spans.append(match.span())
            reached.append((match.start(), _reach(text, match.end())))
    affirmed = terms.of(text, reached)
    return Polarity(
        tuple(denials),
        exceptions,
        affirmed=affirmed,
        duties=_duties(text),
        poles=_poles(text),
        cues=len(spans) + exceptions,
        bounds=tuple(spans),
    )


def _reach(text: str, start: int) -> int:
    stop = _STOPS.search(text, start)
    end = len(text) if stop is None else stop.start()
    return min(end, start + (_REACH_LATIN if text[start : start + 2].isascii() and text[start : start + 2].strip() else _REACH_HAN))


def _denial(text: str, start: int, end: int) -> Denial:
    reach = _reach(text, end)
    after = _LIGHT.match(text, end, reach)
    head_at = after.end() if after else end
    scope = terms.of(text[end:reach])
    head = next((term for term, _ in terms.placed(text[head_at:reach])), "")
    if not head:
        head = text[end:reach].strip()[:2]
    return Denial(start, end, head, scope | {head})


def _duties(text: str) -> frozenset[str]:
    found = {match.lastgroup or "" for match in _DUTY.finditer(text)}
    if re.search(r"不得|禁止|严禁|\b(?:must|shall|may) not\b|\bprohibit", text):
        found = {"never"}
    return frozenset(found)


def _poles(text: str) -> dict[str, frozenset[int]]:
    poles: dict[str, set[int]] = {}
    for match in _OPPOSITE.finditer(text):
        name, _, pole = (match.lastgroup or "").rpartition("_")
        poles.setdefault(name, set()).add(int(pole))
    return {name: frozenset(found) for name, found in poles.items()}


def differs(claim: str, evidence: str) -> str:
    """Return what a claim turns round of an evidence clause that speaks of the same ("" for nothing). Both are folded.

    Of two clauses with nearly the same words, one that denies more often denies something else, whatever it is.
    """
    one, two = of(claim), of(evidence)
    return counts_differ(claim, evidence) or _denials(one, two) or _exceptions(one, two) or _duty(one, two) or _opposites(one, two)


def counts_differ(claim: str, evidence: str) -> str:
    """Return how often a claim denies beside evidence of nearly the same words ("" for as often)."""
    one, two = of(claim), of(evidence)
    if one.cues == two.cues or not _same_words(claim, one, evidence, two):
        return ""
    return "denies something" if one.cues > two.cues else "affirms something"


def _around(cues: tuple[tuple[int, int], ...], text: str) -> list[tuple[int, int]]:
    """Return cues with the characters beside them: pairs across their edges are no words of either side."""
    return [(max(0, start - 1), min(len(text), end + 1)) if not text[start].isascii() else (start, end) for start, end in cues]


def _same_words(claim: str, one: Polarity, evidence: str, two: Polarity) -> bool:
    mine, theirs = terms.of(claim, _around(one.bounds, claim)), terms.of(evidence, _around(two.bounds, evidence))
    common, apart = len(mine & theirs), len(mine ^ theirs)
    fewer = min(len(mine), len(theirs))
    return fewer > 0 and (common >= _NEARLY * (common + apart) or (fewer > 4 and common >= _NEARLY * fewer and apart <= _LEFT_OVER))


def _denials(one: Polarity, two: Polarity) -> str:
    left, right = list(one.denials), list(two.denials)
    for same in (_equal_head, _same_head):
        for denial in list(left):
            match = next((other for other in right if same(denial, other)), None)
            if match is not None:
                left.remove(denial)
                right.remove(match)
    for denial in list(left):
        match = next((other for other in right if denial.head not in two.affirmed and other.head not in one.affirmed), None)
        if match is None:
            return f"denies {denial.head}"
        left.remove(denial)
        right.remove(match)
    denied = next((denial.head for denial in right if denial.head in one.affirmed or (denial.scope & one.affirmed)), None)
    return "" if denied is None else f"affirms {denied}"


def _equal_head(one: Denial, two: Denial) -> bool:
    return one.head == two.head


def _same_head(one: Denial, two: Denial) -> bool:
    return one.head in two.scope or two.head in one.scope or len(one.scope & two.scope) * 2 > min(len(one.scope), len(two.scope))


def _exceptions(one: Polarity, two: Polarity) -> str:
    if bool(one.exceptions) == bool(two.exceptions):
        return ""
    return "makes an exception" if one.exceptions else "leaves an exception out"


def _duty(one: Polarity, two: Polarity) -> str:
    if not one.duties or not two.duties or one.duties & two.duties:
        return ""
    return f"says {'/'.join(sorted(one.duties))} for {'/'.join(sorted(two.duties))}"


def _opposites(one: Polarity, two: Polarity) -> str:
    for name, poles in one.poles.items():
        theirs = two.poles.get(name)
        if theirs and not poles & theirs and not (one.denials or two.denials):
            return f"says the opposite ({name})"
    return ""
