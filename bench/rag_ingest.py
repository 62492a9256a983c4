"""Documents from their upload until every leg finds them: what `rag-ingest` does, and the lexical follower of `rag-rpc`, in this process.

Uploads, the leader's loop, preparing, publishing and both followers are the service's own; Kafka and gRPC have no part in it. Documents are
made of records, which need no parser: how fast PDF is read is another question than how fast passages are encoded.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from documents.sandbox import Sandbox
from finmesh_cli.knowledge import dataset
from finmesh_cli.knowledge.dataset import Document
from meshkit.clock import SystemClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import COMMITMENT, development
from meshkit.crypto.ring import Ring
from rag import ports
from rag.adapters.file_blobs import FileBlobs
from rag.adapters.file_grades import file_grades
from rag.adapters.ledger.open import Ledger, ledger_at
from rag.adapters.numpy_lexical import NumpyLexical
from rag.adapters.sandbox_parser import SandboxParser
from rag.config import IngestSettings
from rag.domain import records, terms
from rag.domain.access import Access
from rag.domain.document import State, Submission
from rag.steps.follow import Follow
from rag.steps.ingest import Ingestor
from rag.steps.legs import LexicalLeg, VectorLeg
from rag.steps.prepare import Prepare
from rag.usecases.begin_upload import begin_upload
from rag.usecases.commit_upload import CommitUpload
from rag.usecases.put_part import PART_BYTES, put_part

from bench.encoder import passages as generated
from bench.rag_shelf import sealer

TENANT, PERSON = "ingestion", "curator"
SETTINGS = IngestSettings(ocr=False)
_MOST_S = 600.0


class Ingestion:
    """Made by `opened`."""

    def __init__(self, ledger: Ledger, blobs: FileBlobs, follows: Sequence[Follow]) -> None:
        self._ledger, self._blobs, self._follows = ledger, blobs, follows
        self._commit = CommitUpload(blobs, ledger.intake, SystemClock())

    async def __call__(self, document: Document) -> int:
        """Hand a document in; return its passages once every leg finds them. Raises LookupError when that does not come to pass.

        Whatever becomes of a version is the next row of the change log, for nobody else writes one.
        """
        library = self._ledger.library
        sequence = await library.sequence() + 1
        size, digest = len(document.content), sha256(document.content).digest()
        upload = await begin_upload(self._blobs, TENANT, PERSON, size, digest)
        for at in range(0, size, PART_BYTES):
            await put_part(self._blobs, TENANT, PERSON, upload.upload_id, at, document.content[at : at + PART_BYTES])
        await self._commit(TENANT, PERSON, upload.upload_id, lambda blob, digest: _submission(document, blob, digest))
        for follow in self._follows:
            if not await follow.reached(sequence, _MOST_S) or follow.waiting or follow.set_aside:
                raise LookupError(f"{document.document_id} is not on every leg")
        version = await self._ledger.intake.version(TENANT, document.document_id)
        if version.state not in (State.VISIBLE, State.PARTIAL):
            raise LookupError(f"{document.document_id} is {version.state}: {version.reason}")
        return len((await library.indexed(version.version_id))[1])


@asynccontextmanager
async def opened(folder: Path, vectors: ports.Vectors | None, encoder: ports.Encoder | None) -> AsyncIterator[Ingestion]:
    """An empty ledger in a folder, and who works on it. Without vectors the lexical leg stands alone."""
    clock = SystemClock()
    ledger = ledger_at(f"sqlite:///{folder / 'ledger.db'}", sealer())
    blobs = FileBlobs(folder / "blobs", sealer(), Ring(development(COMMITMENT), CommitmentKey), clock)
    prepare = Prepare(blobs, SandboxParser(Sandbox(at_once=1, ocr=False), ocr=False), file_grades(SETTINGS.grades), SETTINGS.chunk_pieces)
    try:
        async with (
            ledger.store,
            NumpyLexical(folder / "index", terms.terms, f"terms {terms.VERSION}") as lexical,
            asyncio.TaskGroup() as group,
        ):
            follows = [Follow(ledger.library, LexicalLeg(lexical), clock, follower="lexical")]
            if vectors is not None and encoder is not None:
                follows.append(Follow(ledger.library, VectorLeg(vectors, encoder), clock, follower="vectors"))
            ingestor = Ingestor(
                ledger.workbench,
                prepare,
                clock,
                owner="bench",
                lease_s=SETTINGS.lease_s,
                parallel=SETTINGS.parsers,
                attempts=SETTINGS.attempts,
                standing=lambda _: None,
            )
            running = [group.create_task(work) for work in (ingestor.run(), *(follow.run() for follow in follows))]
            try:
                yield Ingestion(ledger, blobs, follows)
            finally:
                for task in running:
                    task.cancel()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def documents(folder: Path | None, passages: int, count: int) -> list[Document]:
    """Return so many documents of records, the first of a data set's or generated ones, about so many in all. Raises DatasetError."""
    if folder is None:
        lines = [json.dumps({"_id": f"record-{at}", "text": text}, ensure_ascii=False) for at, text in enumerate(generated(passages))]
    else:
        lines = [line for each in dataset.documents(folder) for line in each.content.decode().split("\n") if line][:passages]
    size = -(-len(lines) // count)
    parts = [lines[at : at + size] for at in range(0, len(lines), size)]
    return [Document(f"part-{number}", "", "\n".join(part).encode(), len(part)) for number, part in enumerate(parts)]


def texts(document: Document) -> list[str]:
    """Return the passages that a document is cut into."""
    return [draft.text for draft in records.drafts(document.content, SETTINGS.chunk_pieces)]


def _submission(document: Document, blob: str, digest: bytes) -> Submission:
    return Submission(
        tenant=TENANT,
        document_id=document.document_id,
        source_version=1,
        title=document.title,
        media_type=records.MEDIA_TYPE,
        blob=blob,
        content_sha256=digest,
        access=Access(1),
        submitted_by=PERSON,
        file_name=f"{document.document_id}.jsonl",
    )
