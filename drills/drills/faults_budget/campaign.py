"""One campaign: a mesh of its own, callers, one kill after the other; then everything ends, and books and records are compared.

Redis is killed in three ways: so that it comes back with what it had, empty, and while it is down calls go on by local shares.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.supervisor import Mesh
from meshkit.config import KafkaSettings
from rich.console import Console

from drills.faults_budget.load import Load, clients
from drills.faults_budget.table import COPIED, PENDING_S, places_of, table_of
from drills.faults_budget.verdict import Audited, Booked, audited, booked, drift

ROLES = ("gateway", "gateway-2", "router", "router-2", "redis", "redis, emptied", "redis, away for a while")
_SETTLED_S = 90.0


@dataclass(frozen=True, slots=True)
class Options:
    """`kills`: of each role."""

    seed: int
    requests: int
    kills: int
    seconds: float = 900.0


@dataclass
class Found:
    """What came of it."""

    requests: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    records: Audited = field(default_factory=Audited)
    books: Booked = field(default_factory=Booked)

    @property
    def drift(self) -> int:
        """Tokens and generations that books and records differ by."""
        return drift(self.records.accounts(), self.books.accounts)

    @property
    def unended(self) -> int:
        """Generations that began and never ended."""
        return len(self.records.started - self.records.ended.keys())

    @property
    def held_it(self) -> bool:
        """Whether every promise was kept."""
        faults = self.drift, self.books.held, self.unended, self.records.other_ends
        return not any(faults) and self.books.is_whole and self.ends["answered"] > 0

    def as_json(self) -> dict[str, Any]:
        """Return the figures."""
        spent, sums = (_tokens(accounts) for accounts in (self.books.accounts, self.records.accounts()))
        return {
            "requests": self.requests, "ends": dict(self.ends), "kills": dict(self.kills), "generations": len(self.records.ended),
            "interrupted": self.records.interrupted, "written_twice": self.records.repeated, "unended": self.unended,
            "spent": spent, "audited": sums, "drift": self.drift, "held": self.books.held, "whole": self.books.is_whole,
        }  # fmt: skip


def _tokens(accounts: Any) -> int:
    return sum(used["prompt"] + used["output"] for (_, account, _), used in accounts.items() if account == "tenant")


async def run(options: Options, folder: Path, console: Console) -> Found:
    """Run a campaign in a folder. Raises StartError, LookupError."""
    places = await asyncio.to_thread(places_of, folder)
    launcher.ensure_identity(places)
    ports = Ports.free().with_copies(COPIED)
    found = Found()
    async with Mesh(table_of(places, ports), places.var) as mesh, AsyncExitStack() as stack:
        changed = asyncio.Event()
        load = Load(await clients(places, ports, stack), options.seed, options.requests, changed.set)
        console.print(f"{options.requests} requests in {places.var}", highlight=False, soft_wrap=True)
        asking = asyncio.create_task(load.run(), name="load")
        try:
            async with asyncio.timeout(options.seconds):
                await _break(mesh, places, options, load, changed, found, console)
                await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        found.requests, found.ends = load.asked, load.ends
        console.print(f"asked: {dict(load.ends)}", highlight=False, soft_wrap=True)
        kafka = KafkaSettings(bootstrap_servers=f"{LOOPBACK}:{ports.kafka}")
        await _settled(found, kafka, f"redis://{LOOPBACK}:{ports.redis}/0")
    return found


async def _break(mesh: Mesh, places: Places, options: Options, load: Load, changed: asyncio.Event, found: Found, console: Console) -> None:
    """Kill each role so often, spread over the requests."""
    rng = random.Random(f"{options.seed} kills")
    order = [role for _ in range(options.kills) for role in rng.sample(ROLES, len(ROLES))]
    for number, role in enumerate(order):
        begin, end = (at * options.requests // len(order) for at in (number, number + 1))
        load.allow(end)
        due = begin + (end - begin) * rng.uniform(0.3, 0.6)  # in the middle of the flow
        while load.asked < due:
            changed.clear()
            await changed.wait()
        await _strike(mesh, places, role)
        found.kills[role] += 1
        console.print(f"{role} at request {load.asked}", highlight=False, soft_wrap=True)


async def _strike(mesh: Mesh, places: Places, role: str) -> None:
    row, _, how = role.partition(", ")
    if how:
        mesh.kill(row)
        await mesh.stop(row)
        if how == "emptied":
            await asyncio.to_thread(shutil.rmtree, places.var / row)
        else:
            await asyncio.sleep(2.0)
        await mesh.start(row)
        return
    pid = await mesh.wait(row)
    mesh.kill(row)
    await mesh.wait(row, pid)


async def _settled(found: Found, kafka: KafkaSettings, redis: str) -> None:
    """Read until everything ended and is booked, or for as long as that may take."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _SETTLED_S + PENDING_S
    while True:
        found.records, found.books = await audited(kafka), await booked(redis)
        if found.held_it or loop.time() > until_s:
            return
        await asyncio.sleep(1.0)
