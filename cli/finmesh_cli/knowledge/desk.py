"""Who asks, and how answers about documents are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from finmesh.rag.v1 import document_pb2 as documents
from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.table import Table

from finmesh_cli import settings, show
from finmesh_cli.failures import UsageError
from finmesh_cli.gateway import connect
from finmesh_cli.settings import Settings

READER, CURATOR, OPERATOR = ("reader.jwt", "claims-handling"), ("curator.jwt", "knowledge-management"), ("operator.jwt", "fraud-prevention")


def desk(context: typer.Context, whose: tuple[str, str]) -> Settings:
    """Return the settings of a desk of the development mesh, unless a token was named; its purpose, unless one was."""
    return settings.of(context).at_desk(*whose)


def call(chosen: Settings, request: Any) -> Any:
    """Return the answer to one request of the tenant."""
    request.tenant = chosen.tenant()

    async def run() -> Any:
        async with connect(chosen) as gateway:
            return await gateway.knowledge(request, max(chosen.timeout_s, 30.0))

    return asyncio.run(run())


def graded(number: int) -> Any:
    """Return a grade as messages have it."""
    return number


def warned(warnings: Iterable[Any]) -> None:
    """Print what a reader should know."""
    for warning in warnings:
        show.console().print(show.plain(f"{warning.reason}: {warning.message}"), style="yellow", markup=False)


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows; what somebody else wrote can steer no terminal."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(show.plain(each).replace("[", "\\[") for each in row))
    show.whole(show.console(), shown)


def stamp(text: str, option: str) -> Timestamp | None:
    """Return a time of ISO 8601, UTC unless it says otherwise; None for none. Raises UsageError."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} is a time such as 2026-01-31 or 2026-01-31T12:00:00+08:00") from None
    made = Timestamp()
    made.FromDatetime((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC))
    return made


def versions(found: Iterable[documents.DocumentVersion]) -> None:
    """Print versions of documents."""
    rows = [
        (
            each.document_id,
            str(each.source_version),
            documents.VersionState.Name(each.state).removeprefix("VERSION_STATE_") + (f" {each.reason}" if each.reason else ""),
            str(each.passages),
            f"L{each.grade}" if each.grade else "-",
            each.title,
            "held" if each.held else "",
        )
        for each in found
    ]
    table(("document", "version", "state", "passages", "grade", "title", "hold"), rows)


def passages(found: Iterable[documents.Passage]) -> None:
    """Print passages with where they stand."""
    out = show.console()
    for passage in found:
        above = " > ".join((passage.title, *passage.heading_path))
        notes = [f"page {passage.page}" if passage.page else "", passage.clause, "superseded" if passage.superseded else ""]
        notes.append("review due" if passage.review_due else "")
        out.print(
            show.plain(f"{passage.rank or ''} {passage.passage_id}  {above}  {' '.join(filter(None, notes))}".strip()),
            style="dim",
            markup=False,
        )
        out.print(show.plain("\n".join(filter(None, (passage.table_header, passage.text)))), markup=False)
