"""A program of `columnar` for one row, in Python's own numbers: the same bits, without a hundred numpy calls on arrays of one element.

What keeps the bits: comparisons are between floats that hold a float32 exactly, and a constant that meets a float32 is rounded to one
first, as numpy does. Arithmetic on float32 stays numpy's, on its scalars; on float64 both do what IEEE 754 says. Missing is NaN here as
there, false in every comparison. A program that has something else in it gets no such twin (`OneRow.of` returns None), and its rows go
through arrays.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from risk_scoring.domain import columnar
from risk_scoring.domain.columnar import FLAG, NUMBER, TEXT, Program

Value = float | str | bool


class PlainRow(dict[str, Value]):
    """One row in plain values, where else columns are arrays."""


def _quotient(left: float, right: float) -> float:
    return left / right if right != 0 else float("nan")


_COMPARISONS: dict[Any, Callable[[Any, Any], Any]] = {
    np.less: operator.lt, np.less_equal: operator.le, np.greater: operator.gt, np.greater_equal: operator.ge,
    np.equal: operator.eq, np.not_equal: operator.ne,
}  # fmt: skip
_WIDE_ARITHMETIC: dict[Any, Callable[[Any, Any], Any]] = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, columnar._divide: _quotient,
}  # fmt: skip
_LOGIC: dict[Any, Callable[..., Any]] = {np.logical_and: operator.and_, np.logical_or: operator.or_, np.logical_not: operator.not_}
_CONSTANT, _NARROW, _WIDE = "constant", "float32", "float64"
_MISSING = {NUMBER: float("nan")}


class _NoTwinError(Exception):
    """The program has a step that is not known here."""


def _is_missing(value: float) -> bool:
    return value != value  # noqa: PLR0124  NaN alone


def _narrow(operation: Callable[..., Any]) -> Callable[[float, float], float]:
    def computed(left: float, right: float) -> float:
        with np.errstate(all="ignore"):
            return float(operation(np.float32(left), np.float32(right)))

    return computed


class OneRow:
    """One pass over the steps of a program, whose slots are plain numbers, texts and flags."""

    def __init__(self, program: Program, narrow: Collection[str]) -> None:
        self._columns = [(name, program.kinds[name], slot) for name, slot in program.columns.items()]
        self._initial = list(program.initial)
        self._types: dict[int, str] = {slot: _CONSTANT for slot, value in enumerate(program.initial) if value is not None}
        for name, kind, slot in self._columns:
            self._types[slot] = kind if kind != NUMBER else _NARROW if name in narrow else _WIDE
        self._steps = [self._step(*step) for step in program.steps]

    @classmethod
    def of(cls, program: Program, narrow: Collection[str]) -> OneRow | None:
        """Return the twin of a program; ``narrow``: number columns that are float32, all others are float64."""
        try:
            return cls(program, narrow)
        except (_NoTwinError, OverflowError):
            return None

    def run(self, values: Mapping[str, Value]) -> list[Any]:
        """Return all slots for one row. An absent number is missing; an absent text or flag raises ValueError."""
        slots = self._initial.copy()
        for name, kind, slot in self._columns:
            value = values.get(name, _MISSING.get(kind))
            if value is None:
                raise ValueError(f"column {name} is required")
            slots[slot] = value
        for operation, left, right, out in self._steps:
            slots[out] = operation(slots[left], slots[right]) if right >= 0 else operation(slots[left])
        return slots

    def _step(self, operation: Callable[..., Any], left: int, right: int, out: int) -> tuple[Callable[..., Any], int, int, int]:
        kinds = (self._types[left], self._types[right] if right >= 0 else "")
        self._types[out] = FLAG
        if operation in _LOGIC:
            return _LOGIC[operation], left, right, out
        if operation is np.isnan:
            return _is_missing, left, right, out
        if operation is columnar._as_float64:
            self._types[out] = _WIDE
            return float, left, right, out
        if operation in _COMPARISONS and TEXT in kinds:
            return _COMPARISONS[operation], left, right, out
        if kinds == (_CONSTANT, _CONSTANT):
            raise _NoTwinError
        wide = _NARROW not in kinds or (operation not in _COMPARISONS and (_WIDE in kinds or operation is columnar._divide))
        left, right = self._rounded(left, wide), self._rounded(right, wide)
        if operation in _COMPARISONS:
            return _COMPARISONS[operation], left, right, out
        if operation not in _WIDE_ARITHMETIC:
            raise _NoTwinError
        self._types[out] = _WIDE if wide else _NARROW
        return _WIDE_ARITHMETIC[operation] if wide else _narrow(operation), left, right, out

    def _rounded(self, slot: int, wide: bool) -> int:
        """The slot of an operand; of a constant one that holds it as the column beside it would."""
        if self._types[slot] != _CONSTANT:
            return slot
        with np.errstate(all="ignore"):
            self._initial.append(float(self._initial[slot]) if wide else float(np.float32(self._initial[slot])))
        return len(self._initial) - 1
