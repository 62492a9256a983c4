"""One campaign from start to end: oracle, own mesh, callers, kills; when the last lease has run out nothing may be held any more.

Faults of transfers are drawn by the engines themselves and counted in files beside them; a Triton that nobody killed may not die. The
campaign is over when everything planned has happened, or its time; what is missing then is a finding.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.supervisor import Mesh
from rich.console import Console
from rich.progress import Progress, TaskID

from drills.checks.answered import ASK_AGAIN_S, answered
from drills.faults_llm import held, inject
from drills.faults_llm.doors import doors
from drills.faults_llm.load import DEADLINE_S, Load
from drills.faults_llm.oracle import Oracle, oracle
from drills.faults_llm.plan import ROLES, Ask, Kill, ask, kills, prompts
from drills.faults_llm.shims.kinds import KINDS
from drills.faults_llm.state import State, load
from drills.faults_llm.table import COPIED, places_of, table_of, tiny_model
from drills.faults_llm.verdict import Outcome, short_of

TENANT = "bank-a"
CALLERS = 10
CANCELLED_SHARE = 0.2
VOCABULARY, SPECIAL = 384, frozenset({0, 1, 2})  # of the tiny model
GIVE_UP_S = 60.0
FLOW_S = 1.0
LEASES_S = 60.0  # longer than any lease, its last heartbeat and a sweep
_SAVE_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose. `seconds` bounds the load."""

    seed: int
    handoffs: int
    kills: int
    transfers: int
    cancels: int
    seconds: float


async def run(options: Options, folder: Path, console: Console) -> State:
    """Go on with a campaign in `folder`, and return where it ended. Raises StartError, LookupError, ValueError."""
    state = load(folder, options.seed)
    model = await asyncio.to_thread(tiny_model, folder / "models")
    asked = prompts(options.seed, VOCABULARY, SPECIAL)
    said = await asyncio.to_thread(oracle, model, asked, [ask(options.seed, number, CANCELLED_SHARE) for number in range(4_000)])
    places = places_of(folder, model)
    launcher.ensure_identity(places)
    ports = Ports.free().with_copies(COPIED)
    rows = table_of(places, ports)
    console.print(f"from request {state.asked}, kill {state.killed} in {places.var}", highlight=False, soft_wrap=True)
    async with Mesh(rows, places.var) as mesh, doors(places, ports) as gateways:
        campaign = Campaign(options, state, said, mesh=mesh, places=places, ports=ports, console=console)
        calling = Load(gateways, TENANT, asked, campaign.draw, campaign.done)
        await campaign.run(calling, folder)
    state.save(folder)
    return state


