"""`python -m drills.faults_rag`: the knowledge service in trouble. The last line is JSON; exit status 0 only when every promise held.

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

from drills.faults_rag.campaign import Options
from drills.faults_rag.campaign import run as campaign


def run(
    count: Annotated[int, typer.Option(min=1, max=1_000, help="injections of each kind: as many rounds")] = 3,
    documents: Annotated[int, typer.Option(min=1, max=10_000, help="written documents of a round, beside samples and poison")] = 120,
    seed: Annotated[int, typer.Option(help="repeats a campaign")] = 1,
    seconds: Annotated[float, typer.Option(help="end this run after so long; the next goes on")] = 3_600.0,
    anew: Annotated[bool, typer.Option("--anew", help="forget what an earlier run of this seed did")] = False,
) -> None:
    """Kill and empty what knowledge is made of while documents come in and readers ask; judge from outside."""
    preflight.check(seconds=seconds)
    console = Console(stderr=True)
    folder = Places.default().var / "faults-rag" / f"{seed}"
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (folder / "campaign.log").open("a") as stream:
            logs.configure("drills", stream=stream)
            found = asyncio.run(campaign(Options(seed, count, documents, seconds), folder, console))
    except (MissingToolError, StartError, LookupError, ValueError, TimeoutError) as error:
        console.print(str(error) or "the time is over", style="red", markup=False)
        raise typer.Exit(1) from None
    for finding in found.findings[-40:]:
        console.print(finding, style="red", markup=False, highlight=False, soft_wrap=True)
    print(json.dumps(found.as_json()))
    raise typer.Exit(0 if found.held else 1)


if __name__ == "__main__":
    typer.run(run)
