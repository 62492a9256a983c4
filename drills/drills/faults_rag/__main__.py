"""`python -m drills.faults_rag`: the knowledge service in trouble. The last line is JSON; exit status 0 only when every promise held.

A campaign that was interrupted, or ended by `--seconds`, goes on when it is started again with the same seed; `--anew` begins anew.
"""

from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from drills import resumed
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
    options = Options(seed, count, documents, seconds)
    console = Console(stderr=True)
    resumed.run(partial(campaign, options), "faults-rag", seed, seconds=seconds, anew=anew, console=console, late="the time is over")


if __name__ == "__main__":
    typer.run(run)
