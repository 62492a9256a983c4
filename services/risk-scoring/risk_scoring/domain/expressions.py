"""The part of the ZEN expression language that rules may use: text to a small tree.

Two forms, as in the JSON Decision Model: a *unary test* stands in a cell of a column that has a field (``> 5``, ``[1..5]``, ``"a", "b"``),
an *expression* stands in a cell of a column without field and in expression nodes (``amount > 100 and not (has_device)``). Whatever lies
outside the subset of docs/rules.md raises ExpressionError here, at load: text that one engine reads in another way than the other must
never go live. So ``-`` for "any" is refused: zen-engine never matches it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

MAX_LENGTH = 1000
MAX_DEPTH = 40
LARGEST = 2**53  # up to here every whole number has a float64 of its own
BLANKS = " \t\n"  # a no-break space looks like one, and zen-engine takes neither it nor any other


class ExpressionError(ValueError):
    """The text is outside the documented subset."""


@dataclass(frozen=True, slots=True)
class Column:
    """A named input."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text, truth value, or None for null."""

    value: float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Compare:
    """``left operator right``; the operator is one of == != < <= > >=."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left operator right``; the operator is one of + - * /."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Both:
    """``left and right``."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Either:
    """``left or right``."""

    left: Node
    right: Node


Node = Column | Literal | Compare | Arithmetic | Not | Both | Either

_TOKEN = re.compile(
    r"""[ \t\n]*(?:(?P<number>[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<text>"[^"\\]*"|'[^'\\]*')"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>==|!=|<=|>=|\.\.|[<>()\[\],+*/-]))"""
)
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_WORDS = {"and", "or", "not", "in", "true", "false", "null"}
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def parse_expression(text: str) -> Node:
    """Parse a standard expression; raises ExpressionError."""
    parser = _Parser(text)
    return parser.whole(parser.either)


def parse_unary(text: str, subject: Node) -> Node:
    """Parse a unary test on ``subject``; raises ExpressionError. Commas mean "or"."""
    parser = _Parser(text)

    def tests() -> Node:
        node = parser.chain(lambda: parser.unary_term(subject))
        while parser.take(","):
            node = Either(node, parser.chain(lambda: parser.unary_term(subject)))
        return node

    return parser.whole(tests)


def columns_of(node: Node) -> Iterator[str]:
    """Names of the columns that a tree reads, with repetitions."""
    match node:
        case Column(name):
            yield name
        case Compare(_, left, right) | Arithmetic(_, left, right) | Both(left, right) | Either(left, right):
            yield from columns_of(left)
            yield from columns_of(right)
        case Not(operand):
            yield from columns_of(operand)
        case Literal():
            return


