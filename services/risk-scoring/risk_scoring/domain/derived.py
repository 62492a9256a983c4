"""Columns that expression nodes name, put in where they are used. Every limit counts what comes out, not what was written.

Forty lines of ``d1 = d0 + d0`` are three kilobytes that stand for 2^40 parts, so sizes are added up before anything is put in.
"""

from __future__ import annotations

from risk_scoring.domain.expressions import Arithmetic, Both, Column, Compare, Either, ExpressionError, Literal, Node, Not

MAX_PARTS = 2_000
MAX_DEPTH = 500  # the interpreter recurses a thousand times; a cell of 1,000 characters alone is never deeper
MAX_ALL_PARTS = 200_000


class DerivedColumns:
    """The derived columns of one document. ``put_in`` and ``define`` raise ExpressionError past a limit."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._parts = 0

    def __contains__(self, name: str) -> bool:
        """Say whether a column of this name is defined."""
        return name in self._nodes

    def define(self, name: str, node: Node) -> None:
        """Name an expression; it may use what was named before."""
        size = self._checked(node)
        self._nodes[name] = self._substituted(node)
        self._sizes[name] = size

    def put_in(self, node: Node) -> Node:
        """Return the tree with derived columns replaced by what they stand for."""
        self._parts += self._checked(node)[0]
        if self._parts > MAX_ALL_PARTS:
            raise ExpressionError(f"the rules have more than {MAX_ALL_PARTS} parts once columns are put in")
        return self._substituted(node)

    def _checked(self, node: Node) -> tuple[int, int]:
        size, depth = self._measured(node)
        if size > MAX_PARTS:
            raise ExpressionError(f"has more than {MAX_PARTS} parts once columns are put in")
        if depth > MAX_DEPTH:
            raise ExpressionError(f"is nested deeper than {MAX_DEPTH} once columns are put in")
        return size, depth

    def _measured(self, node: Node) -> tuple[int, int]:
        """Return number of parts and depth of a tree."""
        match node:
            case Column(name):
                return self._sizes.get(name, (1, 1))
            case Literal():
                return 1, 1
            case Not(operand):
                size, depth = self._measured(operand)
                return size + 1, depth + 1
            case Compare(_, left, right) | Arithmetic(_, left, right) | Both(left, right) | Either(left, right):
                (first, one), (second, other) = self._measured(left), self._measured(right)
                return first + second + 1, max(one, other) + 1

    def _substituted(self, node: Node) -> Node:
        match node:
            case Column(name):
                return self._nodes.get(name, node)
            case Literal():
                return node
            case Not(operand):
                return Not(self._substituted(operand))
            case Compare(operator, left, right):
                return Compare(operator, self._substituted(left), self._substituted(right))
            case Arithmetic(operator, left, right):
                return Arithmetic(operator, self._substituted(left), self._substituted(right))
            case Both(left, right):
                return Both(self._substituted(left), self._substituted(right))
            case Either(left, right):
                return Either(self._substituted(left), self._substituted(right))
