"""`python -m provisioning`: topics, on the broker of FINMESH_KAFKA__BOOTSTRAP_SERVERS; engine, the model repository of one pod's engine."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from meshkit.config import Environment
from meshkit.errors import InvalidDocument, MeshError
from meshkit.service import load_config, load_kafka
from rich.console import Console

from provisioning import engines, preflight
from provisioning.broker import ProvisionError, provision
from provisioning.services import Role
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


@app.command()
def engine(
    role: Annotated[Role, typer.Option(help="what it is for")],
    worker_id: Annotated[str, typer.Option(help="name of the worker that it is, of this instance alone")],
    model: Annotated[Path, typer.Option(help="folder of the converted language model")],
    tls: Annotated[Path, typer.Option(help="folder with tls.crt, tls.key and ca.crt of the workload")],
    ticket_keys: Annotated[Path, typer.Option(help="key ring of tickets")],
    pid_file: Annotated[Path, typer.Option(help="where the engine writes the pid of its Triton")],
    listen: Annotated[str, typer.Option(help="host:port where other engines pull key-value blocks")] = "",
    address: Annotated[str, typer.Option(help="host:port that tickets name for it")] = "",
    pulls_from: Annotated[str, typer.Option(help="identity of the engines that it pulls from")] = "",
    pulled_by: Annotated[list[str] | None, typer.Option(help="identities that may pull")] = None,
    zone: Annotated[str, typer.Option(help="where it stands")] = "local",
    device: Annotated[str, typer.Option(help="what it runs on")] = "cpu",
    highest_grade: Annotated[int, typer.Option(min=1, max=5, help="of data that may be there")] = 3,
    price_per_hour_minor: Annotated[int, typer.Option(min=0, help="of its time, in minor units")] = 0,
    specialist: Annotated[bool, typer.Option("--specialist", help="smaller: it serves a small model beside the general one")] = False,
    shims: Annotated[Path, typer.Option(help="what Tritons load")] = engines.SHIMS,
    repository: Annotated[Path, typer.Option(help="folder that is emptied and filled")] = Path("/models"),
) -> None:
    """Make the model repository of one engine. Sizes are those of FINMESH_LLM_*."""
    endpoint = engines.KvEndpoint(
        certificate=str(tls / "tls.crt"),
        key=str(tls / "tls.key"),
        authority=str(tls / "ca.crt"),
        server_name=pulls_from,
        listen=listen,
        address=address,
        peers=tuple(pulled_by or ()),
    )
    try:
        sizes = engines.Sizes.from_environment()
        content = engines.EngineFile(
            role=role,
            worker_id=worker_id,
            model=str(model),
            kv=endpoint,
            ticket_keys=str(ticket_keys),
            pid_file=str(pid_file),
            sizes=engines.specialist(sizes) if specialist else sizes,
            highest_grade=highest_grade,
            price_per_hour_minor=price_per_hour_minor,
            zone=zone,
            device=device,
        )
        if not load_config(Environment).allow_development_keys:
            engines.refuse_known_keys(content)
        engines.assemble(repository, shims, content, model)
    except (engines.NoModelError, engines.KnownKeyError, MeshError, OSError, ValueError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(f"{worker_id} in {repository}", highlight=False, markup=False)


if __name__ == "__main__":
    app()
