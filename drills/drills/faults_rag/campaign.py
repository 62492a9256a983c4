"""One campaign: rounds in a mesh of its own, each with documents, readers and every injection once, judged at its end.

A campaign that is ended goes on with the round that it was in, in a new mesh: a round is judged as a whole or not at all.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.supervisor import Mesh
from meshkit.config import KafkaSettings
from meshkit.events.publisher import Publisher
from rich.console import Console

from drills.faults_rag import inject
from drills.faults_rag.doors import Door, opened
from drills.faults_rag.intake import Intake
from drills.faults_rag.judge import Judge
from drills.faults_rag.plan import Handed, Kind, Plan, order, planned
from drills.faults_rag.readers import Readers
from drills.faults_rag.shelf import POISON_A_ROUND, poisoned, sampled
from drills.faults_rag.table import COPIED, places_of, table_of
from drills.faults_rag.verdict import Tally

FILE = "rag.json"
DRAIN_S = 420.0
"""A poison document may take its parser's whole time, 300 s, and may take it again after a kill."""


@dataclass(frozen=True, slots=True)
class Options:
    """``documents``: written ones of a round, beside samples and poison. ``encoder``: folder of a model other than the usual one."""

    seed: int
    rounds: int
    documents: int
    seconds: float
    kinds: Sequence[Kind] = tuple(Kind)
    with_samples: bool = True
    poison: int = POISON_A_ROUND
    drain_s: float = DRAIN_S
    encoder: Path | None = None


async def run(options: Options, folder: Path, console: Console) -> Tally:
    """Go on with a campaign in a folder, and return what it found. Raises StartError, LookupError, ValueError."""
    tally = load(folder)
    if tally.rounds < options.rounds:
        places = await asyncio.to_thread(places_of, folder, options.encoder)
        launcher.ensure_identity(places)
        ports = Ports.free().with_copies(COPIED)
        kafka = KafkaSettings(bootstrap_servers=f"{LOOPBACK}:{ports.kafka}")
        async with Mesh(table_of(places, ports), places.var) as mesh, opened(places, ports) as door:
            campaign = Campaign(options, mesh, places, door, kafka=kafka, console=console)
            try:
                async with asyncio.timeout(options.seconds):
                    await door.grant()
                    while tally.rounds < options.rounds:
                        tally.add(await campaign.round(tally.rounds))
                        save(folder, tally)
            except TimeoutError:
                console.print(f"the time is over in round {tally.rounds + 1}", highlight=False)
    if tally.rounds < options.rounds:
        return replace(tally, findings=[*tally.findings, f"not done: {tally.rounds} of {options.rounds} rounds"])
    return tally


def load(folder: Path) -> Tally:
    """What an earlier run left. Raises ValueError for a file of another kind."""
    file = folder / FILE
    if not file.exists():
        return Tally()
    try:
        content: dict[str, Any] = json.loads(file.read_text())
        return Tally(**content)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file} is no state of a campaign: remove it, or name another seed") from error


def save(folder: Path, tally: Tally) -> None:
    """Write it beside and rename, so that a file is whole or the one before."""
    beside = folder / f"{FILE}.new"
    beside.write_text(json.dumps(tally.as_state(), indent=1))
    beside.replace(folder / FILE)


class Campaign:
    """Rounds in one mesh: the ledger grows from round to round."""

    def __init__(self, options: Options, mesh: Mesh, places: Places, door: Door, *, kafka: KafkaSettings, console: Console) -> None:
        self._options, self._mesh, self._places, self._door, self._kafka = options, mesh, places, door, kafka
        self._console = console
        self._judge = Judge(door, kafka, options.drain_s)

    async def round(self, number: int) -> Tally:
        """Everything once, then the verdict. Raises StartError for a process that does not come up again."""
        options = self._options
        plan = await asyncio.to_thread(self._planned, number)
        tally = Tally(rounds=1, documents=len({place[:2] for place in plan.handed}), versions=len(plan.handed))
        changed, publisher = asyncio.Event(), Publisher(self._kafka)
        intake = Intake(self._door, publisher, plan.steps, changed.set)
        readers = Readers(self._door, plan, intake, f"{options.seed} {number}")
        handing, reading = asyncio.create_task(intake.run(), name="intake"), asyncio.create_task(readers.run(), name="readers")
        handing.add_done_callback(lambda _: changed.set())
        try:
            tally.kills = dict(await self._break(number, plan, intake, changed, handing))
            await handing
            await self._conclude(plan, intake, readers, tally)
        finally:
            for task in (handing, reading):
                task.cancel()
            broke = (await asyncio.gather(handing, reading, return_exceptions=True))[1]
            await publisher.aclose()
        if isinstance(broke, Exception):
            raise broke  # readers that ended by themselves saw nothing since
        shown = readers.shown
        tally.asked, tally.answered, tally.away = shown.asked, shown.answered, dict(shown.away)
        tally.leaked += len(shown.leaks)
        tally.findings += shown.leaks + shown.findings
        return tally

    def _planned(self, number: int) -> Plan:
        options = self._options
        given: list[Handed] = poisoned(options.seed, number, options.poison)
        given += sampled(options.seed, number) if options.with_samples else []
        return planned(options.seed, number, options.documents, given)

    async def _break(self, number: int, plan: Plan, intake: Intake, changed: asyncio.Event, handing: asyncio.Task[None]) -> Counter[str]:
        """Each injection once, in the middle of what is handed in."""
        kills: Counter[str] = Counter()
        rng = random.Random(f"{self._options.seed} {number} moments")
        kinds = order(self._options.seed, number, self._options.kinds)
        for place, kind in enumerate(kinds):
            begin, end = (at * len(plan.steps) // len(kinds) for at in (place, place + 1))
            intake.allow(end)
            due = begin + (end - begin) * rng.uniform(0.3, 0.6)
            while intake.done < due:
                changed.clear()
                if handing.done():
                    await handing  # it failed: say so
                await changed.wait()
            await inject.strike(self._mesh, self._places, kind)
            kills[kind] += 1
            self._console.print(f"round {number + 1}: {kind}, {intake.done} of {len(plan.steps)} handed in", highlight=False)
        return kills

    async def _conclude(self, plan: Plan, intake: Intake, readers: Readers, tally: Tally) -> None:
        for tenant, _, _ in plan.handed.keys() - intake.refused.keys():
            self._judge.enrolled[tenant] += 1
        is_drained = await self._judge.caught_up()
        tally.stuck = await self._judge.waiting()
        stood = await self._judge.round(plan, intake.refused, tally)
        unended = sum(stands.state == "ENROLLED" for stands in stood.values())
        tally.lost += max(0, unended - tally.stuck)
        if not is_drained:
            tally.findings.append(f"not drained: {tally.stuck} versions wait, {unended} of this round have no end")
        before = await self._judge.rankings(plan)
        await inject.without_indexes(self._mesh, self._places)
        if not await self._judge.caught_up(nothing_waits=False):
            tally.findings.append("the indexes were not made anew in time")
        after = await self._judge.rankings(plan)
        differing = [key for key in before if before[key] != after[key]]
        tally.unequal = len(differing)
        tally.findings += [f"another ranking after the indexes were made anew: {key}" for key in differing[:5]]
        await self._judge.logs_say(plan, stood, readers.shown.records, tally)
        ends = ", ".join(f"{count} {end}" for end, count in sorted(tally.ends.items()))
        self._console.print(f"{tally.versions} versions: {ends}; {readers.shown.asked} requests", highlight=False, soft_wrap=True)
