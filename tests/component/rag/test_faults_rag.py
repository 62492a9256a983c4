"""What a fault campaign does and judges, against rag in one process where nothing is killed: what is made wrong is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from documents.errors import DocumentError
from documents.limits import Limits
from documents.parsed import Parsed
from documents.read import read
from drills.faults_rag.doors import Door
from drills.faults_rag.intake import Intake
from drills.faults_rag.judge import Judge
from drills.faults_rag.plan import Plan, Way, planned
from drills.faults_rag.readers import Readers
from drills.faults_rag.verdict import Tally
from meshkit.clock import SystemClock
from meshkit.config import KafkaSettings
from meshkit.errors import InvalidArgument
from meshkit.rpc.channel import MeshChannel
from meshkit.testing.keys import commitment_ring, payload_sealer
from rag.adapters.file_blobs import FileBlobs
from rag.adapters.file_grades import file_grades
from rag.domain.access import Access, Reader
from rag.domain.document import State, Submission, Version
from rag.steps.ingest import Ingestor
from rag.steps.prepare import Prepare

from tests.component.rag.world import World, world


class Parser:
    """Reads in this process: no document here is poison."""

    identity = "here"

    async def parse(self, content: bytes, name: str, media_type: str) -> Parsed:
        try:
            return read(memoryview(bytearray(content)), name, media_type, Limits(), None)
        except DocumentError as error:
            raise InvalidArgument(error.message, reason=error.reason) from error


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[World, Door]]:
    """Rag with a leader that reads what is handed in."""
    async with world(folder) as made, MeshChannel(made.target, timeout_s=15.0) as channel:
        made.vectors.position = made.ledger.library.sequence  # type: ignore[attr-defined]
        blobs = FileBlobs(folder / "blobs", payload_sealer(), commitment_ring(), SystemClock())
        prepare = Prepare(blobs, Parser(), file_grades(Path(str(files("rag") / "grades.yaml"))), 400)
        ingestor = Ingestor(
            made.ledger.workbench,
            prepare,
            SystemClock(),
            owner="one",
            lease_s=30.0,
            parallel=1,
            attempts=3,
            standing=lambda _: None,
        )
        running = [asyncio.create_task(ingestor.run()), asyncio.create_task(made.follow.run())]
        try:
            yield made, Door(channel)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def judged(door: Door, plan: Plan, drain_s: float = 60.0) -> tuple[Tally, Readers]:
    """Hand everything in, ask a hundred times, judge."""
    await door.grant()
    intake = Intake(door, None, plan.steps, lambda: None)  # type: ignore[arg-type]  # nothing comes by an event
    intake.allow(len(plan.steps))
    await intake.run()
    judge = Judge(door, KafkaSettings(), drain_s)
    for tenant, _, _ in plan.handed:
        judge.enrolled[tenant] += 1
    tally = Tally(rounds=1)
    if not await judge.caught_up():
        tally.findings.append("not drained")
    readers = Readers(door, plan, intake, "7")
    for _ in range(100):
        await readers.next()
    await judge.round(plan, intake.refused, tally)
    return tally, readers


def small() -> Plan:
    plan = planned(3, 0, 24)
    return replace(plan, steps=tuple(replace(step, way=Way.RPC) for step in plan.steps))


async def test_what_is_handed_in_comes_to_its_end_and_nobody_sees_what_is_not_for_them(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, door):
        tally, readers = await judged(door, small())
    assert (tally.findings, tally.lost, tally.leaked, readers.shown.leaks, readers.shown.findings) == ([], 0, 0, [], [])
    assert {"VISIBLE", "PARTIAL", "WITHDRAWN", "QUARANTINED GRADE_DECLARED"} <= tally.ends.keys()
    assert readers.shown.answered > 50 and readers.shown.records


async def test_rights_that_are_not_looked_at_are_found(tmp_path: Path) -> None:
    async with served(tmp_path) as (made, door):
        real = made.ledger.library.readable

        async def readable(reader: Reader, now_us: int) -> Mapping[int, Access]:
            return await real(replace(reader, clearance=3, groups=frozenset({"board", "retail"}), barriers=frozenset({"deal-x"})), now_us)

        made.ledger.library.readable = readable  # type: ignore[method-assign]
        tally, readers = await judged(door, small())
    assert readers.shown.leaks and not tally.lost


async def test_a_version_that_was_acknowledged_and_not_kept_is_found(tmp_path: Path) -> None:
    plan = small()
    place = next(place for place, each in plan.handed.items() if ("VISIBLE", "") in each.ends and place[:2] not in plan.withdrawn)
    async with served(tmp_path) as (made, door):
        real = made.ledger.intake.enrol

        async def enrol(submission: Submission, now_us: int) -> Version:
            if (submission.tenant, submission.document_id, submission.source_version) == place:
                return Version(1 << 40, submission, State.ENROLLED)
            return await real(submission, now_us)

        made.ledger.intake.enrol = enrol  # type: ignore[method-assign]
        tally, _ = await judged(door, plan, drain_s=2.0)
    assert "not drained" in tally.findings and tally.ends["ENROLLED"] == 1
