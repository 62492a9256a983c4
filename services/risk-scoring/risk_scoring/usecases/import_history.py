"""Put the past into the feature store before the first decision: without it every customer, device and counterparty is new.

Parts are counted once each, in order, so that an import that was killed goes on where it stopped when it is started again. What is
imported is not in the decision topic: after the loss of the whole store it has to be imported again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from meshkit.errors import InvalidArgument

from risk_scoring.domain.observation import Change
from risk_scoring.ports import HistoryStore

_PART = 500


class ImportHistory:
    """Counts changes of the past, in order of time."""

    def __init__(self, store: HistoryStore) -> None:
        self._store = store

    async def __call__(self, import_id: str, changes: Iterable[Change], progress: Callable[[int], None]) -> int:
        """Return how many changes the import holds; ``progress`` is told how many are counted. Raises InvalidArgument, Unavailable."""
        due = await self._store.imported_parts(import_id)
        total = 0
        for number, part in enumerate(_parts(changes)):
            total += len(part)
            if number >= due:
                due = await self._store.import_part(import_id, number, part)
                if due <= number:
                    raise InvalidArgument("the import runs elsewhere, or with other files", reason="IMPORT_OUT_OF_ORDER")
            progress(total)
        return total


def _parts(changes: Iterable[Change]) -> Iterator[list[Change]]:
    rest = iter(changes)
    while part := list(islice(rest, _PART)):
        yield part
