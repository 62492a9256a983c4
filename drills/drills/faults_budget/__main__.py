"""`python -m drills.faults_budget`: kill gateways, routers and Redis while tokens are counted. The last line is JSON.

The exit status is 0 only when what is booked is the sum over the audit records, to the token, and nothing is held any more.
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

from drills.faults_budget.campaign import Options
from drills.faults_budget.campaign import run as campaign


def run(
    requests: Annotated[int, typer.Option(min=50, max=1_000_000, help="how many are asked")] = 10_000,
    kills: Annotated[int, typer.Option(min=1, max=1_000, help="of each role")] = 5,
    seed: Annotated[int, typer.Option(help="repeats a campaign")] = 1,
    seconds: Annotated[float, typer.Option(help="give up after this long")] = 3_600.0,
) -> None:
    """Kill what meters and records tokens, and compare what is booked with the sum over the audit records."""
    preflight.check(seconds=seconds)
    console = Console(stderr=True)
    folder = Places.default().var / "faults-budget" / f"{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with (folder / "campaign.log").open("a") as stream:
            logs.configure("drills", stream=stream)
            found = asyncio.run(campaign(Options(seed, requests, kills, seconds), folder, console))
    except (MissingToolError, StartError, LookupError, TimeoutError) as error:
        console.print(str(error) or "the time is over", style="red", markup=False)
        raise typer.Exit(1) from None
    print(json.dumps(found.as_json()))
    raise typer.Exit(0 if found.held_it else 1)


if __name__ == "__main__":
    typer.run(run)
