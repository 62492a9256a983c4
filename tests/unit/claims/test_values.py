"""Numbers and periods of Chinese and English text."""

from decimal import Decimal

import pytest
from claims import folding, periods, values
from claims.units import Kind


def read(text: str) -> list[tuple[str, str, str]]:
    return [(str(value.kind), f"{value.magnitude.normalize():f}", value.unit) for value in values.find(folding.fold(text).text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("营业收入为3.2亿元", [("money", "320000000", "CNY")]),
        ("人民币壹佰贰拾万元整", [("money", "1200000", "CNY")]),
        ("壹仟零伍拾元叁角伍分", [("money", "1050.35", "CNY")]),
        ("伍仟柒佰柒拾伍亿叁仟万元整", [("money", "577530000000", "CNY")]),
        ("１，２３４．５０元", [("money", "1234.5", "CNY")]),
        ("净亏损(1,234)万元", [("money", "-12340000", "CNY")]),
        ("US$1,496.5 million", [("money", "1496500000", "USD")]),
        ("$(3.4) million", [("money", "-3400000", "USD")]),
        ("HK$1.5bn, EUR 5k, 100日元", [("money", "1500000000", "HKD"), ("money", "5000", "EUR"), ("money", "100", "JPY")]),
        ("1亿2,345.6万元", [("money", "123456000", "CNY")]),
        ("两万五千元", [("money", "25000", "CNY")]),
        ("港币1,000元", [("money", "1000", "HKD")]),
        ("4.35%即435BP", [("ratio", "4.35", "percent"), ("ratio", "4.35", "bp")]),
        ("下调25个基点,提高0.25个百分点", [("ratio", "0.25", "bp"), ("ratio", "0.25", "point")]),
        ("百分之十二点五,万分之五,八成,三分之一", [("ratio", "12.5", "percent"), ("ratio", "0.05", "percent"), ("ratio", "80", "percent")]),
        ("等待期90日,三十日内,3个月", [("duration", "2160", "hour"), ("duration", "720", "hour"), ("duration", "3", "month")]),
        ("30-60日", [("duration", "720", "hour"), ("duration", "1440", "hour")]),
        ("5%-10%", [("ratio", "5", "percent"), ("ratio", "10", "percent")]),
        ("3至5万元", [("money", "30000", "CNY"), ("money", "50000", "CNY")]),
        ("六十五周岁", [("age", "65", "year-of-age")]),
        ("10个工作日", [("duration", "10", "business-day")]),
        ("4,358 employees", [("count", "4358", "employee")]),
        ("-3.5%, (12.3)%", [("ratio", "-3.5", "percent"), ("ratio", "-12.3", "percent")]),
        ("第十二条 5.3 款 (见 9.15) （一）投保人 (2)被保险人 ①", []),
        ("一般情况下,一种疾病,万一", []),
        ("泰康养发[2022]130号, COVID-19, 2023年, 13812345678", []),
        ("等待期٩٠日", [("duration", "2160", "hour")]),
        ("等待期9\u200b0日", [("duration", "2160", "hour")]),
    ],
)
def test_values(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert read(text)[: len(expected)] == expected
    assert bool(read(text)) == bool(expected)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("最高不超过100万元", "<="),
        ("不低于18周岁", ">="),
        ("超过30日", ">"),
        ("60周岁(含)以下", "<="),
        ("at least 5 days", ">="),
        ("100元", ""),
    ],
)
def test_bounds(text: str, bound: str) -> None:
    assert [value.bound for value in values.find(folding.fold(text).text)] == [bound]


@pytest.mark.parametrize(
    ("one", "two", "says"),
    [
        ("3.2亿元", "320,145,000元", True),
        ("3.3亿元", "320,145,000元", False),
        ("320,145,001元", "3.2亿元", False),
        ("3亿元", "3.2亿元", False),
        ("约3亿元", "3.2亿元", True),
        ("12.5%", "12.46%", True),
        ("90日", "90日", True),
    ],
)
def test_a_rounded_number_says_the_exact_one(one: str, two: str, says: bool) -> None:
    left, right = (values.find(folding.fold(text).text)[0] for text in (one, two))
    assert left.states(right) is says


def test_spans_lead_back_to_the_source() -> None:
    source = "合计１２\u200b３万元。"
    folded = folding.fold(source)
    (value,) = values.find(folded.text)
    start, end = folded.source(value.start, value.end)
    assert source[start:end] == "１２\u200b３万元"
    assert value.kind is Kind.MONEY and value.magnitude == Decimal(1_230_000)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2023年上半年", (2023, 1, 1), (2023, 6, 30)),
        ("FY2023", (2023, 1, 1), (2023, 12, 31)),
        ("Q3 2024", (2024, 7, 1), (2024, 9, 30)),
        ("2024年第三季度", (2024, 7, 1), (2024, 9, 30)),
        ("2024-06-30", (2024, 6, 30), (2024, 6, 30)),
        ("二〇二三年六月三十日", (2023, 6, 30), (2023, 6, 30)),
        ("截至2023年末", (2023, 12, 31), (2023, 12, 31)),
        ("September 30, 2019", (2019, 9, 30), (2019, 9, 30)),
        ("the second half of 2021", (2021, 7, 1), (2021, 12, 31)),
        ("2023年前三季度", (2023, 1, 1), (2023, 9, 30)),
        ("6月30日", (0, 6, 30), (0, 6, 30)),
    ],
)
def test_periods(text: str, first: tuple[int, int, int], last: tuple[int, int, int]) -> None:
    assert [(period.first, period.last) for period in periods.find(folding.fold(text).text)] == [(first, last)]


@pytest.mark.parametrize("text", ["6个月", "等待期90日", "$2019", "2,019 items", "1909BP"])
def test_what_is_no_period(text: str) -> None:
    assert periods.find(folding.fold(text).text) == []
