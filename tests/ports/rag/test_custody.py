"""One suite for what curators decide, and for what is kept of questions, on SQLite and on PostgreSQL."""

import asyncio
import time
from pathlib import Path
from typing import BinaryIO

import pytest
from meshkit.clock import FakeClock
from meshkit.errors import Conflict, FailedPrecondition, NotFound
from meshkit.testing.keys import commitment_ring, payload_sealer
from rag.adapters import turns
from rag.adapters.file_blobs import FileBlobs
from rag.adapters.ledger.open import Ledger, ledger_at
from rag.domain.access import Access, Grant
from rag.domain.answer import Citation, Derivation, Sentence
from rag.domain.citing import PassageId
from rag.domain.conversation import Conversation, Read, Turn, Unanswered
from rag.domain.custody import Decision
from rag.domain.document import ChangeKind, State
from rag.domain.retrieval import Scope
from rag.steps.purging import Purging

from tests.ports.rag.handing_in import T, claimed, lead, prepared, shown, submission, visible

BY = Decision("合规", "客户要求", 7)


def turn(document: str, question: str = "免赔额是多少?", at_us: int = 5) -> Turn:
    cited = Citation(PassageId(document, 1, 0), 0, 3, b"\x01" * 32, 4, "行/列", superseded=True)
    return Turn(question, (Sentence("免赔额为 500 元。", (cited,), Derivation("a + b", ("1", "2"), "3")),), at_us)


def blobs_at(folder: Path) -> FileBlobs:
    return FileBlobs(folder, payload_sealer(), commitment_ring(), FakeClock(time.time()))


async def kept(blobs: FileBlobs, content: bytes) -> str:
    async with blobs.keep(T, content) as blob:
        return blob


async def test_grants(ledger: Ledger) -> None:
    assert await ledger.library.grant(T, "p") == Grant()
    for grant in (Grant(3, frozenset({"精算", "b"}), frozenset({"并购"})), Grant(2)):
        await ledger.custody.set_grant(T, "p", grant)
        assert await ledger.library.grant(T, "p") == grant
    assert await ledger.library.grant("other", "p") == Grant()


async def test_a_curator_releases(ledger: Ledger) -> None:
    await ledger.intake.enrol(submission(declared_grade=5, access=Access(3, frozenset({"g"}))), 0)
    with pytest.raises(NotFound):
        await ledger.custody.decide(T, "条款", 2, 2, BY)
    for _ in range(2):
        released = await ledger.custody.decide(T, "条款", 1, 2, BY)
    assert (released.state, released.submission.declared_grade, released.submission.access) == (
        State.ENROLLED,
        2,
        Access(2, frozenset({"g"})),
    )
    assert (await ledger.intake.enrol(submission(declared_grade=5, access=Access(3, frozenset({"g"}))), 0)).state is State.ENROLLED
    job = await claimed(ledger, await lead(ledger))
    await ledger.workbench.publish(job, prepared(["甲"]), 0)
    assert len(await visible(ledger)) == 1
    with pytest.raises(FailedPrecondition) as late:
        await ledger.custody.decide(T, "条款", 1, 0, BY)
    assert late.value.reason == "NOT_QUARANTINED"


async def test_a_curator_refuses(ledger: Ledger) -> None:
    await ledger.intake.enrol(submission(declared_grade=4), 0)
    assert (await ledger.custody.decide(T, "条款", 1, 0, BY)).state is State.FAILED
    assert [change.kind for change in await ledger.library.changes(0, 9)] == [ChangeKind.QUARANTINED, ChangeKind.FAILED]


async def test_what_is_held_is_not_destroyed_but_may_be_hidden(ledger: Ledger) -> None:
    await shown(ledger, submission())
    with pytest.raises(NotFound):
        await ledger.custody.hold(T, "unknown", True, BY)
    await ledger.custody.hold(T, "条款", True, BY)
    await shown(ledger, submission("另一"))
    assert await ledger.custody.held(T, ["条款", "另一", "unknown"]) == {"条款"}
    assert await ledger.custody.held("other", ["条款"]) == frozenset()
    with pytest.raises(FailedPrecondition) as held:
        await ledger.custody.purge(T, "条款", BY)
    assert held.value.reason == "LEGAL_HOLD"
    assert len(await visible(ledger)) == 1
    await ledger.intake.withdraw(T, "条款", 0, 0)
    assert await visible(ledger) == []
    await ledger.custody.hold(T, "条款", False, BY)
    assert await ledger.custody.held(T, ["条款"]) == frozenset()
    assert (await ledger.custody.purge(T, "条款", BY)).document_id == "条款"


