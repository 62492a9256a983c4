"""`python -m drills.bankday`: the main job. Exit status 0 only when nothing was lost and nothing is contradictory."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from localmesh.fetch.once import MissingToolError
from provisioning import preflight
from rich.console import Console

from drills.bankday.run import Options
from drills.bankday.run import run as main_job


def run(
    rate: Annotated[float, typer.Option(help="transactions a second")] = 300.0,
    seconds: Annotated[float, typer.Option(help="how long the day takes")] = 60.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the summary there as well")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave the mesh up after the summary, until Ctrl-C")] = False,
    knowledge: Annotated[bool, typer.Option(help="hand documents in after the day and ask them")] = True,
) -> None:
    """Replay a compressed day through a mesh of its own, and prove that nothing was lost."""
    preflight.check(rate=rate, seconds=seconds)
    console = Console()
    try:
        exit_status = asyncio.run(main_job(Options(rate, seconds, json_file, keep, knowledge), console))
    except (MissingToolError, RuntimeError, ValueError) as error:
        console.print(str(error), style="red", markup=False)
        exit_status = 1
    raise typer.Exit(exit_status)


if __name__ == "__main__":
    typer.run(run)
