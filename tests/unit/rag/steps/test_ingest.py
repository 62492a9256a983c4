"""The leader's loop: one version's failure is its own, attempts are bounded, a fenced leader stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from hashlib import sha256

import pytest
from documents.parsed import Paragraph, Parsed
from meshkit.clock import SystemClock
from meshkit.errors import Conflict, InvalidArgument, MeshError, NotFound, Unavailable
from rag import ports
from rag.domain.access import Access
from rag.domain.document import Prepared, State, Submission, Version
from rag.domain.grading import Grades
from rag.steps.ingest import Ingestor
from rag.steps.prepare import Prepare

SECRET = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA75\n-----END RSA PRIVATE KEY-----"
GRADES = Grades({"secret": 4, "mobile": 3}, floor=2, sha256=bytes(32))


def submission(content: str, **changes: object) -> Submission:
    made = Submission(
        tenant="bank-a",
        document_id=f"文档-{content[:8]}",
        source_version=1,
        title="标题",
        media_type="text/plain",
        blob=content,
        content_sha256=sha256(content.encode()).digest(),
        access=Access(grade=1),
        submitted_by="curator",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Blobs:
    """Originals that are their own names."""

    async def read(self, tenant: str, blob: str) -> bytes:
        if blob == "gone":
            raise NotFound("gone", reason="BLOB_NOT_FOUND")
        return blob.encode()


class Parser:
    """Reads text, and fails as it is told."""

    identity = "parser/1"

    def __init__(self) -> None:
        self.away = False

    async def parse(self, content: bytes, name: str, media_type: str) -> Parsed:
        text = content.decode()
        if self.away:
            raise Unavailable("no parser", reason="PARSER_UNAVAILABLE")
        if text == "bomb":
            raise InvalidArgument("too much", reason="ZIP_BOMB")
        if text == "bug":
            raise KeyError("ours")
        return Parsed("", "text/plain", 0, tuple(Paragraph(line) for line in text.split("\n\n")))


class Bench:
    """A ledger of jobs; ``fenced``: another leads."""

    def __init__(self, *waiting: Submission) -> None:
        self.versions = [Version(number, each, State.ENROLLED) for number, each in enumerate(waiting, 1)]
        self.waiting = list(self.versions)
        self.taken: dict[int, Version] = {}
        self.ended: dict[int, tuple[State, str]] = {}
        self.published: dict[int, Prepared] = {}
        self.fenced = False
        self.refreshed: list[bytes] = []
        self.resigned: list[int] = []

    async def lead(self, owner: str, lease_s: float, now_us: int) -> int:
        if self.fenced:
            raise Conflict("another leads", reason="ANOTHER_LEADS")
        return 1

    async def refresh(self, epoch: int, configuration: bytes, limit: int) -> int:
        self.refreshed.append(configuration)
        return 0

    async def claim(self, epoch: int, under_way: Collection[int], limit: int, now_us: int) -> list[ports.Job]:
        unanswered = [version for version in self.taken.values() if version.version_id not in under_way]
        new, self.waiting = self.waiting[:limit], self.waiting[limit:]
        self.taken |= {version.version_id: replace(version, attempt=version.attempt + 1) for version in new}
        return [ports.Job(version, epoch) for version in unanswered + [self.taken[version.version_id] for version in new]]

    async def publish(self, job: ports.Job, prepared: Prepared, now_us: int) -> int:
        if self.fenced:
            raise Conflict("fenced", reason="FENCED")
        self.taken.pop(job.version.version_id)
        self.published[job.version.version_id] = prepared
        self.ended[job.version.version_id] = prepared.state, ""
        return len(self.ended)

    async def resign(self, epoch: int) -> None:
        self.resigned.append(epoch)

    async def release(self, job: ports.Job, reason: str, now_us: int) -> None:
        self.taken.pop(job.version.version_id)
        self.waiting.append(replace(job.version, attempt=job.version.attempt - 1))

    async def fail(self, job: ports.Job, state: State, reason: str, now_us: int) -> None:
        self.taken.pop(job.version.version_id)
        if state is State.ENROLLED:
            self.waiting.append(job.version)
            return
        self.ended[job.version.version_id] = state, reason


@asynccontextmanager
async def running(bench: Bench, parser: Parser | None = None, attempts: int = 3) -> AsyncIterator[list[bool]]:
    standing: list[bool] = []
    prepare = Prepare(Blobs(), parser or Parser(), GRADES, 240)  # type: ignore[arg-type]
    ingestor = Ingestor(
        bench,  # type: ignore[arg-type]
        prepare,
        SystemClock(),
        owner="one",
        lease_s=0.3,
        parallel=2,
        attempts=attempts,
        standing=standing.append,
    )
    task = asyncio.create_task(ingestor.run())
    try:
        yield standing
        assert not task.done(), "the loop ended"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not met():
            await asyncio.sleep(0.01)


async def test_every_version_comes_to_its_own_end() -> None:
    bench = Bench(
        submission("第一条 等待期为90日。"),
        submission("bomb"),
        submission("gone"),
        submission("bug"),
        submission("   "),
        submission(SECRET),
        submission("第一条 公开。\n\n第二条 " + SECRET),
        submission("机密", declared_grade=4),
        submission("最后一份文件。"),
    )
    async with running(bench):
        await until(lambda: len(bench.ended) == 9)
    assert bench.ended == {
        1: (State.VISIBLE, ""),
        2: (State.FAILED, "ZIP_BOMB"),
        3: (State.FAILED, "BLOB_NOT_FOUND"),
        4: (State.FAILED, "INTERNAL"),
        5: (State.FAILED, "NO_TEXT"),
        6: (State.FAILED, "ALL_WITHHELD"),
        7: (State.PARTIAL, ""),
        8: (State.QUARANTINED, "DECLARED_L4"),
        9: (State.VISIBLE, ""),
    }
    assert [chunk.text for chunk in bench.published[7].chunks] == ["第一条 公开。"]
    assert bench.published[7].withheld == 1
    assert len(bench.refreshed) == 1


async def test_a_version_that_was_tried_too_often_is_given_up() -> None:
    bench = Bench(submission("文件。"))
    bench.waiting = [replace(bench.versions[0], attempt=3)]
    async with running(bench):
        await until(lambda: bool(bench.ended))
    assert bench.ended == {1: (State.FAILED, "ATTEMPTS_EXHAUSTED")}


async def test_a_parser_that_is_away_costs_no_document() -> None:
    bench, parser = Bench(submission("文件。")), Parser()
    parser.away = True
    async with running(bench, parser, attempts=1):
        await until(lambda: not bench.waiting)
        parser.away = False
        await until(lambda: bool(bench.ended))
    assert bench.ended == {1: (State.VISIBLE, "")}


async def test_what_dies_beside_the_leader_ends_the_process() -> None:
    died = asyncio.Event()

    async def beside() -> None:
        await died.wait()
        raise KeyError("ours")

    bench, standing = Bench(submission("文件。")), list[bool]()
    ingestor = Ingestor(
        bench,  # type: ignore[arg-type]
        Prepare(Blobs(), Parser(), GRADES, 240),  # type: ignore[arg-type]
        SystemClock(),
        owner="one",
        lease_s=0.3,
        parallel=2,
        attempts=3,
        standing=standing.append,
        beside=beside,
    )
    task = asyncio.create_task(ingestor.run())
    await until(lambda: bool(bench.ended))
    died.set()
    async with asyncio.timeout(30):
        with pytest.raises(KeyError):
            await task


async def test_one_who_lost_the_lease_stands_by_and_leads_again() -> None:
    bench = Bench()
    async with running(bench) as standing:
        await until(lambda: standing == [True])
        bench.fenced = True
        await until(lambda: standing[-1] is False)
        bench.waiting = [Version(1, submission("文件。"), State.ENROLLED)]
        await asyncio.sleep(0)
        assert not bench.ended
        bench.fenced = False
        await until(lambda: bool(bench.ended))
    assert bench.ended == {1: (State.VISIBLE, "")}


async def test_what_the_ledger_refuses_from_a_former_leader_waits_for_the_next() -> None:
    bench = Bench(submission("文件。"))

    async def refused(job: ports.Job, prepared: Prepared, now_us: int) -> int:
        raise Conflict("fenced", reason="FENCED")

    bench.publish = refused  # type: ignore[method-assign]
    async with running(bench):
        await until(lambda: not bench.waiting)
        await asyncio.sleep(0.05)
    assert not bench.ended


async def test_one_who_is_told_to_stop_resigns() -> None:
    bench = Bench()
    async with running(bench) as standing:
        await until(lambda: standing == [True])
        assert bench.resigned == []
    assert bench.resigned == [1]


def test_the_configuration_says_all_that_shapes_passages() -> None:
    def digest(parser: str = "parser/1", pieces: int = 240, grades: Grades = GRADES) -> bytes:
        reader = Parser()
        reader.identity = parser
        return Prepare(Blobs(), reader, grades, pieces).configuration  # type: ignore[arg-type]

    assert len({digest(), digest(parser="parser/2"), digest(pieces=200), digest(grades=replace(GRADES, sha256=b"1" * 32))}) == 4
    assert digest() == digest()


@pytest.mark.parametrize("error", [Conflict("x", reason="FENCED"), Unavailable("x", reason="LEDGER_AWAY")])
async def test_a_ledger_that_is_away_does_not_end_the_loop(error: MeshError) -> None:
    bench = Bench(submission("文件。"))
    real, failures = bench.claim, iter([error, None])

    async def claim(epoch: int, under_way: Collection[int], limit: int, now_us: int) -> list[ports.Job]:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await real(epoch, under_way, limit, now_us)

    bench.claim = claim  # type: ignore[method-assign]
    async with running(bench):
        await until(lambda: bool(bench.ended))
    assert bench.ended == {1: (State.VISIBLE, "")}


async def test_what_was_claimed_without_an_answer_is_claimed_again_by_the_same_leader() -> None:
    """A commit whose answer was lost: the ledger has the claim, and this leader does not know of it."""
    bench = Bench(*(submission(f"第{number}条 等待期为90日。") for number in range(5)))
    real, lost, claimed = bench.claim, [1], list[ports.Job]()

    async def claim(epoch: int, under_way: Collection[int], limit: int, now_us: int) -> list[ports.Job]:
        jobs = await real(epoch, under_way, limit, now_us)
        if jobs and lost:
            lost.pop()
            raise Unavailable("the answer was lost", reason="LEDGER_UNAVAILABLE")
        claimed.extend(jobs)
        return jobs

    bench.claim = claim  # type: ignore[method-assign]
    async with running(bench):
        await until(lambda: len(bench.ended) == 5)
    assert [(job.version.version_id, job.version.attempt) for job in claimed] == [(number, 1) for number in range(1, 6)]


async def test_what_was_read_in_another_way_is_looked_for_until_the_ledger_answers_and_holds_up_nobody() -> None:
    bench, answers = Bench(submission("第一条 等待期为90日。")), iter([Unavailable("away", reason="LEDGER_UNAVAILABLE"), 100, 7, 0])
    asked: list[int] = []

    async def refresh(epoch: int, configuration: bytes, limit: int) -> int:
        await until(lambda: bool(bench.ended))
        asked.append(limit)
        answer = next(answers)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    bench.refresh = refresh  # type: ignore[method-assign]
    async with running(bench) as standing:
        await until(lambda: len(asked) == 4)
        assert standing == [True], "the lease was lost meanwhile"
    assert len(set(asked)) == 1 and next(answers, None) is None


class Failing(Bench):
    """A ledger that fails on the first publications, in the order of `failures`."""

    def __init__(self, waiting: Submission, *failures: Exception) -> None:
        super().__init__(waiting)
        self.failures = list(failures)

    async def publish(self, job: ports.Job, prepared: Prepared, now_us: int) -> int:
        if self.failures:
            raise self.failures.pop(0)
        return await super().publish(job, prepared, now_us)


@pytest.mark.parametrize("failure", [Unavailable("away", reason="LEDGER_UNAVAILABLE"), ValueError("ours")], ids=["away", "our fault"])
async def test_what_the_ledger_did_not_take_is_written_again_by_the_leader_that_claimed_it(failure: Exception) -> None:
    bench = Failing(submission("第一条 等待期为90日。"), failure)
    async with running(bench):
        await until(lambda: bool(bench.published))
    assert bench.ended == {1: (State.VISIBLE, "")} and not bench.failures


async def test_what_can_never_be_kept_is_given_up() -> None:
    bench = Failing(submission("第一条 等待期为90日。"), *[ValueError("ours")] * 9)
    async with running(bench, attempts=2):
        await until(lambda: bool(bench.ended))
    assert bench.ended == {1: (State.FAILED, "INTERNAL")}
