"""`python -m drills.faults`: break a mesh of its own. The last line is JSON; exit status 0 only when every target was met."""

import asyncio
import json
from typing import Annotated

import typer
from localmesh.fetch.once import MissingToolError
from localmesh.places import Places
from localmesh.supervisor import StartError
from meshkit.telemetry import logs
from provisioning import preflight
from rich.console import Console

from drills.faults.campaign import Options
from drills.faults.campaign import run as campaign
from drills.faults.plan import sequence
from drills.faults.table import own_folder

SECONDS_EACH = 14.0  # of load a fault may take on average before time is up


def run(
    count: Annotated[int, typer.Option(min=1, help="faults of each kind")] = 5,
    seed: Annotated[int, typer.Option(help="repeats a campaign")] = 1,
    only: Annotated[str, typer.Option(help="comma separated: kind (kill stop slow forget shuffle), target, or kind:target")] = "",
    rate: Annotated[float, typer.Option(help="transactions a second")] = 300.0,
    seconds: Annotated[float, typer.Option(help="end the load after this long; 0: long enough for all faults")] = 0.0,
) -> None:
    """Kill, stop, slow down and restart parts of the mesh under load; compare replies, decisions and audit records byte by byte."""
    preflight.check(rate=rate, seconds=seconds or preflight.MIN)
    console = Console()
    try:
        faults = sequence(count, seed, [word for word in only.split(",") if word])
        options = Options(faults, seed, rate, seconds or 30.0 + SECONDS_EACH * len(faults))
        places = own_folder(Places.default())
        places.logs.mkdir()
        with (places.logs / "campaign.log").open("w") as stream:
            logs.configure("simbank", stream=stream)  # what our own clients say of a broker that is down is not for the screen
            verdict = asyncio.run(campaign(options, places, console))
    except (MissingToolError, StartError, ValueError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    for finding in verdict.findings:
        console.print(finding, style="red", markup=False, highlight=False, soft_wrap=True)
    print(json.dumps(verdict.as_json()))
    raise typer.Exit(0 if verdict.held else 1)


if __name__ == "__main__":
    typer.run(run)
