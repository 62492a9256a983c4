"""Events of documents: what is a record's own fault becomes a dead letter, what is kept damaged stands, what never came is told."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiokafka import ConsumerRecord
from finmesh.rag.v1 import document_pb2, events_pb2
from meshkit.clock import FakeClock
from meshkit.errors import Conflict, DataCorrupted, MeshError, Unavailable
from meshkit.events.offsets_in_db import Loss, LossReason, Position
from rag.consumers.documents import SUBMITTED, SubmittedDocuments
from rag.domain.document import State, Submission, Version
from rag.main.ingest import lost_alarm
from rag.usecases.on_document_submitted import OnDocumentSubmitted

AT = [Position(0, "topic", 3)]


def record(offset: int, document_id: str) -> ConsumerRecord[bytes, bytes]:
    event = events_pb2.DocumentSubmitted(
        tenant="harbour",
        submitted_by="core",
        inline="等待期为90日。".encode(),
        description=document_pb2.DocumentDescription(document_id=document_id, source_version=1),
    )
    value = event.SerializeToString()
    return ConsumerRecord(SUBMITTED, 0, offset, 0, 0, b"", value, None, 0, len(value), ())


@dataclass
class Neighbours:
    """Originals, ledger, positions and dead letters of one topic."""

    fails: dict[str, MeshError] = field(default_factory=dict)
    enrolled: list[str] = field(default_factory=list)
    dead: list[tuple[int, str]] = field(default_factory=list)
    kept: list[Position] = field(default_factory=list)
    lost: list[Loss] = field(default_factory=list)

    @asynccontextmanager
    async def keep(self, tenant: str, content: bytes) -> AsyncIterator[str]:
        yield "original"

    async def enrol(self, submission: Submission, now_us: int) -> Version:
        if (error := self.fails.get(submission.document_id)) is not None:
            raise error
        self.enrolled.append(submission.document_id)
        return Version(1, submission, State.ENROLLED)

    async def reached(self, topic: str, positions: Sequence[Position]) -> None:
        self.kept = list(positions)

    async def write(self, record: ConsumerRecord[bytes, bytes], error: MeshError) -> None:
        self.dead.append((record.offset, error.reason))

    def topic(self) -> SubmittedDocuments:
        on_submitted = OnDocumentSubmitted(self, self, FakeClock())  # type: ignore[arg-type]
        return SubmittedDocuments(self, self, self.lost.append, on_submitted)  # type: ignore[arg-type]


async def test_a_record_s_own_fault_is_a_dead_letter_and_the_others_go_on() -> None:
    around = Neighbours({"乙": Conflict("other content", reason="SOURCE_VERSION_CONFLICT")})
    await around.topic().store([record(0, "甲"), record(1, "乙"), record(2, "丙")], (), AT)
    assert (around.enrolled, around.dead, around.kept) == (["甲", "丙"], [(1, "SOURCE_VERSION_CONFLICT")], AT)


@pytest.mark.parametrize("reason", ["LEDGER_DAMAGED", "SEAL_BROKEN"])
async def test_what_is_kept_damaged_is_no_record_s_fault(reason: str) -> None:
    around = Neighbours({"乙": DataCorrupted("damaged", reason=reason)})
    records = [record(0, "甲"), record(1, "乙"), record(2, "丙")]
    for _ in range(2):
        with pytest.raises(Unavailable) as stands:
            await around.topic().store(records, (), AT)
        assert stands.value.reason == reason
    assert (around.dead, around.kept) == ([], [])
    around.fails.clear()
    await around.topic().store(records, (), AT)
    assert (around.enrolled[-3:], around.dead, around.kept) == (["甲", "乙", "丙"], [], AT)


async def test_what_never_came_is_told_before_its_place_is_kept() -> None:
    around, loss = Neighbours(), Loss(LossReason.RETENTION_PASSED, Position(0, "topic", 1), Position(0, "topic", 3))
    await around.topic().store((), [loss], AT)
    assert (around.lost, around.kept) == ([loss], AT)


class Health:
    """A service's health."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    def degraded(self, component: str, reason: str) -> None:
        self.missing[component] = reason

    def not_ready(self, component: str, reason: str) -> None:
        raise AssertionError(component)

    def recovered(self, component: str) -> None:
        del self.missing[component]


@pytest.mark.parametrize("reason", list(LossReason))
def test_what_never_came_stands_in_log_and_health(caplog: pytest.LogCaptureFixture, reason: LossReason) -> None:
    health = Health()
    alarm: Callable[[Loss], None] = lost_alarm(health, SUBMITTED)
    alarm(Loss(reason, Position(4, "old", 17), Position(4, "new", 23)))
    assert health.missing == {f"records lost of {SUBMITTED}": reason}
    (told,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert all(word in told.getMessage() for word in (SUBMITTED, reason, "partition 4", "17 of old", "23 of new"))