async def test_a_purged_document_is_nowhere(ledger: Ledger, tmp_path: Path) -> None:
    blobs = blobs_at(tmp_path / "originals")
    blob, shared = [await kept(blobs, content) for content in (b"original", b"shared")]
    await shown(ledger, submission(version=1, blob=blob))
    await shown(ledger, submission(version=2, blob=shared, valid_from_us=50))
    await shown(ledger, submission("另一", blob=shared))
    other = await visible(ledger, "另一")
    gone = await ledger.library.versions(T, "条款", range(1, 9))
    (_, chunks) = await ledger.library.indexed(gone[0].version_id)
    await ledger.custody.purge(T, "条款", BY)
    purging = Purging(ledger.custody, blobs, FakeClock())
    await purging.once()
    purge = await ledger.custody.purge(T, "条款", BY)
    assert (purge.finished, purge.blobs) == (True, ())
    with pytest.raises(NotFound):
        await blobs.read(T, blob)
    assert await blobs.read(T, shared) == b"shared"
    assert await ledger.library.versions(T, "条款", range(1, 9)) == []
    assert await ledger.library.chunks(T, [chunk.chunk_id for chunk in chunks]) == {}
    assert await ledger.library.passages(T, [PassageId("条款", 1, 0), PassageId("另一", 1, 0)]) != {}
    assert set(await ledger.library.passages(T, [PassageId("条款", 1, 0), PassageId("另一", 1, 0)])) == {PassageId("另一", 1, 0)}
    assert await ledger.references.referred(T, ["条款", "标题"]) == {"另一": frozenset({chunks[0].access_id})}
    for version in gone:
        with pytest.raises(NotFound):
            await ledger.library.indexed(version.version_id)
    left = await ledger.library.version_of(gone[0].version_id)
    assert (left.state, left.submission.title, left.submission.content_sha256, left.submission.blob) == (State.PURGED, "", b"", "")
    assert await visible(ledger, "另一") == other
    assert {change.kind for change in await ledger.library.changes(purge.sequence - 1, 9)} == {ChangeKind.PURGED}


async def test_after_a_purge_late_versions_are_refused_and_newer_ones_begin_anew(ledger: Ledger) -> None:
    await shown(ledger, submission(version=3))
    first = await ledger.custody.purge(T, "条款", BY)
    assert (await ledger.intake.enrol(submission(version=3), 0)).state is State.PURGED
    with pytest.raises(Conflict) as late:
        await ledger.intake.enrol(submission(version=2), 0)
    assert late.value.reason == "DOCUMENT_PURGED"
    await shown(ledger, submission(version=4), ["新"])
    assert [version.submission.source_version for version in await visible(ledger)] == [4]
    second = await ledger.custody.purge(T, "条款", BY)
    assert second.purge_id > first.purge_id
    assert await visible(ledger) == []


