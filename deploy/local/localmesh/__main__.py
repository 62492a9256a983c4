"""`python -m localmesh`: run, up, down, status, logs, provision, certs."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from meshkit import known_settings
from meshkit.errors import InvalidDocument
from meshkit.service import load_kafka
from rich.console import Console

from localmesh import launcher, screen, status
from localmesh.external import External
from localmesh.fetch.once import MissingToolError
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from localmesh.rows import Row, only
from localmesh.status import AlreadyRunningError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The whole mesh on this machine.")
console = Console()

Only = Annotated[str, typer.Option(help="comma-separated processes to start instead of all")]


@app.command()
def run(
    rate: Annotated[float, typer.Option(min=1, help="transactions a second")] = 300.0,
    seconds: Annotated[float, typer.Option(min=1, help="how long the day takes")] = 60.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the summary there as well")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave the mesh up after the summary, until Ctrl-C")] = False,
) -> None:
    """Replay a compressed day through a mesh of its own, and prove that nothing was lost. Exit status 0 only then."""
    from localmesh.mainjob.run import Options
    from localmesh.mainjob.run import run as main_job

    try:
        exit_status = asyncio.run(main_job(Options(rate, seconds, json_file, keep), console))
    except (MissingToolError, RuntimeError, ValueError) as error:
        console.print(str(error), style="red", markup=False)
        exit_status = 1
    raise typer.Exit(exit_status)


@app.command()
def up(only: Only = "", foreground: Annotated[bool, typer.Option(help="stay attached to this terminal")] = False) -> None:
    """Start the mesh and wait until it is ready."""
    places = Places.default()
    if not foreground:
        raise typer.Exit(launcher.background(places, ["--only", only] if only else [], console))
    rows = _rows(places, only)
    launcher.ensure_identity(places)
    raise typer.Exit(asyncio.run(launcher.foreground(places, rows, console)))


@app.command()
def down() -> None:
    """Stop the mesh."""
    raise typer.Exit(launcher.stop(Places.default(), console))


@app.command(name="status")
def show_status() -> None:
    """What runs, with pids, ports and logs. Exit status 1 when nothing runs."""
    places = Places.default()
    content = status.read(places.status)
    if not content or status.launcher(places.var) is None:
        console.print("no mesh runs")
        raise typer.Exit(1)
    console.print(screen.table(content))


@app.command()
def logs(name: Annotated[str, typer.Argument(help="process, see status")] = "") -> None:
    """Follow the log of one process, or of all."""
    folder = Places.default().logs
    files = sorted(folder.glob("*.log")) if not name else [folder / f"{name}.log"]
    if not files or not all(file.exists() for file in files):
        console.print(f"no log of {name or 'any process'} in {folder}", style="red")
        raise typer.Exit(1)
    os.execvp("tail", ["tail", "-n", "40", "-F", *map(str, files)])  # noqa: S606


@app.command()
def provision(
    file: Annotated[Path | None, typer.Option(help="topics, instead of deploy/topics.yaml")] = None,
    most_partitions: Annotated[int | None, typer.Option(min=1, help="give a new topic no more partitions than so many")] = None,
) -> None:
    """Make the topics on the broker of FINMESH_KAFKA__BOOTSTRAP_SERVERS (default: the local one)."""
    from localmesh.provision import ProvisionError
    from localmesh.provision import provision as make
    from localmesh.topics import load

    broker = os.environ.get("FINMESH_KAFKA__BOOTSTRAP_SERVERS") or External.from_environment().kafka
    kafka = load_kafka(broker or f"127.0.0.1:{Ports.from_environment().kafka}")
    prefix = os.environ.get("FINMESH_KAFKA__TOPIC_PREFIX", "")
    try:
        topics = load(file or Places.default().topics)
    except (InvalidDocument, OSError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None
    try:
        names = asyncio.run(make(kafka.bootstrap_servers, topics, prefix, most_partitions, kafka))
    except (ProvisionError, OSError, ValueError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(f"{len(names)} topics on {kafka.bootstrap_servers}", highlight=False)


@app.command()
def certs() -> None:
    """Make or renew the development certificates, key set and token."""
    places = Places.default()
    launcher.ensure_identity(places)
    console.print(str(places.certs), highlight=False)


def _rows(places: Places, names: str) -> list[Row]:
    for name, nearest in known_settings.unknown(os.environ, ()).items():
        console.print(f"{name} is no setting" + (f"; is {nearest} meant?" if nearest else ""), style="yellow", markup=False)
    try:
        rows = table(places, Ports.from_environment(), External.from_environment())
        return only(rows, names.split(",")) if names else rows
    except KeyError as error:
        console.print(f"no process is called {error}", style="red")
    except (MissingToolError, RuntimeError, ValueError) as error:
        console.print(str(error), style="red", markup=False)
    raise typer.Exit(1)


def main() -> None:
    """Entry point."""
    try:
        app()
    except AlreadyRunningError as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
