"""`python -m provisioning`: topics, on the broker of FINMESH_KAFKA__BOOTSTRAP_SERVERS."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from meshkit.errors import InvalidDocument
from meshkit.service import load_kafka
from rich.console import Console

from provisioning import preflight
from provisioning.broker import ProvisionError, provision
from provisioning.topics import FILE, load

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What has to be there before a mesh starts.")
console = Console()
DEFAULT_BROKER = "127.0.0.1:19092"  # that of a local mesh


@app.callback()
def commands() -> None:
    """Keeps a command of its own a command."""


@app.command()
def topics(
    file: Annotated[Path, typer.Option(help="the table of topics")] = FILE,
    max_partitions: Annotated[int | None, typer.Option(min=1, help="give a new topic no more partitions than so many")] = None,
) -> None:
    """Make the topics of the table on the broker, and bring the settings of existing ones up to date."""
    if file == FILE:  # of this checkout; an image holds topics alone
        preflight.check()
    kafka = load_kafka(os.environ.get("FINMESH_KAFKA__BOOTSTRAP_SERVERS") or DEFAULT_BROKER)
    try:
        wanted = load(file)
    except InvalidDocument as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None
    try:
        prefix = os.environ.get("FINMESH_KAFKA__TOPIC_PREFIX", "")
        names = asyncio.run(provision(kafka.bootstrap_servers, wanted, prefix, max_partitions, kafka))
    except (ProvisionError, OSError, ValueError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(f"{len(names)} topics on {kafka.bootstrap_servers}", highlight=False)


if __name__ == "__main__":
    app()
