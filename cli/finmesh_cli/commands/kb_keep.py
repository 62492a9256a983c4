"""`finmesh kb add|status|ls|show|withdraw|hold|purge|quarantine`: for those who keep documents."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer
from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import rag_service_pb2 as rag
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from finmesh_cli import show
from finmesh_cli.failures import UsageError
from finmesh_cli.gateway import connect
from finmesh_cli.knowledge.desk import CURATOR, READER, call, desk, graded, stamp, table, versions
from finmesh_cli.knowledge.upload import upload

Document = Annotated[str, typer.Argument(help="id of the document")]
Why = Annotated[str, typer.Option("--why", help="for the record")]


def add(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="PDF, DOCX, XLSX, HTML, Markdown, text, images")],
    document: Annotated[str, typer.Option("--id", help="id of the document; the file's name unless given")] = "",
    version: Annotated[int, typer.Option(min=0, help="orders the versions of a document; 0: the present second")] = 0,
    title: str = "",
    product: str = "",
    base: Annotated[str, typer.Option(help="document that this one endorses")] = "",
    grade: Annotated[int, typer.Option(min=0, max=5, help="1 to 5; by its content when 0")] = 0,
    group: Annotated[list[str] | None, typer.Option(help="membership in one of them is needed")] = None,
    barrier: Annotated[list[str] | None, typer.Option(help="a reader stands inside each")] = None,
    reading_purpose: Annotated[list[str] | None, typer.Option("--for", help="purposes that may read it")] = None,
    publish_at: Annotated[str, typer.Option(help="embargo until then")] = "",
    expires_at: Annotated[str, typer.Option(help="nobody reads it from then on")] = "",
    valid_from: Annotated[str, typer.Option(help="the wording is in force from then on")] = "",
    valid_to: str = "",
    review_at: str = "",
) -> None:
    """Hand documents in. What was broken off goes on where it was."""
    if document and len(files) > 1:
        raise UsageError("--id is of one file")
    chosen = desk(context, CURATOR)
    access = documents.Access(
        grade=graded(grade), groups=group or [], barriers=barrier or [], purposes=reading_purpose or [],
        publish_at=stamp(publish_at, "--publish-at"), expires_at=stamp(expires_at, "--expires-at"),
    )  # fmt: skip

    def described(path: Path) -> documents.DocumentDescription:
        return documents.DocumentDescription(
            document_id=document or path.name, source_version=version or int(time.time()), title=title, file_name=path.name, access=access,
            product=product, base_document_id=base, valid_from=stamp(valid_from, "--valid-from"), valid_to=stamp(valid_to, "--valid-to"),
            review_at=stamp(review_at, "--review-at"),
        )  # fmt: skip

    async def run() -> list[documents.DocumentVersion]:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            async with connect(chosen) as gateway:
                found = []
                for path in files:
                    bar = progress.add_task(show.plain(path.name))
                    told = lambda done, of, bar=bar: progress.update(bar, completed=done, total=of)  # noqa: E731
                    found.append(await upload(gateway, chosen.tenant(), path, described(path), told))
                return found

    versions(asyncio.run(run()))


def status(context: typer.Context) -> None:
    """Show how far everything is."""
    found = call(desk(context, CURATOR), rag.GetStatusRequest())
    rows = [("sequence", found.sequence), ("searchable", found.searchable_sequence), ("waiting", found.waiting)]
    rows += [("without vector", found.without_vector), *sorted(found.versions.items())]
    table(("what", "how many"), [(name, str(value)) for name, value in rows])
    for degradation in found.degradations:
        show.console().print(degradation, style="yellow", markup=False)


def ls(context: typer.Context) -> None:
    """List the documents that may be read, the newest version of each."""
    chosen, found, token = desk(context, READER), [], ""
    while True:
        page = call(chosen, rag.ListDocumentsRequest(page_token=token))
        found += page.documents
        token = page.next_page_token
        if not token:
            break
    versions(found)


def kb_show(context: typer.Context, document: Document) -> None:
    """Show a document's versions."""
    versions(call(desk(context, READER), rag.GetDocumentRequest(document_id=document)).versions)


def withdraw(
    context: typer.Context, document: Document, version: Annotated[int, typer.Option(min=0, help="up to this one; 0: all")] = 0
) -> None:
    """Hide a document from the next request on."""
    found = call(desk(context, CURATOR), rag.WithdrawDocumentRequest(document_id=document, source_version=version))
    show.console().print(f"hidden from sequence {found.sequence} on", markup=False)


def hold(context: typer.Context, document: Document, why: Why, lift: Annotated[bool, typer.Option("--lift")] = False) -> None:
    """Set or lift a legal hold: what is held is not destroyed."""
    call(desk(context, CURATOR), rag.SetHoldRequest(document_id=document, held=not lift, why=why))
    show.console().print("lifted" if lift else "held", markup=False)


def purge(context: typer.Context, document: Document, why: Why) -> None:
    """Destroy a document. Ask again until it is finished."""
    found = call(desk(context, CURATOR), rag.PurgeRequest(document_id=document, why=why))
    show.console().print("destroyed everywhere" if found.finished else f"under way since sequence {found.sequence}", markup=False)


def quarantine(
    context: typer.Context,
    document: Document,
    version: Annotated[int, typer.Argument(min=1)],
    why: Why,
    release_at: Annotated[int, typer.Option(min=0, max=3, help="grade at which it is released, 1 to 3; 0 refuses it")] = 0,
) -> None:
    """Decide about a version that waits for a curator."""
    request = rag.DecideQuarantineRequest(document_id=document, source_version=version, release_at=graded(release_at), why=why)
    versions([call(desk(context, CURATOR), request).version])


COMMANDS = (add, status, ls, kb_show, withdraw, hold, purge, quarantine)
