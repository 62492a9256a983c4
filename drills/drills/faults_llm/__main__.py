"""`python -m drills.faults_llm`: break LLM serving. The last line is JSON; exit status 0 only when every promise held.

A campaign that was interrupted goes on when it is started again with the same seed; `--anew` begins from the start.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from drills import resumed
from drills.faults_llm.campaign import Options
from drills.faults_llm.campaign import run as campaign
from drills.faults_llm.verdict import Tally

_HANDOFFS, _KILLS, _TRANSFERS, _CANCELS = 10_000, 30, 200, 500


def run(
    scale: Annotated[float, typer.Option(min=0.001, max=10, help="of the whole campaign: 10,000 hand-offs, 30 kills of each role")] = 1.0,
    seed: Annotated[int, typer.Option(help="repeats a campaign")] = 1,
    seconds: Annotated[float, typer.Option(help="end the load after this long")] = 2_400.0,
    anew: Annotated[bool, typer.Option("--anew", help="forget what an earlier run of this seed did")] = False,
) -> None:
    """Kill engines and services of LLM serving, spoil transfers, go away in the middle; compare every token with an oracle."""

    def part(of: int) -> int:
        return max(round(of * scale), 1)

    options = Options(
        seed=seed, handoffs=part(_HANDOFFS), kills=part(_KILLS), transfers=part(_TRANSFERS), cancels=part(_CANCELS), seconds=seconds
    )

    async def judged(folder: Path, console: Console) -> Tally:
        return (await campaign(options, folder, console)).tally

    resumed.run(judged, "faults-llm", seed, seconds=seconds, anew=anew, console=Console(), late="the engines did not become ready")


if __name__ == "__main__":
    typer.run(run)
