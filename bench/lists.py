"""A block list of a million entries from its topic's bytes to a snapshot, in processor time of one process; the broker is left out."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

from finmesh.risk.v1.list_entry_pb2 import LIST_KIND_BLOCK, LISTED_ENTITY_ACCOUNT, ListEntryChanged
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.config import KafkaSettings
from risk_scoring.consumers import list_entries
from risk_scoring.domain.lists import ListChange, ListedEntity, ListKind
from risk_scoring.usecases.on_list_entry_changed import OnListEntryChanged

from bench.report import Figures

_CHANGES = 100


class _Health:
    """Nobody looks."""

    def degraded(self, component: str, reason: str) -> None:
        """Nothing."""

    not_ready = degraded

    def recovered(self, component: str) -> None:
        """Nothing."""


async def measure(entries: int, say: Callable[[str], None]) -> Figures:
    """Apply the entries in the pieces that the follower fetches, then single changes on top of them."""
    say(f"making {entries} entries")
    records = [_record(number) for number in range(entries)]
    usecase = OnListEntryChanged(lambda snapshot: None)
    lists = list_entries.ListEntries(KafkaSettings(), usecase, _Health())
    say("applying them")
    began_s = time.process_time()
    for first in range(0, entries, list_entries._TOGETHER):
        lists.apply(records[first : first + list_entries._TOGETHER])
    whole_s = time.process_time() - began_s
    assert usecase.lists.size == entries
    snapshot = usecase.lists
    began_s = time.process_time()
    for number in range(_CHANGES):
        snapshot = snapshot.apply(
            ListChange(
                tenant="bank-a",
                kind=ListKind.BLOCK,
                entity=ListedEntity.ACCOUNT,
                entity_id=f"new-{number}",
                customer_id="",
                expires_at_s=4e9,
                author="bench",
            )
        )
    each_ms = (time.process_time() - began_s) / _CHANGES * 1000
    words = {"whole_list_s": "processor time to read and apply all of them", "single_change_ms": "processor time of one more change"}
    return Figures(f"a list of {entries:,} entries", {"whole_list_s": whole_s, "single_change_ms": each_ms}, words=words)


def _record(number: int) -> SimpleNamespace:
    entry = ListEntryChanged(
        tenant="bank-a",
        kind=LIST_KIND_BLOCK,
        entity=LISTED_ENTITY_ACCOUNT,
        entity_id=f"ACCT-{number:010}",
        author="fraud-desk",
        expires_at=Timestamp(seconds=4_000_000_000),
    )
    return SimpleNamespace(value=entry.SerializeToString(), partition=0, offset=number)
