"""`python -m drills.faults_pool`: engines in trouble under load. The last line is JSON; exit status 0 only when every promise held.

A campaign that was interrupted, or ended by `--seconds`, goes on when it is started again with the same seed; `--anew` begins anew.
"""

from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from drills import resumed
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
    options = Options(seed, requests, each, seconds)
    resumed.run(
        partial(campaign, options),
        "faults-pool",
        seed,
        seconds=seconds,
        anew=anew,
        console=Console(),
        late="the engines did not become ready",
    )


if __name__ == "__main__":
    typer.run(run)
