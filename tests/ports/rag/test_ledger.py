"""One suite for the ledger, run on SQLite and on PostgreSQL: versions, their order, the two times, what is known at which sequence."""

from dataclasses import replace

import pytest
from meshkit.errors import Conflict, NotFound
from rag.adapters.ledger.open import Ledger
from rag.domain.access import Access, Reader
from rag.domain.citing import PassageId
from rag.domain.document import FOREVER, ChangeKind, NewChunk, State

from tests.ports.rag.handing_in import CONFIGURATION, OPEN, T, claimed, lead, prepared, shown, submission, visible


async def texts(ledger: Ledger, version_id: int) -> list[str]:
    return [chunk.passage.text for chunk in (await ledger.library.indexed(version_id))[1]]


async def test_a_version_becomes_visible(ledger: Ledger) -> None:
    seq = await shown(ledger, submission(product="车险", metadata=(("k", "v"),)), ["甲", "乙", "丙"])
    (found,) = await visible(ledger)
    assert (found.state, found.from_seq, found.to_seq, found.submission.title, found.submission.product) == (
        State.VISIBLE,
        seq,
        FOREVER,
        "标题",
        "车险",
    )
    version, chunks = await ledger.library.indexed(found.version_id)
    assert version == found
    assert [chunk.passage for chunk in chunks] == list(prepared(["甲", "乙", "丙"]).chunks)
    by_id = await ledger.library.chunks(T, [chunk.chunk_id for chunk in chunks] + [10_000])
    assert by_id == {chunk.chunk_id: (chunk, version) for chunk in chunks}
    assert await ledger.library.chunks("other", [chunk.chunk_id for chunk in chunks]) == {}
    assert await ledger.library.around(T, chunks[1], 1, 5) == [chunks[0], chunks[2]]
    assert await ledger.library.names(T, [chunks[0].access_id]) == [("免责条款", found.version_id, chunks[0].access_id)]
    assert await ledger.library.names(T, []) == []
    (change,) = await ledger.library.changes(0, 10)
    assert (change.seq, change.kind, change.tenant, change.version_id) == (1, ChangeKind.PUBLISHED, T, found.version_id)
    assert change.access_ids == {chunks[0].access_id}
    assert await ledger.intake.tallies(T) == {State.VISIBLE: 1}


async def test_the_same_submission_is_the_same_version(ledger: Ledger) -> None:
    first = await ledger.intake.enrol(submission(), 0)
    assert await ledger.intake.enrol(submission(submitted_by="somebody else"), 5) == first
    await shown(ledger, submission())
    assert (await ledger.intake.enrol(submission(), 9)).state is State.VISIBLE
    for other in (
        submission(text="anything else"),
        submission(access=Access(2)),
        submission(valid_to_us=5),
        submission(metadata=(("a", "b"),)),
        submission(title="other"),
    ):
        with pytest.raises(Conflict) as refused:
            await ledger.intake.enrol(other, 0)
        assert refused.value.reason == "SOURCE_VERSION_CONFLICT"
    assert await ledger.workbench.claim(await lead(ledger), (), 10, 0) == []


async def test_a_newer_version_replaces_and_the_past_stays(ledger: Ledger) -> None:
    first = await shown(ledger, submission(version=1))
    second = await shown(ledger, submission(version=2))
    (now,), (then,) = await visible(ledger), await visible(ledger, known_at=first)
    assert (now.submission.source_version, then.submission.source_version) == (2, 1)
    assert (then.from_seq, then.to_seq) == (first, now.from_seq) == (first, second)
    assert await texts(ledger, then.version_id) == ["版本 1"]
    kinds = [change.kind for change in await ledger.library.changes(first, 10)]
    assert sorted(kinds) == [ChangeKind.PUBLISHED, ChangeKind.SUPERSEDED]


