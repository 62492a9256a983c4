"""`finmesh audit`: what a log says, read from its store. Offline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from translog.reader import LogReader

from finmesh_cli import settings, show
from finmesh_cli.commands.fsck import opened
from finmesh_cli.evidence import Known, Used
from finmesh_cli.failures import TamperError
from finmesh_cli.proofs import record_of

_PAGE = 10_000
Log = Annotated[str, typer.Argument(metavar="LOG", help="SQLite file or postgresql:// URL")]
app = typer.Typer(no_args_is_help=True, help="Look into an audit log, offline.")


@app.command()
def evidence(
    log: Log,
    known: Annotated[list[Path], typer.Argument(help="files that may decide, and folders of them: models, cards, rules, channel tables")],
) -> None:
    """Check that models, rules and thresholds of every decision are known files. Status 1 when one is not."""
    files, used = Known.of(known), Used()
    for record in _records(log):
        used.add(record)
    out, unknown = show.console(), 0
    out.print(f"{used.records} records", markup=False)
    for (kind, digest), count in sorted(used.counts.items()):
        name = files.name(kind, digest) if digest else "none stated"
        unknown += name is None
        out.print(f"  {kind:<10} {digest[:16] or '-':<16}  {count:>9}  {name or 'UNKNOWN'}", style=None if name else "red", markup=False)
    if unknown:
        raise TamperError(f"{unknown} digests are of no known file")


@app.command()
def events(
    context: typer.Context, log: Log, tenant: Annotated[str, typer.Option(help="of one tenant alone; finmesh: the operator's")] = ""
) -> None:
    """Show denied calls and changes (of lists, and of what is in force), oldest first."""
    for record in _records(log):
        if record.WhichOneof("detail") in ("denial", "change") and tenant in ("", record.tenant):
            _show(context, record)


@app.command()
def generations(
    context: typer.Context,
    log: Log,
    tenant: Annotated[str, typer.Option(help="of one tenant alone")] = "",
    generation: Annotated[str, typer.Option("--id", help="one generation alone")] = "",
) -> None:
    """Show what models generated, oldest first: a record of the start and one of the end each, with commitments in place of text."""
    for record in _records(log):
        if record.HasField("generation") and tenant in ("", record.tenant) and generation in ("", record.generation.generation_id):
            _show(context, record)


@app.command()
def lookups(
    context: typer.Context,
    log: Log,
    tenant: Annotated[str, typer.Option(help="of one tenant alone")] = "",
    record_id: Annotated[str, typer.Option("--id", help="one record alone")] = "",
) -> None:
    """Show who looked into documents, oldest first: rights, passages, and what was named and may not be read."""
    for record in _records(log):
        if record.HasField("retrieval") and tenant in ("", record.tenant) and record_id in ("", record.audit_record_id):
            _show(context, record)


def _show(context: typer.Context, record: AuditRecord) -> None:
    out, language = show.console(), settings.of(context).language
    show.line(out, "audit record", f"{record.audit_record_id}  {record.tenant}  {record.producer}", language)
    show.line(out, "happened", f"{show.moment(record.event_time)} - {show.moment(record.decided_time)}", language)
    show.audited(out, record, language)


def _records(log: str) -> Iterator[AuditRecord]:
    with closing(opened(log)) as database:
        reader = LogReader(database)
        reader.require()
        size = reader.checkpoint_note()[0]
        for start in range(0, size, _PAGE):
            yield from filter(None, map(record_of, reader.bodies(start, min(start + _PAGE, size))))
