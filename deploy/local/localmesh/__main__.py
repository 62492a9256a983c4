"""`python -m localmesh`: up, down, status, logs, certs."""

import asyncio
import os
import sys
from typing import Annotated

import typer
from meshkit import known_settings
from provisioning import preflight
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
def up(only: Only = "", foreground: Annotated[bool, typer.Option(help="stay attached to this terminal")] = False) -> None:
    """Start the mesh and wait until it is ready."""
    preflight.check()
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
def certs() -> None:
    """Make or renew the development certificates, key set and token."""
    preflight.check()
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
