"""The log is told before anybody is shown anything, of forbidden documents too; who goes away takes no end with it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.audit.records import AuditRecords
from meshkit.clock import FakeClock
from meshkit.errors import Unavailable
from meshkit.testing.keys import commitment_ring
from rag.domain.conversation import Read
from rag.domain.evidence import ChangeAct, Stage
from rag.steps.evidence import Evidence
from rag.translate.records import RecordCodec, document_key

from tests.unit.rag.looks import DOCUMENT, change, look


class Neighbours:
    """Log, references and reports that note the order in which they are called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.records: list[AuditRecord] = []
        self.read: list[Read] = []
        self.failure: Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def write(self, records: Sequence[bytes]) -> None:
        self.calls.append("log")
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        self.records += [AuditRecord.FromString(each) for each in records]

    async def referred(self, tenant: str, names: Collection[str]) -> dict[str, frozenset[int]]:
        self.calls.append(("referred", tenant, list(names)))
        there = {"terms": frozenset({3, 99}), "secret": frozenset({99}), "blank": frozenset[int]()}
        return {name: there[name] for name in names if name in there}

    async def reads(self, tenant: str, reads: Sequence[Read]) -> None:
        self.calls.append("reads")
        self.read += reads


def evidence(neighbours: Neighbours) -> Evidence:
    codec = RecordCodec(AuditRecords("rag", "0.2.0", FakeClock(1.0)), commitment_ring())
    return Evidence(codec, neighbours, neighbours, neighbours)  # type: ignore[arg-type]


async def test_what_was_named_and_may_not_be_read_is_told_to_the_log_alone() -> None:
    neighbours = Neighbours()
    record_id = await evidence(neighbours).looked(look(forbidden=()), ["terms", "secret", "nothing", "blank", "terms"])
    (record,) = neighbours.records
    assert record.audit_record_id == record_id
    key = commitment_ring().primary
    assert list(record.retrieval.forbidden_keys) == [document_key(key, "bank-a", name) for name in ("blank", "secret")]


async def test_look_ups_are_as_many_whatever_was_named() -> None:
    counted = []
    for named in ([], ["terms"], ["secret"], ["nothing"]):
        neighbours = Neighbours()
        await evidence(neighbours).looked(look(), named)
        counted.append([each if isinstance(each, str) else each[0] for each in neighbours.calls])
    assert counted == [["referred", "log", "reads"]] * 4


async def test_reads_are_kept_by_version_and_without_what_was_not_shown() -> None:
    neighbours = Neighbours()
    record_id = await evidence(neighbours).looked(look())
    assert [(read.document_id, read.source_version, read.ordinals) for read in neighbours.read] == [
        (DOCUMENT, 3, (7,)),
        ("terms", 20_261_129_123_456, (0,)),
    ]
    assert {(read.principal, read.purpose, read.audit_record_id) for read in neighbours.read} == {("张三", "claims-handling", record_id)}


async def test_a_log_that_is_away_fails_the_call_and_nothing_counts_as_read() -> None:
    neighbours = Neighbours()
    neighbours.failure = Unavailable("away")
    with pytest.raises(Unavailable):
        await evidence(neighbours).looked(look())
    assert neighbours.read == []


async def test_the_end_is_recorded_though_the_caller_went_away() -> None:
    neighbours = Neighbours()
    neighbours.go_on.clear()
    step = evidence(neighbours)
    caller = asyncio.create_task(step.ended(look(interrupted=True)))
    while "log" not in neighbours.calls:
        await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    neighbours.go_on.set()
    await step.aclose()
    (record,) = neighbours.records
    assert record.retrieval.interrupted and record.retrieval.stage == 3
    assert neighbours.read == [], "the beginning told what was shown"


async def test_a_beginning_counts_as_reading_and_a_change_is_a_record() -> None:
    neighbours = Neighbours()
    await evidence(neighbours).looked(look(stage=Stage.BEGUN))
    assert neighbours.read
    record_id = await evidence(neighbours).changed(change(ChangeAct.HOLD))
    assert neighbours.records[-1].audit_record_id == record_id and neighbours.records[-1].change.HasField("knowledge")