async def test_a_late_older_version_is_never_visible(ledger: Ledger) -> None:
    await shown(ledger, submission(version=2))
    late = await shown(ledger, submission(version=1))
    for known_at in range(late + 2):
        assert all(version.submission.source_version == 2 for version in await visible(ledger, known_at=known_at))
    assert [version.submission.source_version for version in await ledger.library.versions(T, "条款", range(9))] == [2, 1]
    assert (await ledger.intake.version(T, "条款")).submission.source_version == 2
    assert (await ledger.intake.version(T, "条款", 1)).state is State.VISIBLE


async def test_the_newer_version_is_in_force_in_the_overlap_alone(ledger: Ledger) -> None:
    first = await shown(ledger, submission(version=1, valid_from_us=100))
    second = await shown(ledger, submission(version=2, valid_from_us=200, valid_to_us=300))

    async def at(valid_at: int, known_at: int) -> list[int]:
        return [version.submission.source_version for version in await visible(ledger, valid_at=valid_at, known_at=known_at)]

    assert [await at(moment, second) for moment in (99, 100, 199, 200, 299, 300)] == [[], [1], [1], [2], [2], [1]]
    assert [await at(moment, first) for moment in (99, 100, 250, 300)] == [[], [1], [1], [1]]
    late = await shown(ledger, submission(version=0 + 1, document="别的"))
    assert [await at(moment, late) for moment in (150, 250)] == [[1], [2]]
    for version in await ledger.library.versions(T, "条款", range(9)):
        assert await texts(ledger, version.version_id) == [f"版本 {version.submission.source_version}"]


async def test_a_late_older_version_is_in_force_where_newer_ones_are_not(ledger: Ledger) -> None:
    await shown(ledger, submission(version=3, valid_from_us=200, valid_to_us=300))
    await shown(ledger, submission(version=2, valid_from_us=100))
    found = {moment: [v.submission.source_version for v in await visible(ledger, valid_at=moment)] for moment in (99, 150, 250, 350)}
    assert found == {99: [], 150: [2], 250: [3], 350: [2]}


async def test_withdrawal_hides_at_once_and_keeps_hiding(ledger: Ledger) -> None:
    seen = await shown(ledger, submission(version=2))
    (version,) = await visible(ledger)
    chunk = (await ledger.library.indexed(version.version_id))[1][0]
    waiting = await ledger.intake.enrol(submission(version=3), 0)
    hidden = await ledger.intake.withdraw(T, "条款", 3, 0)
    assert hidden > seen
    assert await visible(ledger, known_at=seen) == await visible(ledger) == []
    with pytest.raises(NotFound) as gone:
        await ledger.library.indexed(version.version_id)
    assert gone.value.reason == "VERSION_GONE"
    assert await ledger.library.chunks(T, [chunk.chunk_id]) == {}
    assert await ledger.library.passages(T, [PassageId("条款", 2, 0)]) == {}
    assert await ledger.library.names(T, [chunk.access_id]) == []
    assert (await ledger.library.version_of(waiting.version_id)).state is State.WITHDRAWN
    assert (await ledger.intake.enrol(submission(version=1), 0)).state is State.WITHDRAWN
    assert await ledger.workbench.claim(await lead(ledger), (), 10, 0) == []
    await shown(ledger, submission(version=4))
    assert [v.submission.source_version for v in await visible(ledger)] == [4]


async def test_withdrawal_while_a_version_is_read(ledger: Ledger) -> None:
    epoch = await lead(ledger)
    await ledger.intake.enrol(submission(), 0)
    job = await claimed(ledger, epoch)
    await ledger.intake.withdraw(T, "条款", 0, 0)
    await ledger.workbench.publish(job, prepared(["甲"]), 0)
    await ledger.workbench.fail(job, State.FAILED, "X", 0)
    assert (await ledger.intake.version(T, "条款")).state is State.WITHDRAWN
    assert await visible(ledger) == []


