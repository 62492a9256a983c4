"""One campaign from start to end: oracle, own mesh, callers, one engine in trouble after the other.

The next engine is troubled when all are READY again, so that one of each role is always well; requests flow all the while. Health begins
anew with each start of the mesh, which is how a campaign that is run in pieces keeps isolated engines from waiting ever longer.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finmesh_client import GatewayClient
from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.supervisor import Mesh
from meshkit.config import TlsSettings
from rich.console import Console

from drills.faults_llm.doors import doors
from drills.faults_llm.load import DEADLINE_S, Load
from drills.faults_llm.oracle import Oracle, oracle
from drills.faults_llm.plan import Ask, prompts
from drills.faults_llm.table import places_of, table_of, tiny_model
from drills.faults_llm.verdict import Outcome
from drills.faults_pool import trouble
from drills.faults_pool.plan import COPIES, LIMIT_S, ROLES, Injection, Kind, ask, injections
from drills.faults_pool.verdict import Tally, Window, short_of
from drills.faults_pool.watch import Seen, Watch

TENANT = "bank-a"
CALLERS = 4
COPIED = {"inference-prefill": COPIES, "inference-decode": COPIES}
ENGINES = COPIES * len(ROLES)
VOCABULARY, SPECIAL = 384, frozenset({0, 1, 2})  # of the tiny model
FILE = "pool.json"
GIVE_UP_S = 90.0
USUAL_S = 15.0
"""How long an engine works until its usual pace is known: one that was never fast can't be found slow."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose: `each` injections of every kind; `seconds` bounds this run of it."""

    seed: int
    requests: int
    each: int
    seconds: float


async def run(options: Options, folder: Path, console: Console) -> Tally:
    """Go on with a campaign in `folder`, and return what it found. Raises StartError, LookupError, ValueError, TimeoutError."""
    tally, done = load(folder)
    model = await asyncio.to_thread(tiny_model, folder / "models")
    asked = prompts(options.seed, VOCABULARY, SPECIAL)
    said = await asyncio.to_thread(oracle, model, asked, [ask(options.seed, number) for number in range(500)])
    places = places_of(folder, model, spoils=False)
    launcher.ensure_identity(places)
    ports = Ports.free().with_copies(COPIED)
    async with (
        Mesh(table_of(places, ports, COPIED), places.var) as mesh,
        doors(places, ports, 1) as gateways,
        operator(places, ports) as desk,
    ):
        campaign = Campaign(options, tally, done, said, mesh=mesh, places=places, watch=Watch(desk, TENANT), console=console)
        await campaign.run(Load(gateways, TENANT, asked, campaign.draw, campaign.done))
    save(folder, campaign.tally, campaign.begun)
    campaign.tally.findings += [f"not done: {each}" for each in short_of(campaign.tally, options.requests, options.each)]
    return campaign.tally


def operator(places: Places, ports: Ports) -> GatewayClient:
    """A client of somebody who may see the engines."""
    certs = places.certs
    tls = TlsSettings(authority=certs / "authority.pem", certificate=certs / "client.pem", key=certs / "client.key")
    return GatewayClient(f"{LOOPBACK}:{ports.grpc('gateway')}", tls, lambda _: (certs / "operator.jwt").read_text())


def load(folder: Path) -> tuple[Tally, int]:
    """What an earlier run left, and how many injections it made. Raises ValueError for a file of another kind."""
    file = folder / FILE
    if not file.exists():
        return Tally(), 0
    try:
        content: dict[str, Any] = json.loads(file.read_text())
        return Tally(**content["tally"]), content["begun"]
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{file} is no state of a campaign: remove it, or name another seed") from error


def save(folder: Path, tally: Tally, begun: int) -> None:
    """Write it beside and rename, so that a file is whole or the one before."""
    beside = folder / f"{FILE}.new"
    beside.write_text(json.dumps({"tally": tally.as_state(), "begun": begun}, indent=1))
    beside.replace(folder / FILE)


@dataclass
class Campaign:
    """Troubles one after the other, requests all the while. `begun`: injections so far, of all runs."""

    options: Options
    tally: Tally
    begun: int
    oracle: Oracle
    mesh: Mesh
    places: Places
    watch: Watch
    console: Console
    _windows: list[Window] = field(default_factory=list)  # of wrong engines, in this run
    _ended: list[tuple[Ask, Outcome, float]] = field(default_factory=list)  # judged when all windows are known
    _one_ended: asyncio.Event = field(default_factory=asyncio.Event)
    _next: int = 0

    def draw(self) -> Ask:
        """The next request."""
        self._next += 1
        return ask(self.options.seed, (self.tally.requests + self._next) % 500)

    def done(self, asked: Ask, outcome: Outcome) -> None:
        """Take note of how a request ended."""
        self._ended.append((asked, outcome, time.monotonic()))
        self._one_ended.set()

    async def run(self, calling: Load) -> None:
        """Break things until everything planned has happened, or time is up; then judge."""
        async with asyncio.timeout(GIVE_UP_S):
            await self.watch.well(ENGINES)  # a mesh that has just begun is not asked: engines answer a known question first
        loading = asyncio.create_task(calling.run(CALLERS), name="load")
        try:
            async with asyncio.timeout(self.options.seconds):
                await self._break()
        except TimeoutError:
            pass
        finally:
            for role in ROLES:
                for copy in range(1, COPIES + 1):
                    trouble.end(self.places, Injection(Kind.WRONG, role, copy, 0.0))
            calling.stop()
            await asyncio.wait({loading}, timeout=DEADLINE_S + 5)
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
        for asked, outcome, ended_s in self._ended:
            self.tally.take(outcome, self.oracle(asked), self._windows, ended_s)

    async def _break(self) -> None:
        planned = injections(self.options.seed, self.options.each)
        await asyncio.sleep(USUAL_S)
        while self.begun < len(planned):
            await self._inject(planned[self.begun])
            self.begun += 1
        while self.tally.requests + len(self._ended) < self.options.requests:
            self._one_ended.clear()
            await self._one_ended.wait()

    async def _inject(self, injection: Injection) -> None:
        await self.watch.well(ENGINES)
        await asyncio.sleep(injection.after_s)
        before: Seen = (await self.watch.engines())[injection.row]
        began_s = await trouble.begin(self.mesh, self.places, injection)
        if injection.kind is Kind.WRONG:
            self._windows.append(Window(began_s, float("inf")))
        try:
            async with asyncio.timeout(GIVE_UP_S):
                isolated_s, why = await self.watch.isolated(injection.row, before.incarnation)
        except TimeoutError:
            self.tally.findings.append(f"{injection}: not isolated within {GIVE_UP_S:g} s")
            return
        finally:
            trouble.end(self.places, injection)
        if injection.kind is Kind.WRONG:
            self._windows[-1] = Window(began_s, isolated_s)
        self.tally.isolated(injection.kind, isolated_s - began_s, f"{injection}")
        said = f"isolated after {isolated_s - began_s:.1f} of {LIMIT_S[injection.kind]:g} s ({why}), {len(self._ended)} requests"
        self.console.print(f"{self.begun + 1:4} {injection}: {said}", highlight=False)
