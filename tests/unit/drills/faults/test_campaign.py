"""A campaign judges when everything is there, and no sooner."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from drills.faults.campaign import Campaign
from rich.console import Console

from tests.unit.drills.checks.logs import of_change, of_decision, writing

HOURS_S = 36_000.0


class Load:
    """Two transactions were sent. A beat of the campaign asks what was due, right after its look at the log."""

    def __init__(self) -> None:
        self.sent = SimpleNamespace(intended_us={b"1": 0, b"2": 0})
        self.calls = SimpleNamespace(replies={})
        self.watcher = SimpleNamespace(seen=SimpleNamespace(digests={}, decided=0))
        self.beats = asyncio.Semaphore(0)

    def decide(self, name: str) -> None:
        seen = self.watcher.seen
        seen.digests[name] = 0
        seen.decided = len(seen.digests)

    def due(self) -> tuple[int, int]:
        self.beats.release()
        return 0, 0


async def test_it_waits_for_the_audit_of_each_decision_whatever_else_is_in_the_log(tmp_path: Path) -> None:
    load: Any = Load()
    site: Any = SimpleNamespace(audit_file=tmp_path / "audit.db")
    anything: Any = SimpleNamespace()
    campaign = Campaign(site, mesh=anything, load=load, injector=anything, console=Console(quiet=True))
    beating = asyncio.create_task(campaign.beat())
    waiting = asyncio.create_task(campaign.drained(time.time() + HOURS_S))

    async def seen() -> bool:
        """Whether it still waits, now that it has looked at what there is."""
        for _ in range(3):  # the look that was under way, one that saw everything, and one after it was thought about
            await load.beats.acquire()
        return not waiting.done()

    try:
        with writing(site.audit_file) as audit:
            load.decide("a")
            audit.write(*(of_change(number) for number in range(9)), of_decision("a"))
            assert await seen(), "one is not decided"
            load.decide("b")
            assert await seen(), "one is not audited, though there are more records than decisions"
            audit.write(of_decision("b"))
            await waiting
    finally:
        for task in (beating, waiting):
            task.cancel()
        await asyncio.gather(beating, waiting, return_exceptions=True)
