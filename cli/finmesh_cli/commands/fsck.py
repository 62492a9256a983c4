"""`finmesh fsck DB`: hash every body of an audit log again and compute its tree and checkpoints again. Offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from finmesh.audit.v1 import audit_record_pb2
from google.protobuf.message import DecodeError
from rich.console import Console
from translog.anchor import read_note
from translog.checkpoint import open_checkpoint
from translog.entries import Keys
from translog.fsck import Report
from translog.fsck import fsck as check
from translog.reader import LogReader
from translog.sqlite import SqliteDatabase

from finmesh_cli import proofs, show


def fsck(
    database: Annotated[Path, typer.Argument(metavar="DB", help="file of the log's store")],
    log_key: Annotated[str, typer.Option(envvar="FINMESH_LOG_KEY", help="public key of the log: its text, or a file")] = "",
    pinned: Annotated[Path | None, typer.Option(help="checkpoint kept elsewhere: the log must contain its state")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="believe the stored leaf hashes")] = False,
) -> None:
    """Check a whole log. Status 1 when anything is wrong."""
    out = show.console()
    store = SqliteDatabase.open_reader(database)
    try:
        origin, stated = LogReader(store).require()
        key = proofs.verifier(log_key or stated)
        kept = open_checkpoint(read_note(pinned), origin=origin, log=[key]) if pinned else None
        report = check(store, [key], pinned=kept, keys_of=keys_of, rehash=not quick)
    finally:
        store.close()
    _show(out, report)
    if not log_key:
        out.print("the key is the one that the store itself states: give --log-key", style="yellow")
    raise typer.Exit(int(report.exit_code))


def keys_of(body: bytes) -> Keys:
    """Return what an audit record is found by, read from its committed bytes. Raises ValueError."""
    try:
        record = audit_record_pb2.AuditRecord.FromString(body)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return Keys(event_id=record.audit_record_id, request_id=record.request_id, decision_id=record.decision_id, tenant=record.tenant)


def _show(out: Console, report: Report) -> None:
    out.print(f"{report.origin}: {report.size} leaves, {report.checkpoints} checkpoints, {report.tiles} tiles", markup=False)
    for kind, count in sorted(report.kinds.items()):
        out.print(f"  {kind.value:<10} {count}")
    for finding in report.findings:
        out.print(f"{finding.check} at {finding.where}: {finding.detail}", style="red", markup=False)
    if report.truncated:
        out.print("more of the same is not shown", style="red")
    out.print(
        "nothing is wrong" if not report.findings else f"{len(report.findings)} findings", style="red" if report.findings else "green"
    )
