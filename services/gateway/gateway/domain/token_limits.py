"""Which shares hold for whom: those of everybody, and those of single tenants, scenarios and principals that a file names.

The file says ``tenants``, ``scenarios`` and ``principals``; a tenant stands there by its name, a scenario as ``tenant/scenario`` or for all
tenants as ``scenario``, a principal as ``tenant/subject``. Each row has some of four numbers, and where it has one, that holds instead; 0
is no limit. The narrower row wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from meshkit.errors import InvalidDocument
from meshkit.tenants import TENANT

from gateway.domain.route import SCENARIO
from gateway.domain.token_shares import KINDS, SCOPES, Scope, Share, Whose
from gateway.domain.token_windows import PERIODS

LIMITS_INVALID = "TOKEN_LIMITS_INVALID"
MOST_TOKENS = 10**12
_MAX_ROWS, _MAX_SUBJECT = 10_000, 200
_PLURALS: Mapping[str, Scope] = {"tenants": "tenant", "scenarios": "scenario", "principals": "principal"}
Row = Mapping[str, int]
FIELDS = tuple(f"{kind}_per_{period}" for period in PERIODS for kind in KINDS)


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """``everybody``: by scope; ``named``: by scope and name. A row has fields ``prompt_per_minute``, ``output_per_day`` and so on."""

    everybody: Mapping[Scope, Row]
    named: Mapping[Scope, Mapping[str, Row]]

    def shares(self, whose: Whose) -> tuple[Share, ...]:
        """Return the shares of a call."""
        found: list[Share] = []
        for scope in SCOPES:
            rows = [self.everybody.get(scope, {}), *(self.named.get(scope, {}).get(name, {}) for name in _names(scope, whose))]
            merged = {field: tokens for row in rows for field, tokens in row.items()}
            if not whose.account(scope):
                continue
            limits = ((kind, period, merged.get(f"{kind}_per_{period}", 0)) for kind in KINDS for period in PERIODS)
            found += (Share(scope, kind, period, tokens) for kind, period, tokens in limits if tokens)
        return tuple(found)

    @classmethod
    def of(cls, everybody: Mapping[Scope, Row], document: Any = None) -> Self:
        """Build from settings and the parsed file, if any. Raises InvalidDocument that names the place and what is wrong."""
        if document is None:
            return cls(everybody, {})
        if not isinstance(document, Mapping) or not document or not set(document) <= set(_PLURALS):
            raise _wrong(f"the table has some of {', '.join(_PLURALS)}, and nothing else")
        return cls(everybody, {_PLURALS[plural]: _named(plural, rows) for plural, rows in document.items()})


def _names(scope: Scope, whose: Whose) -> tuple[str, ...]:
    if scope == "tenant":
        return (whose.tenant,)
    if scope == "scenario":
        return whose.scenario, f"{whose.tenant}/{whose.scenario}"
    return (f"{whose.tenant}/{whose.principal}",)


def _named(plural: str, rows: Any) -> Mapping[str, Row]:
    if not isinstance(rows, Mapping) or not rows or len(rows) > _MAX_ROWS:
        raise _wrong(f"{plural}: 1 to {_MAX_ROWS} rows")
    found: dict[str, Row] = {}
    for name, row in rows.items():
        place = f"{plural}: {name}"
        if not isinstance(name, str) or not _is_name(plural, name):
            raise _wrong(f"{plural}: a name is {_FORMS[plural]}")
        if not isinstance(row, Mapping) or not row or not set(row) <= set(FIELDS):
            raise _wrong(f"{place}: needs some of {', '.join(FIELDS)}, and nothing else")
        for field, tokens in row.items():
            if not isinstance(tokens, int) or isinstance(tokens, bool) or not 0 <= tokens <= MOST_TOKENS:
                raise _wrong(f"{place}: {field} must be a whole number from 0 to {MOST_TOKENS}")
        _check_periods(row, place)
        found[name] = dict(row)
    return found


_FORMS = {"tenants": "tenant", "scenarios": "scenario or tenant/scenario", "principals": "tenant/subject"}


def _is_name(plural: str, name: str) -> bool:
    tenant, slash, rest = name.partition("/")
    if plural == "tenants":
        return TENANT.fullmatch(name) is not None
    if plural == "scenarios":
        return SCENARIO.fullmatch(name) is not None if not slash else bool(TENANT.fullmatch(tenant) and SCENARIO.fullmatch(rest))
    return bool(slash and TENANT.fullmatch(tenant) and 0 < len(rest) <= _MAX_SUBJECT and rest.isprintable())


def _check_periods(row: Row, place: str) -> None:
    """A minute that may have more than its day is a mistake in one of the two."""
    for kind in KINDS:
        minute, day = row.get(f"{kind}_per_minute", 0), row.get(f"{kind}_per_day", 0)
        if minute and day and minute > day:
            raise _wrong(f"{place}: {kind}_per_minute is more than {kind}_per_day")


def _wrong(text: str) -> InvalidDocument:
    return InvalidDocument(text, reason=LIMITS_INVALID)
