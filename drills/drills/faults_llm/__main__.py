"""`python -m drills.faults_llm`: break LLM serving. The last line is JSON; exit status 0 only when every promise held.

A campaign that was interrupted goes on when it is started again with the same seed; `--anew` begins from the start.
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

from drills.faults_llm.campaign import Options
from drills.faults_llm.campaign import run as campaign

_HANDOFFS, _KILLS, _TRANSFERS, _CANCELS = 10_000, 30, 200, 500


def run(
    scale: Annotated[float, typer.Option(min=0.001, max=10, help="of the whole campaign: 10,000 hand-offs, 30 kills of each role")] = 1.0,
    seed: Annotated[int, typer.Option(help="repeats a campaign")] = 1,
    seconds: Annotated[float, typer.Option(help="end the load after this long")] = 2_400.0,
    anew: Annotated[bool, typer.Option("--anew", help="forget what an earlier run of this seed did")] = False,
) -> None:
    """Kill engines and services of LLM serving, spoil transfers, go away in the middle; compare every token with an oracle."""
    preflight.check(seconds=seconds)
    console = Console()
    folder = Places.default().var / "faults-llm" / f"{seed}"
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)

    def part(of: int) -> int:
        return max(round(of * scale), 1)

    options = Options(
        seed=seed, handoffs=part(_HANDOFFS), kills=part(_KILLS), transfers=part(_TRANSFERS), cancels=part(_CANCELS), seconds=seconds
    )
    try:
        with (folder / "campaign.log").open("a") as stream:
            logs.configure("drills", stream=stream)
            state = asyncio.run(campaign(options, folder, console))
    except (MissingToolError, StartError, LookupError, ValueError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    for finding in state.tally.findings[-40:]:
        console.print(finding, style="red", markup=False, highlight=False, soft_wrap=True)
    print(json.dumps(state.tally.as_json()))
    raise typer.Exit(0 if state.tally.held else 1)


if __name__ == "__main__":
    typer.run(run)
