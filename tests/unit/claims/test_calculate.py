"""Derived numbers state how they came about, and units are checked."""

from decimal import Decimal

import pytest
from claims import folding, values
from claims.calculate import (
    BaseNotPositiveError,
    CalculationError,
    Derived,
    DivisionByZeroError,
    Operand,
    OperandsMissingError,
    Operation,
    UnitsDifferError,
    calculate,
)


def operand(text: str, name: str = "") -> Operand[str]:
    (value,) = values.find(folding.fold(text).text)
    return Operand(value, name, f"citation of {text}")


@pytest.mark.parametrize(
    ("operation", "texts", "magnitude", "unit"),
    [
        (Operation.SUM, ["1.5亿元", "5,000万元"], "200000000", "CNY"),
        (Operation.DIFFERENCE, ["$1,496.5 million", "$1,202.9 million"], "293600000", "USD"),
        (Operation.DIFFERENCE, ["4.35%", "410BP"], "0.25", "point"),
        (Operation.GROWTH, ["3.2亿元", "2.5亿元"], "28", "percent"),
        (Operation.SHARE, ["8,000万元", "3.2亿元"], "25", "percent"),
        (Operation.RATIO, ["3.2亿元", "1.6亿元"], "2", "times"),
        (Operation.AVERAGE, ["30日", "60日", "90日"], "1440", "hour"),
    ],
)
def test_operations(operation: Operation, texts: list[str], magnitude: str, unit: str) -> None:
    derived: Derived[str] = calculate(operation, [operand(text) for text in texts])
    assert (derived.magnitude.normalize(), derived.unit) == (Decimal(magnitude).normalize(), unit)
    assert [one.citation for one in derived.operands] == [f"citation of {text}" for text in texts]


def test_the_formula_names_its_operands() -> None:
    derived = calculate(Operation.GROWTH, [operand("3.2亿元", "2023年营业收入"), operand("2.5亿元", "2022年营业收入")])
    assert derived.formula == "(2023年营业收入 (320000000.0) / 2022年营业收入 (250000000.0) - 1) × 100%"


@pytest.mark.parametrize(
    ("operation", "texts", "error"),
    [
        (Operation.SUM, ["3元", "3美元"], UnitsDifferError),
        (Operation.SUM, ["3元", "3%"], UnitsDifferError),
        (Operation.SUM, ["3%", "3个百分点"], UnitsDifferError),
        (Operation.SUM, ["3日", "3个月"], UnitsDifferError),
        (Operation.SUM, ["3元"], OperandsMissingError),
        (Operation.DIFFERENCE, ["3元", "2元", "1元"], OperandsMissingError),
        (Operation.RATIO, ["3元", "0元"], DivisionByZeroError),
        (Operation.GROWTH, ["3元", "-2元"], BaseNotPositiveError),
    ],
)
def test_what_cannot_be_derived(operation: Operation, texts: list[str], error: type[CalculationError]) -> None:
    with pytest.raises(error) as raised:
        calculate(operation, [operand(text) for text in texts])
    assert raised.value.reason.isupper()