async def test_withdrawal_before_the_document_comes(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        await ledger.intake.withdraw(T, "条款", 0, 0)
    await ledger.intake.withdraw(T, "条款", 7, 0)
    assert (await ledger.intake.enrol(submission(version=7), 0)).state is State.WITHDRAWN
    assert (await ledger.intake.enrol(submission(version=8), 0)).state is State.ENROLLED


async def test_one_leads_and_a_former_leader_writes_nothing(ledger: Ledger) -> None:
    first = await lead(ledger, "a", 0)
    await ledger.intake.enrol(submission(), 0)
    job = await claimed(ledger, first)
    with pytest.raises(Conflict) as refused:
        await lead(ledger, "b", 9_999_999)
    assert refused.value.reason == "ANOTHER_LEADS"
    assert await lead(ledger, "a", 9_000_000) == first
    second = await lead(ledger, "b", 19_000_000)
    assert second > first
    for write in (
        ledger.workbench.publish(job, prepared(["甲"]), 0),
        ledger.workbench.fail(job, State.FAILED, "X", 0),
        ledger.workbench.release(job, "X", 0),
        ledger.workbench.claim(first, (), 1, 0),
        ledger.workbench.refresh(first, b"c2", 100),
    ):
        with pytest.raises(Conflict) as fenced:
            await write
        assert fenced.value.reason == "FENCED"
    again = await claimed(ledger, second)
    assert (again.version.version_id, again.version.attempt) == (job.version.version_id, 2)
    await ledger.workbench.resign(first)
    with pytest.raises(Conflict):
        await lead(ledger, "c", 19_000_000)


async def test_attempts_are_counted_before_the_work(ledger: Ledger) -> None:
    await ledger.intake.enrol(submission(), 0)
    epoch = await lead(ledger, "a", 0)
    job = await claimed(ledger, epoch)
    assert job.version.attempt == 1
    assert await ledger.workbench.claim(epoch, [job.version.version_id], 1, 0) == []
    assert await claimed(ledger, epoch) == job, "the answer to a claim may be lost"
    await ledger.workbench.resign(epoch)
    epoch = await lead(ledger, "b", 1)
    job = await claimed(ledger, epoch)
    assert job.version.attempt == 1
    await ledger.workbench.fail(job, State.ENROLLED, "INTERNAL", 0)
    await ledger.workbench.fail(job, State.ENROLLED, "INTERNAL", 5)
    assert await ledger.workbench.claim(epoch, (), 1, 999_999) == []
    job = await claimed(ledger, epoch, 1_000_000)
    assert job.version.attempt == 2
    for _ in range(2):  # its answer may be lost as well
        await ledger.workbench.release(job, "ENCODER_UNAVAILABLE", 1_000_000)
    job = await claimed(ledger, epoch, 2_000_000)
    assert job.version.attempt == 2
    await ledger.workbench.fail(job, State.FAILED, "UNSUPPORTED_FORMAT", 0)
    assert (await ledger.intake.version(T, "条款")).reason == "UNSUPPORTED_FORMAT"
    assert [change.kind for change in await ledger.library.changes(0, 9)] == [ChangeKind.FAILED]
    assert await ledger.workbench.claim(epoch, (), 1, FOREVER) == []


async def test_another_configuration_means_another_look(ledger: Ledger) -> None:
    await shown(ledger, submission("甲"))
    await shown(ledger, submission("乙", valid_from_us=5))
    await shown(ledger, submission("乙", version=2, valid_from_us=50, valid_to_us=60))
    epoch = await lead(ledger)
    assert await ledger.workbench.refresh(epoch, CONFIGURATION, 100) == 0
    assert [await ledger.workbench.refresh(epoch, b"c2", 2) for _ in range(2)] == [2, 1]
    assert await ledger.workbench.refresh(epoch, b"c2", 100) == 0
    assert len(await visible(ledger, "甲")) == 1
    jobs = await ledger.workbench.claim(epoch, (), 10, 0)
    assert [job.version.submission.valid_from_us for job in jobs] == [0, 5, 50]
    for job in jobs[:2]:
        await ledger.workbench.publish(job, prepared(["新"], configuration=b"c2"), 0)
    await ledger.workbench.fail(jobs[2], State.FAILED, "PARSER_TIMEOUT", 0)
    assert await ledger.workbench.refresh(epoch, b"c2", 100) == 0
    assert [await texts(ledger, v.version_id) for v in await visible(ledger, "甲")] == [["新"]]
    found = {moment: [await texts(ledger, v.version_id) for v in await visible(ledger, "乙", valid_at=moment)] for moment in (10, 55, 70)}
    assert found == {10: [["新"]], 55: [["版本 2"]], 70: [["新"]]}
    assert await ledger.workbench.refresh(epoch, CONFIGURATION, 100) == 2


async def test_superseded_passages_demand_what_the_newest_version_demands_too(ledger: Ledger) -> None:
    await shown(ledger, submission(version=1))
    await shown(ledger, submission(version=2, access=Access(2, frozenset({"精算"}))))
    old, new = Reader(T, "p", "", 3), Reader(T, "p", "", 3, frozenset({"精算"}))
    of_old, of_new = await ledger.library.readable(old, 0), await ledger.library.readable(new, 0)
    assert [v.submission.source_version for v in await ledger.library.versions(T, "条款", of_new)] == [2, 1]
    assert await ledger.library.versions(T, "条款", of_old) == []
    assert await ledger.library.names(T, of_old) == []
    moved = [change for change in await ledger.library.changes(1, 99) if change.kind is ChangeKind.PUBLISHED]
    assert len(moved) == 2
    await shown(ledger, submission(version=3))
    assert len(await ledger.library.versions(T, "条款", await ledger.library.readable(old, 0))) == 2


async def test_documents_are_listed_page_by_page(ledger: Ledger) -> None:
    for document in ("丙", "甲", "Z"):
        await shown(ledger, submission(document))
    await shown(ledger, submission("甲", version=2))
    await shown(ledger, submission("密", access=Access(3)))
    readable = await ledger.library.readable(Reader(T, "p", "", 1), 0)
    first = await ledger.library.documents(T, readable, "", 2)
    assert [(v.submission.document_id, v.submission.source_version) for v in first] == [("Z", 1), ("丙", 1)]
    rest = await ledger.library.documents(T, readable, "丙", 9)
    assert [(v.submission.document_id, v.submission.source_version) for v in rest] == [("甲", 2)]
    assert await ledger.library.documents("other", readable, "", 9) == []
    assert OPEN in readable.values()


async def test_a_declared_secret_waits_for_a_curator(ledger: Ledger) -> None:
    version = await ledger.intake.enrol(submission(declared_grade=4, access=Access(3)), 0)
    assert (version.state, version.reason) == (State.QUARANTINED, "GRADE_DECLARED")
    assert await ledger.workbench.claim(await lead(ledger), (), 9, 0) == []


async def test_how_much_of_versions_may_be_read_and_what_came_after_a_sequence(ledger: Ledger) -> None:
    mixed = [NewChunk(place, f"段 {place}", access) for place, access in enumerate((OPEN, Access(3), OPEN))]
    epoch = await lead(ledger)
    await ledger.intake.enrol(submission(), 0)
    first = await ledger.workbench.publish(await claimed(ledger, epoch), replace(prepared(["甲"]), chunks=mixed), 0)
    (version,) = await visible(ledger)
    (open_id, secret_id, _) = [chunk.access_id for chunk in (await ledger.library.indexed(version.version_id))[1]]
    ids = [version.version_id, 10_000]
    assert await ledger.library.extents(T, ids, [open_id]) == {version.version_id: {open_id: 2}}
    assert await ledger.library.extents(T, ids, [open_id, secret_id]) == {version.version_id: {open_id: 2, secret_id: 1}}
    assert await ledger.library.extents(T, ids, []) == await ledger.library.extents("other", ids, [open_id]) == {}
    second = await shown(ledger, submission("另一份"), ["乙"])
    assert [await ledger.library.passages_after(T, seq) for seq in (0, first, second)] == [4, 1, 0]
    assert await ledger.library.passages_after("other", 0) == 0
    await ledger.intake.withdraw(T, "条款", 0, 0)
    assert await ledger.library.passages_after(T, 0) == 1 and await ledger.library.extents(T, ids, [open_id]) == {}
