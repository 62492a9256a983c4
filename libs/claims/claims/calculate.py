"""Numbers derived from cited ones: sum, difference, ratio, growth, share, average. Each says its formula and its operands.

An operand is a value that ``claims.values`` read, with the citation it came from; what citations are is the caller's business. Magnitudes
are exact
decimals in base units; units must agree, and what can't be computed is an error with a reason, never a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import Generic, TypeVar

from claims.units import Kind
from claims.values import Value

C = TypeVar("C")
_DIGITS = 28


class CalculationError(ValueError):
    """A number that can't be derived; ``reason`` is stable."""

    reason = "CALCULATION_IMPOSSIBLE"


class UnitsDifferError(CalculationError):
    """Operands of different kinds, units or currencies."""

    reason = "UNITS_DIFFER"


class DivisionByZeroError(CalculationError):
    """A ratio, growth or share of nothing."""

    reason = "DIVISION_BY_ZERO"


class OperandsMissingError(CalculationError):
    """Too few operands, or too many, for the operation."""

    reason = "OPERANDS_MISSING"


class BaseNotPositiveError(CalculationError):
    """Growth from a negative base says nothing."""

    reason = "BASE_NOT_POSITIVE"


class Operation(StrEnum):
    """What can be derived."""

    SUM = "sum"
    DIFFERENCE = "difference"
    RATIO = "ratio"
    GROWTH = "growth"
    SHARE = "share"
    AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class Operand(Generic[C]):
    """A value, what it is called, and where it was read."""

    value: Value
    name: str
    citation: C


@dataclass(frozen=True, slots=True)
class Derived(Generic[C]):
    """A derived number: magnitude in the base unit, the formula in words and numbers, what it was derived from."""

    operation: Operation
    magnitude: Decimal
    kind: Kind
    unit: str
    formula: str
    operands: tuple[Operand[C], ...]


def calculate(operation: Operation, operands: Sequence[Operand[C]]) -> Derived[C]:
    """Derive a number. Difference is first less second, growth is from the second to the first, share is the first of the second.

    Errors: UnitsDifferError, DivisionByZeroError, OperandsMissingError, BaseNotPositiveError.
    """
    exactly_two = operation not in (Operation.SUM, Operation.AVERAGE)
    if len(operands) < 2 or (exactly_two and len(operands) != 2):
        raise OperandsMissingError(f"{operation} of {len(operands)} operands")
    _same_unit(operands)
    with localcontext() as context:
        context.prec = _DIGITS
        magnitude, kind, unit = _RULES[operation]([operand.value for operand in operands])
    return Derived(
        operation=operation,
        magnitude=magnitude,
        kind=kind,
        unit=unit,
        formula=_formula(operation, operands),
        operands=tuple(operands),
    )


def _same_unit(operands: Sequence[Operand[C]]) -> None:
    first = operands[0].value
    for operand in operands[1:]:
        other = operand.value
        if (other.kind, _unit(other)) != (first.kind, _unit(first)):
            raise UnitsDifferError(f"{first.kind} in {first.unit or 'no unit'} and {other.kind} in {other.unit or 'no unit'}")


def _unit(value: Value) -> str:
    return "percent" if value.kind is Kind.RATIO and value.unit == "bp" else value.unit


_Result = tuple[Decimal, Kind, str]


def _sum(values: Sequence[Value]) -> _Result:
    return sum((value.magnitude for value in values), Decimal(0)), values[0].kind, _unit(values[0])


def _average(values: Sequence[Value]) -> _Result:
    total, kind, unit = _sum(values)
    return total / len(values), kind, unit


def _difference(values: Sequence[Value]) -> _Result:
    unit = _unit(values[0])
    return values[0].magnitude - values[1].magnitude, values[0].kind, "point" if unit == "percent" else unit


def _ratio(values: Sequence[Value]) -> _Result:
    return _quotient(values), Kind.MULTIPLE, "times"


def _share(values: Sequence[Value]) -> _Result:
    return _quotient(values) * 100, Kind.RATIO, "percent"


def _growth(values: Sequence[Value]) -> _Result:
    if values[1].magnitude < 0:
        raise BaseNotPositiveError("growth from a negative number")
    return (_quotient(values) - 1) * 100, Kind.RATIO, "percent"


def _quotient(values: Sequence[Value]) -> Decimal:
    if values[1].magnitude == 0:
        raise DivisionByZeroError("division by zero")
    return values[0].magnitude / values[1].magnitude


_RULES: dict[Operation, Callable[[Sequence[Value]], _Result]] = {
    Operation.SUM: _sum,
    Operation.AVERAGE: _average,
    Operation.DIFFERENCE: _difference,
    Operation.RATIO: _ratio,
    Operation.SHARE: _share,
    Operation.GROWTH: _growth,
}


def _formula(operation: Operation, operands: Sequence[Operand[C]]) -> str:
    shown = [f"{operand.name} ({operand.value.magnitude:f})" if operand.name else f"{operand.value.magnitude:f}" for operand in operands]
    if operation is Operation.SUM:
        return " + ".join(shown)
    if operation is Operation.AVERAGE:
        return f"({' + '.join(shown)}) / {len(shown)}"
    sign = {Operation.DIFFERENCE: "-", Operation.RATIO: "/", Operation.SHARE: "/", Operation.GROWTH: "/"}[operation]
    formula = f"{shown[0]} {sign} {shown[1]}"
    return {Operation.GROWTH: f"({formula} - 1) × 100%", Operation.SHARE: f"{formula} × 100%"}.get(operation, formula)
