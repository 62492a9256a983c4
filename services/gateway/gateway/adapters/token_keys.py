"""Names of what Redis knows of tokens."""

from __future__ import annotations

_PREFIX = "finmesh:gateway:tokens"
READER = f"{_PREFIX}:reader"  # where the reader of audit records stands, and whether the books are whole
LEADER = f"{_PREFIX}:leader"  # which gateway reads them


def account_key(tenant: str, account: str) -> str:
    """Return the key of an account; with ``:calls`` that of its calls, with ``:`` and a window's name that of what was used in it."""
    return f"{_PREFIX}:{{{tenant}}}:{account}"


def done_key(tenant: str, call: str) -> str:
    """Return the key that is there when the record of a call is booked."""
    return f"{_PREFIX}:{{{tenant}}}:done:{call}"


def booked_key(day: str) -> str:
    """Return the key of the set of generations of a day that are booked."""
    return f"{_PREFIX}:booked:{day}"
