"""`python -m drills.faults_pool`: engines in trouble under load. The last line is JSON; exit status 0 only when every promise held.

A campaign that was interrupted, or ended by `--seconds`, goes on when it is started again with the same seed; `--anew` begins anew.
"""

import asyncio
import json
import shutil
from typing import Annotated

import typer
from localmesh.fetch.once import MissingToolError
from localmesh.places import Places
from localmesh.supervisor import StartError
from meshkit.telemetry import logs
from provisioning import preflight
from rich.console import Console

from drills.faults_pool.campaign import Options
from drills.faults_pool.campaign import run as campaign


def run(
    requests: Annotated[int, typer.Option(min=1, help="at least so many")] = 1_000,
    each: Annotated[int, typer.Option(min=1, help="injections of each kind: crash, hang, slow, wrong")] = 8,
    seed: Annotated[int, typer.Option(help="repeats a campaign")] = 1,
    seconds: Annotated[float, typer.Option(help="end this run after so long; the next goes on")] = 1_800.0,
    anew: Annotated[bool, typer.Option("--anew", help="forget what an earlier run of this seed did")] = False,
) -> None:
    """Kill, stop, slow down and spoil engines; say how soon each is isolated, and judge every answer by an oracle."""
    preflight.check(seconds=seconds)
    console = Console()
    folder = Places.default().var / "faults-pool" / f"{seed}"
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (folder / "campaign.log").open("a") as stream:
            logs.configure("drills", stream=stream)
            found = asyncio.run(campaign(Options(seed, requests, each, seconds), folder, console))
    except (MissingToolError, StartError, LookupError, ValueError, TimeoutError) as error:
        console.print(str(error) or "the engines did not become ready", style="red", markup=False)
        raise typer.Exit(1) from None
    for finding in (found.findings + found.late)[-40:]:
        console.print(finding, style="red", markup=False, highlight=False, soft_wrap=True)
    print(json.dumps(found.as_json()))
    raise typer.Exit(0 if found.held else 1)


if __name__ == "__main__":
    typer.run(run)
