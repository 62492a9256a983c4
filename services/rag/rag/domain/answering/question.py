"""What a question asks for: the kind of answer, and what an answer must be about: names, periods, clauses, and the words that are left.

Rules, in both languages. What a rule doesn't know is asked for as text (``Expects.TEXT``): then words alone decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from claims import folding, periods, references
from claims import terms as claim_terms
from claims.calculate import Operation
from claims.periods import Period
from claims.references import Mark
from claims.units import Kind

from rag.domain import terms


class Expects(Enum):
    """Kinds of answer."""

    AMOUNT = "amount"
    LIMIT = "limit"
    RATE = "rate"
    DURATION = "duration"
    AGE = "age"
    COUNT = "count"
    QUANTITY = "quantity"
    DATE = "date"
    YES_NO = "yes-no"
    LIST = "list"
    DEFINITION = "definition"
    ENTITY = "entity"
    TEXT = "text"


KINDS: Mapping[Expects, frozenset[Kind]] = {
    Expects.AMOUNT: frozenset((Kind.MONEY, Kind.NUMBER)),
    Expects.LIMIT: frozenset((Kind.MONEY, Kind.NUMBER, Kind.RATIO, Kind.MULTIPLE)),
    Expects.RATE: frozenset((Kind.RATIO, Kind.MULTIPLE)),
    Expects.DURATION: frozenset((Kind.DURATION,)),
    Expects.AGE: frozenset((Kind.AGE, Kind.DURATION)),
    Expects.COUNT: frozenset((Kind.COUNT, Kind.NUMBER)),
    Expects.QUANTITY: frozenset(Kind),
}

_NUMBER_WORD = r"(?:多少|几)"
_COUNTED = r"\s?(?:元|万|亿|人|家|户|笔|件|次|项|个|名|张|份|股|位|条|种|期|钱|周?岁|天|年|月|日|百分)"
_SUM = (
    "金额|保额|免赔额|保费|保险费|保险金|收入|利润|资产|负债|余额|费用|支出|成本|存款|贷款额|工资|现金|投资额|起购|起存|身价|"
    "赔款|罚款|手续费|年费|市值|总额"
)
_SHARE = "比例|利率|费率|占比|增速|涨幅|增幅|降幅|跌幅|增长率|收益率|不良率|覆盖率|充足率|毛利率|折扣|百分比|比率|系数|罚息"
_FORMS: tuple[tuple[Expects, str], ...] = (
    (
        Expects.DURATION,
        rf"多久|多长时间|多长|{_NUMBER_WORD}\s?(?:天|日|年|个?月|周|个?工作日|个?小时|分钟|个?自然日|个?保单年度)(?![龄度])|"
        r"how (?:long|many (?:\w+ )?(?:days|months|years|weeks|hours))|what is the (?:length|duration|term) of|within how",
    ),
    (
        Expects.DATE,
        r"什么时候|何时|哪一?[天日年]|何日|日期[是为]|什么日期|几月|when |on (?:what|which) (?:date|day)|what (?:date|day)|"
        r"by what date|as of what date",
    ),
    (
        Expects.AGE,
        rf"{_NUMBER_WORD}\s?周?岁|年龄(?:要求|限制|范围|上限|下限)?\s?(?:是|为|有)?(?:多少|什么|几)|how old|what ages?|age limit|"
        rf"minimum age|maximum age",
    ),
    (
        Expects.LIMIT,
        rf"(?:限额|上限|下限|额度|限制)\s?(?:是|为|有|等于|达到?)?\s?(?:多少(?!{_COUNTED})|几(?!{_COUNTED})|多高|多大)",
    ),
    (
        Expects.RATE,
        rf"百分之几|{_NUMBER_WORD}\s?个?(?:百分|基点|bp)|(?:{_SHARE}|率)\s?(?:是|为|达到?|有|等于|定为)?\s?(?:多少|几|多高|多大)|"
        rf"多[高大少]的?(?:{_SHARE})|"
        r"(?:what|which) (?:percentage|percent|proportion|share|rate|interest rate)|how many (?:percent|basis points)|"
        r"what (?:is|was|are|were) the (?:\S+ ){0,5}(?:rate|ratio|percentage|margin|yield|fee rate|share)\b",
    ),
    (
        Expects.AMOUNT,
        rf"多少\s?(?:钱|元|万|亿|美元|港元)|(?:{_SUM})\s?(?:是|为|达到?|有|等于|合计|分别)?\s?多少|多少(?:{_SUM})|how much|"
        r"what (?:is|was|are|were) the (?:\S+ ){0,5}(?:amount|limit|deductible|premium|fee|price|cost|revenue|income|profit|"
        r"sum insured|benefit amount)\b",
    ),
    (Expects.COUNT, rf"{_NUMBER_WORD}\s?(?:人|家|户|笔|件|次|项|个|名|张|份|股|位|条|种|期)|how many"),
    (Expects.QUANTITY, r"是多少|为多少|有多少|达到?多少|多少[？?。]?$|what (?:is|was) the (?:number|value|total|change|figure)"),
    (
        Expects.LIST,
        r"哪些|哪几|包括什么|包含什么|列出|列举|分别有什么|有什么(?:情形|情况|责任|义务|权利|材料|条件)|what are |"
        r"which (?:\w+ )?(?:are|documents|cases|items|events)|list (?:all|the)|name the",
    ),
    (
        Expects.YES_NO,
        r"吗[？?。]?$|是否|能否|可否|会不会|能不能|可不可以|是不是|有没有|要不要|需不需要|应不应|^(?:is|are|was|were|does|do|did|can|"
        r"may|must|will|should|has|have|could|would) ",
    ),
    (
        Expects.DEFINITION,
        r"什么是|是什么意思|是指什么|指的是什么|什么叫|含义|定义|怎么理解|what does .{2,60} mean|what is meant by|define |"
        r"definition of|meaning of",
    ),
    (
        Expects.ENTITY,
        r"谁|哪家|哪个(?:机构|部门|公司|人|岗位)|由何|何人|哪方|哪里|何处|什么(?:机构|部门|人|岗位|地方)|^who|by whom|"
        r"which (?:department|body|committee|person|bank|company)|^where",
    ),
)
_COMPILED = tuple((expects, re.compile(pattern)) for expects, pattern in _FORMS)
_OPERATIONS = (
    (
        Operation.GROWTH,
        re.compile(
            r"增长率|增速|增幅|降幅|(?:增长|下降|变化|提高|减少|增加)了?百分之[几多]|变动率|"
            r"percentage (?:change|increase|decrease|growth)|percent(?:age)? change|growth rate|by what percent"
        ),
    ),
    (
        Operation.DIFFERENCE,
        re.compile(
            r"(?:增加|减少|增长|下降|变化|变动|提高|降低|多|少)了?多少|相差|差额|变动额|变化额|"
            r"\b(?:change|difference|increase|decrease) (?:in|of|between)|how much (?:more|less|higher|lower|did)"
        ),
    ),
    (Operation.AVERAGE, re.compile(r"平均|\baverage\b|\bmean\b")),
    (Operation.SUM, re.compile(r"合计|总和|一共|之和|加起来|\bsum of\b|\bcombined\b|\btotal (?:of|for) ")),
)
_WHAT_TO_COMPUTE = re.compile(
    r"比(?=\s)|(?:增加|减少|增长|下降|变化|变动|提高|降低)了?(?=多少|百分)|增长率|增速|增幅|降幅|变动率|相差|差额|变动额|变化额|"
    r"平均(?:值|数)?|合计|总和|一共|之和|"
    r"\b(?:percentage |percent )?(?:change|difference|increase|decrease|growth rate)\b|\baverage\b|\bmean\b|\bsum of\b|\bcombined\b|"
    r"\bbetween\b|\bcompared (?:to|with)\b|\bversus\b"
)
_FILLER = re.compile(
    r"(?:是指|指的是|指|是|为|有|要|需要?|会|能|可以?|应当?|达到?|按照?|由|所说的?|满足|属于|包括|怎么|如何|最[多高长低少])*"
    r"(?:多少|几(?!乎)|什么|哪些|哪几|哪个|哪里|谁|何(?:时|人|处)|怎么样?|怎样|如何|多久|多长|多高|多大)"
    r"(?:个|种|类)?(?:工作日|自然日|保单年度|小时|日|天|年(?!度|龄|金)|月|万元|元|周?岁|人|家|名|时间|钱|次|条件|情形|情况|材料|处理|"
    r"解决|办)?"
    r"|(?:是否|能否|可否|会不会|能不能|可不可以|是不是|有没有|需不需要|所说的|披露的|提到的|规定的|需要|可以|能够|如果|请问|的话)|"
    r"吗(?=[?？。]|$)"
)
_TITLE = re.compile(r"《([^》]{2,80})》|[\"'「『]([^\"'」』]{2,60})[\"'」』]")
_PRODUCT = re.compile(
    r"[0-9a-z\u4e00-\u9fff()·]{2,24}(?:保险(?![金费单事责人期标合公价纠年条])|寿险|产品|计划|账户|贷款|信用卡|借记卡|基金|理财|公司|"
    r"银行|证券|信托|条款|合同|办法|制度|规定|细则|指引|报告|年报|手册|协议)"
)
_NO_NAME = re.compile(
    r"如果|若|我|你|您|他|当|想|在|未|没|不|可以|能|会|提出|撤销|解除|购买|投保|被保|保险人|受益人|消费者|这|该|本|此|时|后|与|和|对|"
    r"向|把|被|因|已|其|各|"
    r"任何|关于|免除|发生|收到|通知|导致|属于|指定|计算|包含|更改|续保|保单|驾驶|扩展|选择|如何|多久|由|除了|材料|追加|哪|什么|怎|是|"
    r"有|需|应|要|申请|签订|订立|终止|中止|约定"
)
_PROPER = re.compile(
    r"(?<![.?!] )(?<!^)\b(?:[A-Z][A-Za-z0-9&'-]*|[0-9]+[A-Z]\w*)(?:\s(?:of\s|and\s|for\s)?(?:[A-Z][A-Za-z0-9&'-]*|[0-9]+))*"
)
_LEAD = re.compile(r"^(?:请问|请教|想问一?下?|根据|在|对于|关于|按照|购买|投保|申请|办理|持有|买了?|我的|我买的|我想买)+[,，\s]*")


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart. ``terms`` have the weights of the lexical leg; ``names`` are what it calls by name, ``products`` those
    that a title has to hold, both folded. ``stems`` leads from the terms of the lexical leg to those of labels.
    ``operation``: what is to be computed over the periods, where the question names two or more."""

    text: str
    folded: str
    expects: Expects
    terms: Mapping[str, float]
    is_list: bool = False
    names: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    periods: tuple[Period, ...] = ()
    clauses: tuple[str, ...] = ()
    stems: Mapping[str, str] = field(default_factory=dict)
    operation: Operation | None = None

    @property
    def is_chinese(self) -> bool:
        """Whether more of it is Chinese than is not."""
        return sum("\u4e00" <= character <= "\u9fff" for character in self.text) * 3 > len(self.text)

    @property
    def kinds(self) -> frozenset[Kind]:
        """Return the kinds of number that answer it, none where no number does."""
        return KINDS.get(self.expects, frozenset())


