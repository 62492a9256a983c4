"""Changes of the ledger reach the audit log, then banks, in order and once at least."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from meshkit.clock import FakeClock
from meshkit.errors import Unavailable
from meshkit.events.offsets_in_db import Position
from rag.domain.document import Change, ChangeKind, Version
from rag.domain.evidence import ChangeAct, Changed
from rag.steps.announce import Announcements

from tests.unit.rag.shelf import version

CHANGES = [
    Change(1, ChangeKind.PUBLISHED, "bank-a", 1),
    Change(2, ChangeKind.FAILED, "bank-a", 2),
    Change(3, ChangeKind.PUBLISHED, "bank-a", 3),
    Change(4, ChangeKind.WITHDRAWN, "bank-a", 3),
    Change(5, ChangeKind.PUBLISHED, "bank-a", 1),  # again: it demands more of its readers
]


class Neighbours:
    """Ledger, audit log and banks, as far as they are asked; ``away``: how often a bank's topic can't be reached."""

    def __init__(self, away: int = 0) -> None:
        self.at, self.away = 0, away
        self.told: list[str] = []
        self.done = asyncio.Event()

    async def changes(self, after: int, limit: int) -> list[Change]:
        return [change for change in CHANGES if change.seq > after][:2]

    async def version_of(self, version_id: int) -> Version:
        return replace(version(f"文档{version_id}"), from_seq=version_id)

    async def positions(self, topic: str) -> Mapping[int, Position]:
        return {0: Position(0, "", self.at)} if self.at else {}

    async def reached(self, topic: str, positions: Sequence[Position]) -> None:
        self.at = positions[0].next_offset
        if self.at == len(CHANGES):
            self.done.set()

    async def announce(self, changes: Sequence[tuple[Change, Version]]) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("away", reason="EVENT_LOG_DOWN")
        self.told += [f"bank {change.seq}" for change, _ in changes]

    async def changed(self, facts: Changed) -> str:
        assert facts.act is ChangeAct.PUBLISH and facts.caller.principal
        self.told.append(f"audit {facts.sequence}")
        return ""


async def run(neighbours: Neighbours) -> list[str]:
    made: object = neighbours
    task = asyncio.create_task(Announcements(made, made, made, made, FakeClock()).run())  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        await neighbours.done.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return neighbours.told


async def test_the_audit_log_hears_of_a_version_before_its_bank() -> None:
    assert await run(Neighbours()) == ["audit 1", "bank 1", "bank 2", "audit 3", "bank 3", "bank 4", "bank 5"]


async def test_what_could_not_be_told_is_told_again() -> None:
    assert await run(Neighbours(away=1)) == ["audit 1", "audit 1", "bank 1", "bank 2", "audit 3", "bank 3", "bank 4", "bank 5"]
