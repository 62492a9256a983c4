"""A mesh of its own for one benchmark: fresh folder, free ports, every process of the table or a few, gone afterwards."""

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from drills.bankday import site as bankday
from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.processes import table, without_language_models
from localmesh.rows import only
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


@asynccontextmanager
async def opened(var: Path | None, names: list[str] | None = None) -> AsyncIterator[Site]:
    """The mesh is up inside, without language models. `var`: where its folder is made, the checkout's own when None. `names`: these alone.

    Raises StartError, MissingToolError.
    """
    parent = Places.default().var if var is None else var
    run = time.time_ns() // 1_000
    places = replace(Places.default(), var=parent / "bench" / str(run))
    places.var.mkdir(parents=True)
    try:
        launcher.ensure_identity(places)
        ports = Ports.free()
        rows = without_language_models(table(places, ports))
        async with Mesh(only(rows, names) if names else rows, places.var) as mesh:
            yield Site(places, ports, bankday.bank_tokens(places), run, mesh)
    finally:
        shutil.rmtree(places.var, ignore_errors=True)
