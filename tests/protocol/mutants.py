"""Proof that a test can fail: the same check is run with the rule taken out, and must fail then.

A mutant lives only inside a test. For a rule in Lua, lines of the source are replaced before the script is loaded; for a rule in Python,
one attribute is. The replaced text must be there, so that a mutant can't silently go stale. It takes something out of libs/ or services/,
never out of a test's own fake, and it must be seen to break something: that time runs out kills no mutant.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from risk_scoring.adapters import redis_link

Check = Callable[[], Awaitable[None] | None]
ROOT = Path(__file__).resolve().parents[2]
OURS = (ROOT / "libs", ROOT / "services")


class TooSlowError(Exception):
    """What a check waited for did not happen in time. Not an AssertionError: a slow machine looks the same."""


@dataclass
class Mutant(AbstractContextManager[None]):
    """A change for the length of a block. ``place``: the file of the code that is changed."""

    place: Path
    change: AbstractContextManager[Any]

    def __enter__(self) -> None:
        self.change.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        return self.change.__exit__(kind, error, trace)


async def assert_fails_without(rule: str, check: Check, *mutants: Mutant) -> None:
    """Run ``check``; then once with each mutant in place, where it must raise AssertionError."""
    await _run(check)
    assert mutants, f"{rule}: name at least one mutant"
    for number, mutant in enumerate(mutants, 1):
        assert any(mutant.place.is_relative_to(folder) for folder in OURS), f"{rule}: mutant {number} changes {mutant.place}"
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


def lua(script: str, old: str, new: str) -> Mutant:
    """Links made inside the block run ``script`` with ``old`` replaced by ``new``."""
    genuine = redis_link._script

    def mutated(name: str) -> str:
        source = genuine(name)
        if name == script:
            assert old in source, f"{script}.lua has no line {old!r} any more"
            source = source.replace(old, new)
        return source

    return swapped(redis_link, "_script", mutated)


def swapped(owner: Any, name: str, value: Any) -> Mutant:
    """Replace one attribute, a method for instance."""
    code = owner if inspect.ismodule(owner) or inspect.isclass(owner) else type(owner)
    return Mutant(Path(inspect.getfile(code)).resolve(), _swapped(owner, name, value))


def rewritten(owner: Any, name: str, old: str, new: str = "") -> Mutant:
    """Replace a function by what its source says once ``old`` stands as ``new``."""
    genuine = inspect.getattr_static(owner, name)
    source = textwrap.dedent(inspect.getsource(genuine))
    assert old in source, f"{name} has no {old!r} any more"
    made: dict[str, Any] = {}
    program = "from __future__ import annotations\n" + source.replace(old, new)
    exec(compile(program, inspect.getfile(genuine), "exec"), genuine.__globals__, made)
    return swapped(owner, name, made[name])


@contextmanager
def _swapped(owner: Any, name: str, value: Any) -> Iterator[None]:
    genuine = inspect.getattr_static(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, genuine)
