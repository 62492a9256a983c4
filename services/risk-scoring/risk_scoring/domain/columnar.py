"""Trees of `expressions` compiled to a flat program over columns: every distinct subexpression is computed once for the whole batch.

What is surprising is the missing value. A feature that is missing is NaN (or its whole column is absent), and a test on it is neither true
nor false. Negation is therefore pushed down to the single comparisons while compiling (``not (x > 5)`` becomes ``x <= 5``, ``x != 5``
becomes ``x < 5 or x > 5``), so that plain numpy comparisons, false on NaN both ways, give Kleene's three-valued logic with "unknown" taken
as false.

Numbers: features are float32 and compared as such, in arithmetic too; every other column of numbers, and a flag in arithmetic, is float64.
A quotient by zero is missing; what is too large is infinite, and infinity less infinity is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from risk_scoring.domain.expressions import Arithmetic, Both, Column, Compare, Either, ExpressionError, Literal, Node, Not, check_size

Array = npt.NDArray[Any]
_Operation = Callable[..., Any]

NUMBER, TEXT, FLAG = "number", "text", "flag"
MAX_STEPS = 20_000  # 80 ms for 512 rows
_DTYPES = {NUMBER: "fiub", TEXT: "U", FLAG: "b"}  # kinds of numpy types
_FLOAT64_FROM = "iub"  # as they are, small integers overflow and flags can't be subtracted
_INVERSE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_ORDERINGS: dict[str, _Operation] = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


def _divide(left: Any, right: Any) -> Array:
    """Quotients in float64; a division by zero is a missing value, as in ZEN (null)."""
    left, right = np.broadcast_arrays(np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64))
    quotient: Array = np.divide(left, right, out=np.full(left.shape, np.nan), where=right != 0)
    return quotient


def _as_float64(column: Array) -> Array:
    """Flags and small integers, fit for arithmetic."""
    return column.astype(np.float64)


_ARITHMETIC: dict[str, _Operation] = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": _divide}
_EXACT: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__, "/": Fraction.__truediv__,
}  # fmt: skip


class Program:
    """Steps over numbered slots: first columns and constants, then results. Built once, run for every batch; immutable after building.

    ``known``: columns whose kind is known; any other is of the kind that it is used as. ``columns``: slot by name. ``initial``: what each
    slot holds before a run: constants. ``steps``: operation, slots of one or two operands (-1: none), slot of the result.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self.kinds: dict[str, str] = {}  # column name to number, text or flag
        self._kinds_known = known or {}
        self.columns: dict[str, int] = {}
        self.initial: list[Any] = []
        self.steps: list[tuple[_Operation, int, int, int]] = []
        self._known: dict[tuple[Any, ...], int] = {}
        self._exact: dict[int, Fraction] = {}  # values of slots that are constants

    def condition(self, node: Node) -> int:
        """Compile a truth value; returns the slot that will hold it, (n,) bool. Raises ExpressionError when types do not fit."""
        return self._truth(node, negated=False)

    def all_of(self, slots: list[int]) -> int:
        """The slot of the conjunction of at least one slot."""
        whole = slots[0]
        for slot in slots[1:]:
            whole = self._step("and", np.logical_and, whole, slot)
        return whole

    def run(self, columns: Mapping[str, Array], n: int) -> list[Any]:
        """All slots after one pass over ``n`` rows. An absent number column is all missing; an absent text or flag raises ValueError."""
        slots = self.initial.copy()
        missing: Array | None = None
        for name, slot in self.columns.items():
            column = columns.get(name)
            if column is None:
                if self.kinds[name] != NUMBER:
                    raise ValueError(f"column {name} is required")
                missing = np.full(n, np.nan, dtype=np.float32) if missing is None else missing
                column = missing
            elif column.shape != (n,):
                raise ValueError(f"column {name} has shape {column.shape}, not ({n},)")
            elif column.dtype.kind not in _DTYPES[self.kinds[name]]:
                raise ValueError(f"column {name} holds {column.dtype}, not what a {self.kinds[name]} is")
            elif column.dtype.kind in _FLOAT64_FROM and self.kinds[name] == NUMBER:
                column = _as_float64(column)
            slots[slot] = column
        with np.errstate(all="ignore"):
            for operation, left, right, out in self.steps:
                slots[out] = operation(slots[left], slots[right]) if right >= 0 else operation(slots[left])
        return slots

    def _slot(self, key: tuple[Any, ...], value: Any = None) -> int:
        slot = self._known.get(key)
        if slot is None:
            slot = self._known[key] = len(self.initial)
            self.initial.append(value)
        return slot

    def _step(self, name: str, operation: _Operation, left: int, right: int = -1) -> int:
        key = (name, left, right)
        fresh = key not in self._known
        slot = self._slot(key)
        if fresh:
            if len(self.steps) >= MAX_STEPS:
                raise ExpressionError(f"the rules need more than {MAX_STEPS} operations")
            self.steps.append((operation, left, right, slot))
        return slot

    def _column(self, name: str, kind: str) -> int:
        known = self._kinds_known.get(name, kind)
        if known != kind:
            raise ExpressionError(f"column {name} is a {known}, not a {kind}")
        if self.kinds.setdefault(name, kind) != kind:
            raise ExpressionError(f"column {name} is used as {self.kinds[name]} and as {kind}")
        slot = self.columns[name] = self._slot(("column", name))
        return slot

    def _truth(self, node: Node, *, negated: bool) -> int:
        match node:
            case Not(operand):
                return self._truth(operand, negated=not negated)
            case Both(left, right) | Either(left, right):
                both = isinstance(node, Both) != negated
                operation = np.logical_and if both else np.logical_or
                return self._step(
                    "and" if both else "or", operation, self._truth(left, negated=negated), self._truth(right, negated=negated)
                )
            case Compare():
                return self._compare(node, negated=negated)
            case Column(name):
                slot = self._column(name, FLAG)
                return self._step("not", np.logical_not, slot) if negated else slot
            case _:
                raise ExpressionError("a condition is expected, not a value")

    def _compare(self, node: Compare, *, negated: bool) -> int:
        equality = node.operator in ("==", "!=")
        wanted = (node.operator == "!=") == negated  # for equality: whether the two must be equal
        if equality and isinstance(node.right, Literal):
            value = node.right.value
            if isinstance(value, bool):
                return self._truth(node.left, negated=wanted != value)
            if value is None:
                if isinstance(node.left, Column) and self._kinds_known.get(node.left.name, NUMBER) != NUMBER:
                    raise ExpressionError(f"column {node.left.name} is never missing")
                missing = self._step("missing", np.isnan, self._number(node.left))
                return missing if wanted else self._step("not", np.logical_not, missing)
            if isinstance(value, str):
                return self._text_equal(node.left, value, wanted)
        left, right = self._number(node.left), self._number(node.right)
        if equality:
            if wanted:
                return self._step("==", np.equal, left, right)
            return self._step("or", np.logical_or, self._step("<", np.less, left, right), self._step(">", np.greater, left, right))
        operator = _INVERSE[node.operator] if negated else node.operator
        return self._step(operator, _ORDERINGS[operator], left, right)

    def _text_equal(self, left: Node, value: str, wanted: bool) -> int:
        if not isinstance(left, Column):
            raise ExpressionError("only a column can be compared with a text")
        constant = self._slot(("constant", str, value), value)
        column = self._column(left.name, TEXT)
        return self._step("text ==", np.equal, column, constant) if wanted else self._step("text !=", np.not_equal, column, constant)

    def _number(self, node: Node, *, operand: bool = False) -> int:
        """The slot of a number. One call a level: what may be 500 deep must not take two frames each."""
        match node:
            case Column(name) if operand and self._kinds_known.get(name) == FLAG:
                return self._step("float64", _as_float64, self._column(name, FLAG))
            case Column(name):
                return self._column(name, NUMBER)
            case Literal(value) if isinstance(value, (int, float)) and not isinstance(value, bool):
                return self._constant(value)
            case Arithmetic(operator, left, right):
                return self._arithmetic(operator, self._number(left, operand=True), self._number(right, operand=True))
            case _:
                raise ExpressionError("a number is expected")

    def _constant(self, value: float) -> int:
        slot = self._slot(("constant", type(value), value), value)
        self._exact[slot] = Fraction(repr(value))
        return slot

    def _arithmetic(self, operator: str, left: int, right: int) -> int:
        """Constants are computed here, exactly: numpy would do it in 64-bit integers, and make a number of the column's precision wider."""
        if left not in self._exact or right not in self._exact:
            return self._step(operator, _ARITHMETIC[operator], left, right)
        if operator == "/" and not self._exact[right]:
            raise ExpressionError("divides by zero")
        exact = _EXACT[operator](self._exact[left], self._exact[right])
        check_size(exact)
        return self._constant(int(exact) if exact.denominator == 1 else float(exact))
