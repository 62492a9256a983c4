"""A mesh of its own for one benchmark: fresh folder, free ports, every process of the table or a few, gone afterwards."""

import datetime as dt
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.processes import table
from localmesh.rows import only
from localmesh.supervisor import UP, Mesh
from localmesh.tokens import issuer_key, mint
from meshkit.config import KafkaSettings
from simbank.population import TENANTS

from bench.processes import Usage, usage


@dataclass(frozen=True, slots=True)
class Site:
    """Where the mesh is. `run` salts identities."""

    places: Places
    ports: Ports
    mesh: Mesh
    run: int

    @property
    def kafka(self) -> KafkaSettings:
        return KafkaSettings(bootstrap_servers=f"{LOOPBACK}:{self.ports.kafka}")

    @property
    def redis_url(self) -> str:
        return f"redis://{LOOPBACK}:{self.ports.redis}/0"

    @property
    def gateway(self) -> str:
        return f"{LOOPBACK}:{self.ports.gateway}"

    @property
    def zipkin(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.zipkin}"

    @property
    def audit_file(self) -> Path:
        return self.places.var / "audit" / "audit.db"

    def tokens(self) -> dict[str, str]:
        """A bearer token of core banking by tenant."""
        key, now = issuer_key(self.places.certs), dt.datetime.now(dt.UTC)
        return {tenant: mint(key, now, tenant=tenant) for tenant in TENANTS}

    def usage(self) -> dict[str, Usage]:
        """Memory and processor time of every process that runs."""
        running = [name for name, slot in self.mesh.slots.items() if slot.child is not None and self.mesh.state(name) in UP]
        return usage({name: self.mesh.pid(name) for name in running})


@asynccontextmanager
async def opened(var: Path | None, names: list[str] | None = None) -> AsyncIterator[Site]:
    """The mesh is up inside. `var`: where its folder is made, the checkout's own when None. `names`: these processes alone.

    Raises StartError, MissingToolError.
    """
    parent = Places.default().var if var is None else var
    run = time.time_ns() // 1_000
    places = replace(Places.default(), var=parent / "bench" / str(run))
    places.var.mkdir(parents=True)
    try:
        launcher.ensure_identity(places)
        ports = Ports.free()
        rows = table(places, ports)
        async with Mesh(only(rows, names) if names else rows, places.var) as mesh:
            yield Site(places, ports, mesh, run)
    finally:
        shutil.rmtree(places.var, ignore_errors=True)
