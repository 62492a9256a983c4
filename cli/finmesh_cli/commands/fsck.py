"""`finmesh audit fsck` computes hashes, tree and checkpoints of a whole log again; `finmesh audit export` writes it as tiles. Offline."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from finmesh.audit.v1 import audit_record_pb2
from google.protobuf.message import DecodeError
from rich.console import Console
from translog.anchor import read_note
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.database import Database
from translog.entries import Keys
from translog.fsck import fsck as check
from translog.fsck_tiles import fsck_tiles
from translog.note import Verifier
from translog.reader import LogReader
from translog.report import Report, plain
from translog.sqlite import SqliteDatabase
from translog.stores import store_at
from translog.tiles import export as export_tiles

from finmesh_cli import proofs, show
from finmesh_cli.failures import UsageError

Source = Annotated[str, typer.Argument(metavar="LOG", help="SQLite file, postgresql:// URL, or folder of exported tiles")]


def fsck(
    log: Source,
    log_key: Annotated[str, typer.Option(envvar="FINMESH_LOG_KEY", help="public key of the log: its text, or a file")] = "",
    pinned: Annotated[Path | None, typer.Option(help="checkpoint kept elsewhere: the log must contain its state")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="believe the stored leaf hashes of a database")] = False,
) -> None:
    """Check a whole log. Status 1 when anything is wrong, 2 when a newer program wrote a part of it."""
    out = show.console()
    if Path(log).is_dir():
        if not log_key:
            raise UsageError("exported tiles do not state their key: give --log-key")
        key = proofs.verifier(log_key)
        report = fsck_tiles(Path(log), key, pinned=_kept(pinned, key.name, key), keys_of=keys_of)
    else:
        with closing(opened(log)) as database:
            origin, stated = LogReader(database).require()
            key = proofs.verifier(log_key or stated)
            report = check(database, [key], pinned=_kept(pinned, origin, key), keys_of=keys_of, rehash=not quick)
    _show(out, report)
    if not log_key:
        out.print("the key is the one that the store itself states: give --log-key", style="yellow")
    raise typer.Exit(int(report.exit_code))


def export(log: Source, folder: Annotated[Path, typer.Argument(help="where the tiles go; what is there stays")]) -> None:
    """Write the log as static files (C2SP tlog-tiles), which any web server can serve and `fsck` checks."""
    with closing(opened(log)) as database, database.read():
        LogReader(database).require()
        size = export_tiles(LogReader(database), folder)
    show.console().print(f"{folder}: {size} leaves", markup=False)


def keys_of(body: bytes) -> Keys:
    """Return what an audit record is found by, read from its committed bytes. Raises ValueError."""
    try:
        record = audit_record_pb2.AuditRecord.FromString(body)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return Keys(event_id=record.audit_record_id, request_id=record.request_id, decision_id=record.decision_id, tenant=record.tenant)


def opened(log: str) -> Database:
    """Return the store of a log, to be closed. Raises UsageError, translog's errors."""
    if "://" not in log:
        return SqliteDatabase.open_reader(Path(log))
    try:
        return store_at(log).open_reader()
    except ValueError as error:
        raise UsageError(str(error)) from None
    except ImportError:
        raise UsageError("a log in PostgreSQL needs the extra finmesh-translog[postgresql]") from None


def _kept(path: Path | None, origin: str, key: Verifier) -> Checkpoint | None:
    return open_checkpoint(read_note(path), origin=origin, log=[key]) if path else None


def _show(out: Console, report: Report) -> None:
    out.print(f"{plain(report.origin)}: {report.size} leaves, {report.checkpoints} checkpoints, {report.tiles} tiles", markup=False)
    for kind, count in sorted(report.kinds.items()):
        out.print(f"  {kind:<10} {count}", markup=False)
    for finding in report.findings:
        out.print(f"{finding.check} at {finding.where}: {finding.detail}", style="red", markup=False)
    if report.truncated:
        out.print("more of the same is not shown", style="red")
    if report.newer:
        out.print(f"{report.newer} leaves are of a newer format: a newer finmesh must judge them", style="yellow")
    if report.findings:
        out.print(f"{len(report.findings)} findings", style="red")
    elif not report.newer:
        out.print("nothing is wrong", style="green")
