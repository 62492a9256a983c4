"""How a campaign that goes on where it stopped runs as a command: a folder for each seed, a log in it, findings, JSON, exit status."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

import typer
from localmesh.fetch.once import MissingToolError
from localmesh.places import Places
from localmesh.supervisor import StartError
from meshkit.telemetry import logs
from provisioning import preflight
from rich.console import Console

_SHOWN = 40


class Judged(Protocol):
    """What a campaign found."""

    @property
    def held(self) -> bool:
        """Whether every promise held."""
        ...

    @property
    def broken(self) -> Sequence[str]:
        """What did not, as sentences."""
        ...

    def as_json(self) -> dict[str, object]:
        """The last line."""
        ...


def run(
    campaign: Callable[[Path, Console], Awaitable[Judged]], name: str, seed: int, *, seconds: float, anew: bool, console: Console, late: str
) -> NoReturn:
    """Run ``campaign`` in var/``name``/``seed`` and end the command; 0 only when every promise held. ``late``: what a time-out means."""
    preflight.check(seconds=seconds)
    folder = Places.default().var / name / f"{seed}"
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)

    async def work() -> Judged:
        return await campaign(folder, console)

    try:
        with (folder / "campaign.log").open("a") as stream:
            logs.configure("drills", stream=stream)
            found = asyncio.run(work())
    except (MissingToolError, StartError, LookupError, ValueError, TimeoutError) as error:
        console.print(str(error) or late, style="red", markup=False)
        raise typer.Exit(1) from None
    for each in found.broken[-_SHOWN:]:
        console.print(each, style="red", markup=False, highlight=False, soft_wrap=True)
    print(json.dumps(found.as_json()))
    raise typer.Exit(0 if found.held else 1)
