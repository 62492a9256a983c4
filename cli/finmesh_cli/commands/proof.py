"""`finmesh proof`: take proofs and checkpoints home, to be kept and verified where the log's operator has no hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from finmesh_client import GatewayClient
from translog.anchor import read_note, write_note
from translog.bundle import consistency_bundle, verify_consistency_bundle, verify_inclusion_bundle
from translog.checkpoint import open_checkpoint
from translog.note import Verifier

from finmesh_cli import proofs, settings, show
from finmesh_cli.failures import UsageError
from finmesh_cli.gateway import connect

app = typer.Typer(no_args_is_help=True, help="Export proofs and checkpoints.")
LogKey = Annotated[str, typer.Option(envvar="FINMESH_LOG_KEY", help="public key of the log: its text, or a file")]
Output = Annotated[Path, typer.Option("--output", "-o", help="file to write")]


@app.command()
def export(
    context: typer.Context,
    output: Output,
    record: Annotated[str, typer.Argument(help="id of the audit record: proves that it is in the log")] = "",
    since: Annotated[Path | None, typer.Option(help="checkpoint kept elsewhere: proves that the log only grew since")] = None,
    log_key: LogKey = "",
) -> None:
    """Write a proof bundle, checked before it is written."""
    if bool(record) == (since is not None):
        raise UsageError("either an audit record's id or --since")
    chosen = settings.of(context)

    async def run() -> str:
        async with connect(chosen) as gateway:
            key = await _key(gateway, log_key)
            return await _inclusion(gateway, chosen.tenant(), record, key) if since is None else await _growth(gateway, since, key)

    output.write_text(asyncio.run(run()), encoding="utf-8")
    show.console().print(f"{output}", markup=False)


@app.command()
def checkpoint(context: typer.Context, output: Output, log_key: LogKey = "") -> None:
    """Write the newest signed checkpoint."""
    chosen = settings.of(context)

    async def run() -> tuple[str, int]:
        async with connect(chosen) as gateway:
            key = await _key(gateway, log_key)
            note = (await gateway.get_checkpoint()).checkpoint
            return note, open_checkpoint(note, origin=key.name, log=[key]).size

    note, size = asyncio.run(run())
    write_note(output, note)
    show.console().print(f"{output}: {size} leaves", markup=False)


async def _key(gateway: GatewayClient, log_key: str) -> Verifier:
    return proofs.verifier(log_key) if log_key else Verifier.parse((await gateway.get_checkpoint()).verifier_key)


async def _inclusion(gateway: GatewayClient, tenant: str, record: str, key: Verifier) -> str:
    bundle = proofs.bundle_of(await gateway.get_inclusion_proof(tenant, record))
    verify_inclusion_bundle(bundle, [key])
    return bundle


async def _growth(gateway: GatewayClient, since: Path, key: Verifier) -> str:
    old_note = read_note(since)
    old = open_checkpoint(old_note, origin=key.name, log=[key])
    response = await gateway.get_consistency_proof(old.size)
    bundle = consistency_bundle(old_note=old_note, new_note=response.checkpoint, hashes=list(response.hashes))
    verify_consistency_bundle(bundle, [key], pinned=old)
    return bundle
