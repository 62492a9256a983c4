"""What the ledger asks of a database. SQL is written once, with `?` for parameters and types that are put in by name.

Writers take turns on every database, over all processes, so that a transaction decides on what is there and the change log has no gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Types:
    """Column types of a database. ``identity``: a primary key that is given out once and never again; ``text``: ordered by code point."""

    integer: str
    blob: str
    identity: str
    text: str


class Connection(Protocol):
    """One connection, used by one thread at a time. Every method raises Unavailable, DataCorrupted (LEDGER_DAMAGED)."""

    @property
    def types(self) -> Types:
        """Return how columns are declared."""
        ...

    def write(self) -> AbstractContextManager[None]:
        """One durable transaction, in turn with all other writers; an exception rolls it back."""
        ...

    def read(self) -> AbstractContextManager[None]:
        """One snapshot: every query inside sees the same state."""
        ...

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Return how many rows changed."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run the statement once for each row."""
        ...

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return every row: the caller bounds how many."""
        ...

    def has_table(self, name: str) -> bool:
        """Whether a table of this name is there."""
        ...

    def scrub(self) -> bool:
        """Rewrite the store without what was deleted; False when somebody still looks at it: ask again."""
        ...

    def interrupt(self) -> None:
        """Let what runs on it end with Unavailable; from any thread."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


class Opener(Protocol):
    """A way into one database."""

    def __call__(self) -> Connection:
        """Return a connection of the calling thread. Raises Unavailable."""
        ...


def one(rows: Sequence[Row]) -> Row | None:
    """Return the first row, None without one."""
    return rows[0] if rows else None


def listed(ids: Iterable[int]) -> str:
    """Return integers as the right side of IN; a list that nothing is in when there are none."""
    return f"({','.join(str(int(number)) for number in ids) or 'NULL'})"
