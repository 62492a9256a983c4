"""`finmesh keys`: make the key files of a mesh, and rotate a key while the mesh runs: add, promote, retire. Offline."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path
from typing import Annotated

import typer
from localmesh.places import Places
from meshkit.crypto.ring import KEY_BYTES
from provisioning import keys, services

from finmesh_cli import files, show
from finmesh_cli.failures import UsageError

app = typer.Typer(no_args_is_help=True, help="key files: one a purpose, each process holds its own")

Folder = Annotated[Path, typer.Option(help="where the key files are", default_factory=lambda: Places.default().keys)]
Purpose = Annotated[str, typer.Argument(help="name of a key file without .json: seal, commitment, audit-batch.risk-scoring, …")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="id of the key: letters, digits, dots, dashes")]


@app.command()
def init(
    folder: Folder,
    root: Annotated[
        Path | None,
        typer.Option(help="file of the root secret (FINMESH_KEYS__SECRET of old); else a new root, kept nowhere"),
    ] = None,
    key_id: Annotated[str, typer.Option("--id", help="id of the first keys; that of old: FINMESH_KEYS__ID")] = "",
    origin: Annotated[str, typer.Option(help="FINMESH_AUDIT__ORIGIN")] = keys.ORIGIN,
) -> None:
    """Make the key files that are missing. What is there stays."""
    secret = _root(root) if root else secrets.token_bytes(KEY_BYTES)
    key_id = key_id or f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    keys.ensure_keys(folder, secret, key_id, services.load().producers.values(), origin, shared=root is not None)
    show.console().print(str(folder), highlight=False, markup=False)


@app.command()
def add(folder: Folder, purpose: Purpose, key_id: KeyId) -> None:
    """A new key that everybody accepts and nobody uses yet."""
    keys.add(folder, _purpose(purpose), key_id)
    _tell(folder)


@app.command()
def promote(folder: Folder, purpose: Purpose, key_id: KeyId) -> None:
    """Use a key from now on; the one before it stays accepted."""
    keys.promote(folder, _purpose(purpose), key_id)
    _tell(folder)


@app.command()
def retire(folder: Folder, purpose: Purpose, key_id: KeyId) -> None:
    """Accept a key no longer: once nothing of it is on its way any more."""
    keys.retire(folder, _purpose(purpose), key_id)
    _tell(folder)


@app.command(name="list")
def list_keys(folder: Folder) -> None:
    """Ids of every ring, the primary first. Secrets are not shown."""
    _tell(folder)


def _tell(folder: Path) -> None:
    rings, out = keys.rings(folder), show.console()
    if not rings:
        raise UsageError(f"{folder} holds no key rings (finmesh keys init)")
    for ring in rings:
        ids = sorted(ring.secrets, key=lambda key_id: (key_id != ring.primary, key_id))
        words = [f"{key_id} (primary)" if key_id == ring.primary else key_id for key_id in ids]
        out.print(f"{ring.purpose.replace('|', '.'):<28} {', '.join(words) or 'none'}", highlight=False, markup=False)


def _purpose(name: str) -> str:
    return name.replace(".", "|", 1)


def _root(file: Path) -> bytes:
    secret = files.read(file).strip()
    if len(secret) < KEY_BYTES:
        raise UsageError(f"{file} holds no root secret of {KEY_BYTES} bytes")
    return secret
