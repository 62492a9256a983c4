"""Proof that a test can fail: the same check is run with the rule taken out, and must fail then.

A mutant lives only inside a test. For a rule in Lua, lines of the source are replaced before the script is loaded; for a rule in Python,
one attribute is. The replaced text must be there, so that a mutant can't silently go stale.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from risk_scoring.adapters import redis_link

Check = Callable[[], Awaitable[None] | None]


async def assert_fails_without(rule: str, check: Check, *mutants: AbstractContextManager[Any]) -> None:
    """Run ``check``; then once with each mutant in place, where it must raise AssertionError."""
    await _run(check)
    assert mutants, f"{rule}: name at least one mutant"
    for number, mutant in enumerate(mutants, 1):
        with mutant:
            try:
                await _run(check)
            except AssertionError:
                continue
        pytest.fail(f"{rule}: the check passes although mutant {number} took the rule out")


async def _run(check: Check) -> None:
    result = check()
    if inspect.isawaitable(result):
        await result


@contextmanager
def lua(script: str, old: str, new: str) -> Iterator[None]:
    """Links made inside the block run ``script`` with ``old`` replaced by ``new``."""
    genuine = redis_link._script

    def mutated(name: str) -> str:
        source = genuine(name)
        if name == script:
            assert old in source, f"{script}.lua has no line {old!r} any more"
            source = source.replace(old, new)
        return source

    with swapped(redis_link, "_script", mutated):
        yield


@contextmanager
def swapped(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace one attribute, a method for instance."""
    genuine = inspect.getattr_static(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, genuine)