def analyse(text: str) -> Question:
    """Take a question apart."""
    folded = folding.fold(text.strip()).text
    when, named = references.dated(folded)
    expects = next((expects for expects, pattern in _COMPILED if pattern.search(folded)), Expects.TEXT)
    operation = _operation(folded) if len(when) > 1 else None
    if operation is not None:
        expects = Expects.QUANTITY
    clauses = tuple(one.key for one in named if one.mark is not Mark.LIST)
    without = _without(folded, [(one.start, one.end) for one in when])
    without = _FILLER.sub(" ", _WHAT_TO_COMPUTE.sub(" ", without) if operation else without)
    return Question(
        text=text,
        folded=folded,
        expects=expects,
        terms=terms.query_terms(without) or terms.query_terms(folded),
        is_list=_is(Expects.LIST, folded),
        names=_names(text, folded),
        products=_products(folded),
        periods=tuple(when),
        clauses=clauses,
        operation=operation,
        stems={terms.stem(word): claim_terms.stem(word) for word in re.findall(r"[a-z][a-z0-9]+", folded)},
    )


def _operation(folded: str) -> Operation | None:
    return next((operation for operation, pattern in _OPERATIONS if pattern.search(folded)), None)


def _is(expects: Expects, folded: str) -> bool:
    return any(pattern.search(folded) is not None for one, pattern in _COMPILED if one is expects)


def _without(text: str, stretches: list[tuple[int, int]]) -> str:
    for start, end in reversed(stretches):
        text = text[:start] + " " + text[end:]
    return text


def _names(text: str, folded: str) -> tuple[str, ...]:
    found = [group for match in _TITLE.finditer(folded) for group in match.groups() if group]
    found += [
        folding.fold(match[0]).text
        for match in _PROPER.finditer(text.strip())
        if len(match[0]) > 2 and not periods.find(folding.fold(match[0]).text)
    ]
    return tuple(dict.fromkeys(found))


def _products(folded: str) -> tuple[str, ...]:
    found = [_PRODUCT.match(_LEAD.sub("", part)) for part in re.split(r"的|[,，。?？;；]", folded)]
    return tuple(dict.fromkeys(match[0] for match in found if match is not None and not _NO_NAME.search(match[0])))