class _Parser:
    """Recursive descent over the tokens of one text; deepest nesting ``MAX_DEPTH``."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"longer than {MAX_LENGTH} characters")
        self._tokens: list[str] = []
        self._at = 0
        self._depth = 0
        end = 0
        while match := _TOKEN.match(text, end):
            self._tokens.append(match.group().strip(BLANKS))
            end = match.end()
        if rest := text[end:].strip(BLANKS):
            raise ExpressionError(f"cannot read {rest[:20]!r}")
        if "\0" in text:
            raise ExpressionError("holds the character U+0000, which a column's texts can't end with")

    def whole(self, rule: Callable[[], Node]) -> Node:
        node = rule()
        if self._at < len(self._tokens):
            raise ExpressionError(f"unexpected {self._tokens[self._at]!r}")
        return node

    def take(self, *wanted: str) -> str:
        """Consume the next token if it is one of ``wanted``; the token, or an empty text."""
        if self._at < len(self._tokens) and self._tokens[self._at] in wanted:
            self._at += 1
            return self._tokens[self._at - 1]
        return ""

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise ExpressionError(f"{wanted!r} is missing")

    def chain(self, part: Callable[[], Node]) -> Node:
        """Parts joined by ``and`` and ``or``; ``and`` binds tighter."""
        node = self._all(part)
        while self.take("or"):
            node = Either(node, self._all(part))
        return node

    def _all(self, part: Callable[[], Node]) -> Node:
        node = part()
        while self.take("and"):
            node = Both(node, part())
        return node

    def either(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError("nested too deeply")
        node = self.chain(self._negation)
        self._depth -= 1
        return node

    def _negation(self) -> Node:
        if self.take("not"):
            return Not(self._primary())
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        if operator := self.take(*_COMPARISONS):
            return Compare(operator, left, self._sum())
        if self.take("not"):
            self.need("in")
            return Not(self._collection(left))
        return self._collection(left) if self.take("in") else left

    def unary_term(self, subject: Node) -> Node:
        """One test of a cell: an operator with its right side, a range, ``in``, ``not in``, or a value that must be equal."""
        if operator := self.take(*_COMPARISONS):
            return Compare(operator, subject, self._sum())
        if self.take("not"):
            self.need("in")
            return Not(self._collection(subject))
        if self.take("in"):
            return self._collection(subject)
        if self._at < len(self._tokens) and self._tokens[self._at] in ("[", "("):
            return self._range(subject, self.take("[", "("), self._sum())
        value = self._sum()
        if not isinstance(value, Literal):
            raise ExpressionError("a bare value must be a number, a text, true, false or null")
        return Compare("==", subject, value)

    def _collection(self, subject: Node) -> Node:
        bracket = self.take("[", "(")
        if not bracket:
            raise ExpressionError("'in' needs a list or a range")
        first = self._sum()
        if bracket == "(" or (self._at < len(self._tokens) and self._tokens[self._at] == ".."):
            return self._range(subject, bracket, first)
        node: Node = Compare("==", subject, _literal(first))
        while self.take(","):
            node = Either(node, Compare("==", subject, _literal(self._sum())))
        self.need("]")
        return node

    def _range(self, subject: Node, bracket: str, low: Node) -> Node:
        self.need("..")
        high = self._sum()
        closing = self.take("]", ")")
        if not closing:
            raise ExpressionError("the range is not closed")
        return Both(
            Compare(">=" if bracket == "[" else ">", subject, low),
            Compare("<=" if closing == "]" else "<", subject, high),
        )

    def _sum(self) -> Node:
        node = self._product()
        while operator := self.take("+", "-"):
            node = Arithmetic(operator, node, self._product())
        return node

    def _product(self) -> Node:
        node = self._factor()
        while operator := self.take("*", "/"):
            node = Arithmetic(operator, node, self._factor())
        return node

    def _factor(self) -> Node:
        if not self.take("-"):
            return self._primary()
        operand = self._primary()
        if isinstance(operand, Literal) and isinstance(operand.value, (int, float)) and not isinstance(operand.value, bool):
            return Literal(-operand.value)
        return Arithmetic("-", Literal(0), operand)

    def _primary(self) -> Node:
        if self.take("("):
            node = self.either()
            self.need(")")
            return node
        if self._at >= len(self._tokens):
            raise ExpressionError("ends too early")
        token = self._tokens[self._at]
        self._at += 1
        if token[0].isdigit():
            return _number(token)
        if token[0] in "\"'":
            return Literal(token[1:-1])
        if token in _CONSTANTS:
            return Literal(_CONSTANTS[token])
        if token in _WORDS or not (token[0].isalpha() or token[0] == "_"):
            raise ExpressionError(f"unexpected {token!r}")
        return Column(token)


def _literal(node: Node) -> Literal:
    if not isinstance(node, Literal) or node.value is None:
        raise ExpressionError("a list may hold numbers and texts only")
    return node


def _number(token: str) -> Literal:
    value = float(token) if any(mark in token for mark in ".eE") else int(token)
    check_size(value)
    if value == 0 and any(digit in token.lower().partition("e")[0] for digit in "123456789"):
        raise ExpressionError(f"{token[:40]} is too small a number")
    return Literal(value)


def check_size(value: float | Fraction) -> None:
    """Raise ExpressionError for a number that columns can't be compared with exactly."""
    if not -LARGEST <= value <= LARGEST or (value != 0 and -1 / LARGEST < value < 1 / LARGEST):
        raise ExpressionError("a number other than 0 must lie between 2^-53 and 2^53")