class Campaign:
    """Kills one after the other, each when answers flow again; requests all the while."""

    def __init__(self, options: Options, state: State, said: Oracle, mesh: Mesh, places: Places, ports: Ports, console: Console) -> None:
        self._options = options
        self._state = state
        self._oracle = said
        self._mesh = mesh
        self._places, self._ports = places, ports
        self._console = console
        self._ended: deque[tuple[float, bool]] = deque(maxlen=4_000)  # when a request ended, and whether it was answered
        self._changed = asyncio.Event()
        self._before = dict(state.tally.transfers)
        self._expected_deaths = 0

    def draw(self) -> Ask:
        """The next request."""
        drawn = ask(self._options.seed, self._state.asked % 4_000, CANCELLED_SHARE)
        self._state.asked += 1
        return drawn

    def done(self, asked: Ask, outcome: Outcome) -> None:
        """Count how a request ended."""
        tally = self._state.tally
        tally.take(outcome, self._oracle(asked))
        if outcome.cancelled and asked.cancel is not None:
            tally.cancels[asked.cancel] = tally.cancels.get(asked.cancel, 0) + 1
        if not outcome.cancelled:
            self._ended.append((time.monotonic(), not (outcome.error or outcome.hung)))
        self._changed.set()

    async def run(self, calling: Load, folder: Path) -> None:
        """Break things until everything planned has happened, or time is up; then look for what is still held."""
        loading = asyncio.create_task(calling.run(CALLERS), name="load")
        breaking = asyncio.create_task(self._break(), name="kills")
        saving = asyncio.create_task(self._save(folder), name="state")
        until_s = time.monotonic() + self._options.seconds
        try:
            with Progress(console=self._console) as progress:
                bar = progress.add_task("hand-offs", total=self._options.handoffs)
                while time.monotonic() < until_s and self._missing():
                    self._show(progress, bar)
                    done, _ = await asyncio.wait({loading, breaking, saving}, timeout=1.0, return_when=asyncio.FIRST_EXCEPTION)
                    for task in done:
                        task.result()
            breaking.cancel()
            await asyncio.gather(breaking, return_exceptions=True)
            calling.stop()
            await asyncio.wait({loading}, timeout=DEADLINE_S + 5)
        finally:
            for task in (loading, breaking, saving):
                task.cancel()
            await asyncio.gather(loading, breaking, saving, return_exceptions=True)
        await self._conclude()

    async def _break(self) -> None:
        planned = kills(self._options.seed, self._options.kills)
        await self._flowing(time.monotonic())
        while self._state.killed < len(planned):
            kill = planned[self._state.killed]
            await asyncio.sleep(kill.after_s)
            await self._kill(kill)
            self._state.killed += 1

    async def _kill(self, kill: Kill) -> None:
        struck = await inject.hit(self._mesh, kill)
        self._expected_deaths += kill.role in ("triton-prefill", "triton-decode", "prefill stub", "decode stub")
        tally = self._state.tally
        tally.kills[kill.role] = tally.kills.get(kill.role, 0) + 1
        try:
            async with asyncio.timeout(GIVE_UP_S):
                flowed_s = await self._flowing(struck.at_s)
                await inject.up(self._mesh, struck)
        except TimeoutError:
            tally.findings.append(f"{kill}: no recovery in {GIVE_UP_S:g} s")
            return
        recovery_s = max(flowed_s - FLOW_S - struck.at_s, 0.0)
        tally.recovery_s_max = max(tally.recovery_s_max, recovery_s)
        self._console.print(f"{self._state.killed + 1:4} {kill}: answers flow after {recovery_s:.1f} s", highlight=False)

    async def _flowing(self, since_s: float) -> float:
        """Return (monotonic) when, for a whole second that began at `since_s` or later, every request that ended was answered."""
        while True:
            now = time.monotonic()
            last = [ok for at_s, ok in self._ended if at_s > now - FLOW_S]
            if now - FLOW_S >= since_s and last and all(last):
                return now
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), GIVE_UP_S)

    async def _save(self, folder: Path) -> None:
        while True:
            await asyncio.sleep(_SAVE_S)
            self._count_transfers()
            self._state.save(folder)

    def _count_transfers(self) -> None:
        drawn = held.spoilt(self._places)
        self._state.tally.transfers = {kind: self._before.get(kind, 0) + drawn.get(kind, 0) for kind in KINDS}

    def _missing(self) -> list[str]:
        o = self._options
        return short_of(
            self._state.tally, handoffs=o.handoffs, kills=o.kills, transfers=o.transfers, cancels=o.cancels, roles=ROLES, kinds=KINDS
        )

    def _show(self, progress: Progress, bar: TaskID) -> None:
        tally = self._state.tally
        kinds = {"kills": tally.kills, "spoilt": tally.transfers, "cancels": tally.cancels, "errors": tally.errors}
        said = ", ".join(f"{sum(counts.values())} {kind}" for kind, counts in kinds.items())
        progress.update(bar, completed=tally.handoffs, description=said)

    async def _conclude(self) -> None:
        """Wait until nothing is held, for as long as the longest lease, then count what is held and who died."""
        tally, until_s = self._state.tally, time.time() + LEASES_S
        while (left := await answered(lambda: held.held(self._ports), until_s)) and time.time() < until_s:  # noqa: ASYNC110
            await asyncio.sleep(ASK_AGAIN_S)
        self._count_transfers()
        tally.leaked_blocks += len(left)
        tally.findings += [f"still held: {line}" for line in left]
        restarts = sum(slot.restarts for name, slot in self._mesh.slots.items() if name.startswith("triton-"))
        tally.triton_deaths += max(restarts - self._expected_deaths, 0)
        others = {name: slot.restarts for name, slot in self._mesh.slots.items() if name in ("kafka", "redis", "audit") and slot.restarts}
        tally.findings += [f"{name} died {count} times" for name, count in others.items()]
        tally.findings += [f"not done: {each}" for each in self._missing()]
