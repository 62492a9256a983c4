"""Documents for tests of the ledger: small ones, handed in and made visible in one step."""

from dataclasses import replace
from hashlib import sha256

from rag import ports
from rag.adapters.ledger.open import Ledger
from rag.domain.access import Access
from rag.domain.document import NewChunk, Prepared, State, Submission, Version

OPEN = Access(1)
T = "harbour"
CONFIGURATION = b"c1"


def submission(document: str = "条款", version: int = 1, text: str = "", **changed: object) -> Submission:
    text = text or f"{document} {version}"
    made = Submission(
        tenant=T,
        document_id=document,
        source_version=version,
        title=f"《{document}》",
        media_type="text/plain",
        blob=sha256(text.encode()).hexdigest(),
        content_sha256=sha256(text.encode()).digest(),
        access=OPEN,
        submitted_by="desk",
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def prepared(texts: list[str], access: Access = OPEN, configuration: bytes = CONFIGURATION, **changed: object) -> Prepared:
    chunks = [NewChunk(ordinal, text, access, ("第一章",), clause=f"第{ordinal}条") for ordinal, text in enumerate(texts)]
    made = Prepared("标题", chunks, State.VISIBLE, configuration, names=[("免责条款", access)])
    return replace(made, **changed)  # type: ignore[arg-type]


async def lead(ledger: Ledger, owner: str = "a", now_us: int = 0) -> int:
    return await ledger.workbench.lead(owner, 10.0, now_us)


async def claimed(ledger: Ledger, epoch: int, now_us: int = 0) -> ports.Job:
    (job,) = await ledger.workbench.claim(epoch, (), 1, now_us)
    return job


async def shown(ledger: Ledger, handed_in: Submission, texts: list[str] | None = None) -> int:
    """Hand a version in and make it visible; return the sequence."""
    epoch = await lead(ledger)
    await ledger.intake.enrol(handed_in, 0)
    job = await claimed(ledger, epoch)
    assert job.version.submission.source_version == handed_in.source_version
    return await ledger.workbench.publish(job, prepared(texts or [f"版本 {handed_in.source_version}"], handed_in.access), 0)


async def visible(ledger: Ledger, document: str = "条款", *, valid_at: int = 1_000, known_at: int | None = None) -> list[Version]:
    """What a filter of four numbers finds, over everything that is readable by id."""
    known = await ledger.library.sequence() if known_at is None else known_at
    versions = await ledger.library.versions(T, document, range(1, 100))
    return [
        version
        for version in versions
        if version.from_seq <= known < version.to_seq and version.submission.valid_from_us <= valid_at < version.submission.valid_to_us
    ]
