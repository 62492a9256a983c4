"""`finmesh verify`: check a proof bundle with nothing but the log's public key. Offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from translog.anchor import read_note
from translog.bundle import read_bundle, verify_consistency_bundle, verify_inclusion_bundle
from translog.checkpoint import open_checkpoint

from finmesh_cli import proofs, settings, show

app = typer.Typer(no_args_is_help=True, help="Check proofs offline.")
File = Annotated[Path, typer.Argument(help="proof bundle, as `finmesh proof export` writes it")]
LogKey = Annotated[str, typer.Option(envvar="FINMESH_LOG_KEY", help="public key of the log: its text, or a file")]


@app.command()
def inclusion(context: typer.Context, file: File, log_key: LogKey) -> None:
    """Check that a record is in the log, and say what it says."""
    checkpoint, index, body = verify_inclusion_bundle(read_bundle(file), [proofs.verifier(log_key)])
    out = show.console()
    out.print(f"leaf {index} ({len(body)} bytes) is in {checkpoint.origin} of {checkpoint.size} leaves", style="green", markup=False)
    if (record := proofs.record_of(body)) is not None:
        show.audited(out, record, settings.of(context).language)


@app.command()
def consistency(
    file: File,
    log_key: LogKey,
    pinned: Annotated[Path | None, typer.Option(help="checkpoint kept elsewhere: the proof must begin there")] = None,
) -> None:
    """Check that the log only grew between two checkpoints."""
    key = proofs.verifier(log_key)
    kept = open_checkpoint(read_note(pinned), origin=key.name, log=[key]) if pinned else None
    old, new = verify_consistency_bundle(read_bundle(file), [key], pinned=kept)
    show.console().print(f"{new.origin} grew from {old.size} to {new.size} leaves and kept what it had", style="green", markup=False)
