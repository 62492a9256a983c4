"""A mesh of its own for one benchmark: fresh folder, free ports, every process of the table or a few, gone afterwards."""

import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from drills.bankday import site as bankday
from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.processes import table, without_language_models
from localmesh.rows import Row, only
from localmesh.supervisor import UP, Mesh

from bench.processes import Usage, usage


@dataclass(frozen=True, slots=True)
class Site(bankday.Site):
    """Where the mesh is, and the mesh itself."""

    mesh: Mesh

    @property
    def redis_url(self) -> str:
        return f"redis://{LOOPBACK}:{self.ports.redis}/0"

    def usage(self) -> dict[str, Usage]:
        """Memory and processor time of every process that runs."""
        running = [name for name, slot in self.mesh.slots.items() if slot.child is not None and self.mesh.state(name) in UP]
        return usage({name: self.mesh.pid(name) for name in running})


Rows = Callable[[Places, Ports], list[Row]]


@asynccontextmanager
async def opened(var: Path | None, names: list[str] | None = None) -> AsyncIterator[Site]:
    """The mesh is up inside, without language models. `names`: these rows alone. Otherwise as `opened_with`."""

    def rows(places: Places, ports: Ports) -> list[Row]:
        found = without_language_models(table(places, ports))
        return only(found, names) if names else found

    async with opened_with(var, rows) as site:
        yield site


@asynccontextmanager
async def opened_with(var: Path | None, rows: Rows, usual: Places | None = None) -> AsyncIterator[Site]:
    """A mesh of these rows is up. `var`: where its folder lies, the checkout's own when None. `usual`: places in place of the default.

    Raises StartError, MissingToolError.
    """
    parent = Places.default().var if var is None else var
    run = time.time_ns() // 1_000
    places = replace(usual or Places.default(), var=parent / "bench" / str(run))
    places.var.mkdir(parents=True)
    try:
        launcher.ensure_identity(places)
        ports = Ports.free()
        async with Mesh(rows(places, ports), places.var) as mesh:
            yield Site(places, ports, bankday.bank_tokens(places), run, mesh)
    finally:
        shutil.rmtree(places.var, ignore_errors=True)