async def test_a_purge_waits_for_every_follower(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.library.acknowledge("rag-rpc-1", 0, 60.0, 0)
    await ledger.library.acknowledge("gone", 0, 60.0, -61_000_000)
    await shown(ledger, submission())
    purge = await ledger.custody.purge(T, "条款", BY)
    assert purge.behind == ("rag-rpc-1",)
    await Purging(ledger.custody, blobs_at(tmp_path), FakeClock()).once()
    purge = await ledger.custody.purge_of(purge.purge_id, 7)
    assert (purge.finished, purge.scrubbed, purge.behind) == (False, True, ("rag-rpc-1",))
    await ledger.library.acknowledge("rag-rpc-1", purge.sequence, 60.0, 0)
    assert (await ledger.custody.purge_of(purge.purge_id, 7)).finished


async def test_conversations_belong_to_one_principal(ledger: Ledger) -> None:
    await shown(ledger, submission())
    first, second = turn("条款"), turn("unknown", "第二问", 6)
    await ledger.conversations.add_turn(T, "p", "c", first, Scope(("条款",), ("车险",)))
    await ledger.conversations.add_turn(T, "p", "c", second, Scope(("条款",)))
    assert await ledger.conversations.conversation(T, "p", "c") == Conversation(Scope(("条款",)), (first, second))
    for tenant, principal, conversation in ((T, "q", "c"), ("other", "p", "c"), (T, "p", "d")):
        with pytest.raises(NotFound) as unknown:
            await ledger.conversations.conversation(tenant, principal, conversation)
        assert unknown.value.reason == "CONVERSATION_NOT_FOUND"
    await ledger.conversations.add_turn(T, "q", "c", second, Scope())
    await ledger.conversations.reset(T, "p", "c", False)
    await ledger.conversations.reset(T, "nobody", "c", True)
    assert (await ledger.conversations.conversation(T, "p", "c")).scope == Scope()
    await ledger.conversations.reset(T, "p", "c", True)
    with pytest.raises(NotFound):
        await ledger.conversations.conversation(T, "p", "c")
    assert len((await ledger.conversations.conversation(T, "q", "c")).turns) == 1


async def test_the_newest_hundred_turns_stay(ledger: Ledger) -> None:
    await shown(ledger, submission())
    for number in range(103):
        await ledger.conversations.add_turn(T, "p", "c", turn("条款", f"问 {number}"), Scope())
    turns = (await ledger.conversations.conversation(T, "p", "c")).turns
    assert [turns[0].question, turns[-1].question, len(turns)] == ["问 3", "问 102", 100]


async def test_a_purge_takes_out_what_was_kept_of_questions(ledger: Ledger) -> None:
    await shown(ledger, submission())
    await shown(ledger, submission("另一"))
    await ledger.conversations.add_turn(T, "p", "c", turn("条款"), Scope())
    await ledger.conversations.add_turn(T, "p", "c", turn("另一"), Scope(("标题", "另一", "条款")))
    await ledger.reports.reads(T, [Read("p", "咨询", "条款", 1, (0, 2), 5, "r1"), Read("p", "咨询", "另一", 1, (0,), 6, "r2")])
    for record in ("r1", "r2"):
        await ledger.reports.feedback(T, "p", record, "WRONG", "数字不对", 7)
    for question in ("条款里的免赔额?", "另一里的免赔额?"):
        await ledger.reports.unanswered(T, question, "NOT_SUPPORTED", 5)
    await ledger.custody.purge(T, "条款", BY)
    left = await ledger.conversations.conversation(T, "p", "c")
    assert (left.turns, left.scope) == ((turn("另一"),), Scope(("另一",)))
    assert [found.question for found in await ledger.reports.list_unanswered(T, 0, 9)] == ["另一里的免赔额?"]
    assert [read.document_id for read in await ledger.reports.list_reads(T, "", "", 0, 9)] == ["另一", "条款"]
    ask = "SELECT audit_record_id FROM feedback"
    assert await ledger.store.read(lambda connection: connection.query(ask)) == [("r2",)]


async def test_reports(ledger: Ledger) -> None:
    assert await ledger.reports.list_unanswered(T, 0, 9) == []
    for question, at_us in (("甲?", 1), ("乙?", 2), ("甲?", 3)):
        await ledger.reports.unanswered(T, question, "NOT_SUPPORTED", at_us)
    expected = [Unanswered("甲?", "NOT_SUPPORTED", 2, 3), Unanswered("乙?", "NOT_SUPPORTED", 1, 2)]
    assert await ledger.reports.list_unanswered(T, 0, 9) == expected
    assert await ledger.reports.list_unanswered(T, 3, 9) == await ledger.reports.list_unanswered(T, 0, 1) == expected[:1]
    assert await ledger.reports.list_unanswered("other", 0, 9) == []
    reads = [Read("p", "咨询", "条款", 1, (0, 2), 5, "r1"), Read("q", "", "条款", 2, (), 6, "r2"), Read("p", "", "另", 1, (1,), 7, "r3")]
    await ledger.reports.reads(T, reads)
    newest = reads[::-1]
    assert await ledger.reports.list_reads(T, "", "", 0, 9) == newest
    assert await ledger.reports.list_reads(T, "条款", "", 0, 9) == newest[1:]
    assert await ledger.reports.list_reads(T, "条款", "p", 0, 9) == newest[2:]
    assert await ledger.reports.list_reads(T, "", "", 6, 1) == newest[:1]
    assert await ledger.reports.list_reads("other", "", "", 0, 9) == []


async def test_audit_knows_what_exists(ledger: Ledger) -> None:
    assert await ledger.references.referred(T, ["条款"]) == {}
    await shown(ledger, submission(version=1))
    await shown(ledger, submission(version=2, access=Access(3)))
    found = await ledger.references.referred(T, ["条款", "标题", "unknown", "《条款》"])
    assert set(found) == {"条款"} and len(found["条款"]) == 1
    await ledger.intake.withdraw(T, "条款", 0, 0)
    assert await ledger.references.referred(T, ["标题"]) == found
    assert await ledger.references.referred("other", ["条款", "标题"]) == {}


@pytest.mark.parametrize("why", ["purged", "aged"])
async def test_an_original_that_is_handed_in_again_is_there_for_its_new_version(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Between the original and the version that refers to it nobody refers to it: whoever destroys waits for that version."""
    blobs = FileBlobs(tmp_path, payload_sealer(), commitment_ring(), FakeClock(time.time() + 2 * 86_400))
    blob, waited, tried = await kept(blobs, b"original"), asyncio.Event(), turns._tried

    def trying(file: BinaryIO, how: int) -> bool:
        turn = tried(file, how)
        waited.set() if not turn else None
        return turn

    monkeypatch.setattr(turns, "_tried", trying)
    if why == "purged":
        await shown(ledger, submission(blob=blob))
        await ledger.custody.purge(T, "条款", BY)
    async with blobs.keep(T, b"original") as again:
        destroying = asyncio.create_task(Purging(ledger.custody, blobs, FakeClock()).once())
        await asyncio.wait({destroying, asyncio.create_task(waited.wait())}, return_when=asyncio.FIRST_COMPLETED)
        await ledger.intake.enrol(submission("另一", blob=again), 0)
    await destroying
    assert (again, await blobs.read(T, blob)) == (blob, b"original")
    assert await ledger.custody.unfinished(0) == []


async def test_originals_that_became_no_version_are_taken_away(ledger: Ledger, tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path, payload_sealer(), commitment_ring(), FakeClock(time.time() + 2 * 86_400))
    used, orphan = [await kept(blobs, content) for content in (b"kept", b"orphan")]
    await ledger.intake.enrol(submission(blob=used), 0)
    await Purging(ledger.custody, blobs, FakeClock()).once()
    assert await blobs.read(T, used) == b"kept"
    with pytest.raises(NotFound):
        await blobs.read(T, orphan)


async def test_what_was_purged_is_in_no_file(tmp_path: Path) -> None:
    """Neither words nor sealed bytes: old pages and the write-ahead log are rewritten."""
    ledger = ledger_at(f"sqlite:///{tmp_path / 'ledger.db'}", payload_sealer())
    async with ledger.store:
        await shown(ledger, submission(title="unmistakable"), [f"unmistakable {number}" for number in range(50)])
        await shown(ledger, submission("另一"))
        (purged,) = await visible(ledger)
        ask = "SELECT sealed FROM chunk WHERE version_id = ? UNION ALL SELECT sealed FROM name WHERE version_id = ?"
        asked = (purged.version_id, purged.version_id)
        sealed = [row[0] for row in await ledger.store.read(lambda connection: connection.query(ask, asked))]
        sealed += [
            row[0] for row in await ledger.store.read(lambda connection: connection.query("SELECT description FROM version LIMIT 1"))
        ]
        sealed += [
            row[0] for row in await ledger.store.read(lambda connection: connection.query("SELECT sealed_key FROM document LIMIT 1"))
        ]
        assert len(sealed) == 53

        def found() -> int:
            stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
            assert b"unmistakable" not in stored
            return sum(value in stored for value in sealed)

        assert found() == len(sealed)
        purge = await ledger.custody.purge(T, "条款", BY)
        assert await ledger.custody.scrub()
        assert found() == 0
        assert (await ledger.custody.purge_of(purge.purge_id, 0)).scrubbed
        assert len(await visible(ledger, "另一")) == 1
