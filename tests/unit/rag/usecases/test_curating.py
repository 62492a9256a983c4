"""What curators do, over a ledger of its own: bounds, and a record in the log of every decision, none of one that was refused."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord, KnowledgeAction
from finmesh.rag.v1 import rag_service_pb2 as pb
from meshkit.audit.records import AuditRecords
from meshkit.clock import FakeClock
from meshkit.errors import FailedPrecondition, InvalidArgument, MeshError, NotFound, Unavailable
from meshkit.testing.keys import commitment_ring, payload_sealer
from rag.adapters.file_blobs import FileBlobs
from rag.adapters.ledger.open import Ledger, ledger_at
from rag.domain.access import Grant
from rag.domain.caller import Caller
from rag.domain.document import Change, State, Version
from rag.steps.announce import Announcements
from rag.steps.evidence import Evidence
from rag.steps.purging import Purging
from rag.translate import custody
from rag.translate.records import RecordCodec
from rag.usecases.decide_quarantine import DecideQuarantine
from rag.usecases.on_document_withdrawn import OnDocumentWithdrawn
from rag.usecases.purge import Purge
from rag.usecases.set_grant import SetGrant
from rag.usecases.set_hold import SetHold
from rag.usecases.withdraw_document import WithdrawDocument

from tests.ports.rag.handing_in import T, shown, submission

CURATOR = Caller(T, "合规")


@dataclass
class Log:
    """Keeps records; away when told so."""

    records: list[AuditRecord] = field(default_factory=list)
    away: bool = False

    async def write(self, records: Sequence[bytes]) -> None:
        if self.away:
            raise Unavailable("away")
        self.records += [AuditRecord.FromString(each) for each in records]

    def told(self) -> list[str]:
        return [KnowledgeAction.Name(each.change.knowledge.action).removeprefix("KNOWLEDGE_ACTION_") for each in self.records]


@dataclass
class Heard:
    """What banks hear."""

    kinds: list[str] = field(default_factory=list)

    async def announce(self, changes: Sequence[tuple[Change, Version]]) -> None:
        self.kinds += [str(change.kind) for change, _ in changes]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = ledger_at(f"sqlite:///{tmp_path / 'ledger.db'}", payload_sealer())
    async with opened.store:
        yield opened


@pytest.fixture
def log() -> Log:
    return Log()


def evidence(ledger: Ledger, log: Log) -> Evidence:
    return Evidence(RecordCodec(AuditRecords("rag", "0.2.0", FakeClock(1.0)), commitment_ring()), log, ledger.references, ledger.reports)


async def refused(awaitable: object) -> str:
    with pytest.raises(MeshError) as error:
        await awaitable  # type: ignore[misc]
    return error.value.reason


async def test_grants(ledger: Ledger, log: Log) -> None:
    set_grant = SetGrant(ledger.custody, evidence(ledger, log), FakeClock())
    grant = custody.grant(pb.SetGrantRequest(clearance=3, groups=["精算"]))
    await set_grant(CURATOR, "p", grant)
    assert await ledger.library.grant(T, "p") == grant == Grant(3, frozenset({"精算"}))
    assert custody.grant(pb.SetGrantRequest()) == Grant(1)
    for principal, wrong in (("", grant), ("p\x00", grant), ("p" * 201, grant), ("p", Grant(5))):
        assert await refused(set_grant(CURATOR, principal, wrong)) == "GRANT_INVALID"
    assert log.told() == ["GRANT"]


async def test_holds_and_purges(ledger: Ledger, log: Log, tmp_path: Path) -> None:
    told, clock = evidence(ledger, log), FakeClock(time.time())
    blobs = FileBlobs(tmp_path / "originals", payload_sealer(), commitment_ring(), clock)
    set_hold = SetHold(ledger.custody, told, clock)
    purge = Purge(ledger.custody, Purging(ledger.custody, blobs, clock), told, clock)
    async with blobs.keep(T, b"original") as blob:
        await shown(ledger, submission(blob=blob))
    await set_hold(CURATOR, "条款", True, "诉讼")
    assert await refused(purge(CURATOR, "条款", "why")) == "LEGAL_HOLD"
    await set_hold(CURATOR, "条款", False, "诉讼结束")
    done = await purge(CURATOR, "条款", "客户要求")
    assert done.finished
    with pytest.raises(NotFound):
        await blobs.read(T, blob)
    assert (
        await refused(set_hold(CURATOR, "unknown", True, "why")) == await refused(purge(CURATOR, "unknown", "why")) == "DOCUMENT_NOT_FOUND"
    )
    assert log.told() == ["HOLD", "LIFT_HOLD", "PURGE"]


async def test_quarantine(ledger: Ledger, log: Log) -> None:
    decide = DecideQuarantine(ledger.custody, evidence(ledger, log), FakeClock())
    await ledger.intake.enrol(submission(declared_grade=4), 0)
    with pytest.raises(InvalidArgument) as wrong:
        await decide(CURATOR, "条款", 1, 4, "why")
    assert wrong.value.reason == "GRADE_NOT_INDEXED"
    log.away = True
    assert await refused(decide(CURATOR, "条款", 1, 2, "误报")) == "UNAVAILABLE"
    log.away = False
    assert (await decide(CURATOR, "条款", 1, 2, "误报")).state is State.ENROLLED
    with pytest.raises(FailedPrecondition):
        await decide(CURATOR, "条款", 1, 0, "why")
    assert log.told() == ["RELEASE"]


@pytest.mark.parametrize("text", ["", "  ", "x" * 1_001, "a\x00b"])
def test_a_decision_has_a_reason(text: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        custody.why(text)
    assert error.value.reason == "WHY_INVALID"
    assert custody.why(" 客户要求 ") == "客户要求"


async def test_withdrawals_by_whomever_and_versions_that_come_to_be_found(ledger: Ledger, log: Log) -> None:
    told, heard = evidence(ledger, log), Heard()
    withdraw = WithdrawDocument(ledger.intake, told, FakeClock())
    announcements = Announcements(ledger.library, ledger.positions, heard, told, FakeClock())
    first = await shown(ledger, submission(version=1))
    second = await shown(ledger, submission(version=2))
    log.away = True
    with pytest.raises(Unavailable):
        await announcements.once()
    assert not heard.kinds, "nobody hears of what the log does not know"
    log.away = False
    while await announcements.once():
        pass
    assert [each.change.knowledge.sequence for each in log.records] == [first, second] and log.told() == ["PUBLISH"] * 2
    assert log.records[0].change.knowledge.content_sha256 == submission(version=1).content_sha256
    sequence = await withdraw(CURATOR, "条款", 1)
    await OnDocumentWithdrawn(withdraw)(T, "核心系统", "条款", 2)
    assert await refused(withdraw(CURATOR, "unknown", 0)) == "DOCUMENT_NOT_FOUND"
    assert log.told()[2:] == ["WITHDRAW"] * 2 and log.records[2].change.knowledge.sequence == sequence
    assert len({each.principal_key for each in log.records[2:]}) == 2
    while await announcements.once():
        pass
    assert len(log.records) == 4 and sorted(heard.kinds)[-1] == "WITHDRAWN"
