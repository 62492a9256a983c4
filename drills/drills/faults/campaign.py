"""One campaign from start to end: own mesh, load, faults, the wait, the verdict; nothing is left running."""

import asyncio
import datetime as dt
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.supervisor import Mesh
from rich.console import Console
from simbank.driver.producer import LABELLED, REQUESTED
from translog.entries import Kind as Leaf
from translog.errors import TranslogError

from drills.bankday import workload
from drills.bankday.site import Site, bank_tokens
from drills.checks import commitments, evidence
from drills.checks.account import RECOVERY_LIMIT_S, Account, Known, Window, account, outside
from drills.checks.answered import answered
from drills.checks.audited import Audited
from drills.faults.inject import Cut, Hit, Injector, down
from drills.faults.load import Load
from drills.faults.plan import Fault
from drills.faults.pulse import WINDOW_S, Pulse
from drills.faults.table import table_of

GIVE_UP_S = 2 * RECOVERY_LIMIT_S
DRAIN_S = 60.0
_BEAT_S = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose. `seconds` bounds the load."""

    faults: Sequence[Fault]
    seed: int
    rate_per_s: float
    seconds: float


async def run(options: Options, places: Places, console: Console) -> Account:
    """Inject every fault under load and account for everything. Raises StartError when the mesh does not come up."""
    places.var.mkdir(parents=True, exist_ok=True)
    launcher.ensure_identity(places)
    site = Site(places, Ports.free(), bank_tokens(places), time.time_ns() // 1_000)
    cut = Cut(places.var / "redis")
    rows = table_of(site, cut, options.seed)
    building = asyncio.create_task(asyncio.to_thread(workload.build_bank, round(options.rate_per_s * options.seconds), site.run))
    console.print(f"{len(options.faults)} faults at {options.rate_per_s:g}/s in {places.var}", highlight=False, soft_wrap=True)
    async with Mesh(rows, places.var) as mesh, Load(site, await building, options.rate_per_s, options.seconds) as load:
        return await Campaign(site, mesh, load, Injector(mesh, cut, random.Random(options.seed)), console).run(options.faults)


class Campaign:
    """Faults one after the other, each when the mesh has recovered from the last."""

    def __init__(self, site: Site, mesh: Mesh, load: Load, injector: Injector, console: Console) -> None:
        self._site = site
        self._mesh = mesh
        self._load = load
        self._inject = injector
        self._console = console
        self._pulse = Pulse()
        self._audited = Audited(site.audit_file)
        self._beaten = asyncio.Event()  # of the next beat
        self._windows: list[Window] = []

    async def run(self, faults: Sequence[Fault]) -> Account:
        """The verdict, after everything was injected, decided and read back."""
        beating = asyncio.create_task(self.beat(), name="pulse")
        loading = asyncio.create_task(self._load.run(), name="load")
        breaking = asyncio.create_task(self._break(faults), name="faults")
        try:
            await asyncio.wait({loading, breaking, beating}, return_when=asyncio.FIRST_COMPLETED)
            if beating.done():
                beating.result()
            self._load.stop()
            if not breaking.done():  # transactions ran out, or the load failed
                breaking.cancel()
            await loading
            if not breaking.cancelled() and breaking.done():
                breaking.result()
            return await self._conclude(len(faults))
        finally:
            for task in (beating, loading, breaking):
                task.cancel()
            await asyncio.gather(beating, loading, breaking, return_exceptions=True)

    async def _break(self, faults: Sequence[Fault]) -> None:
        await self._flowing(time.time())
        for number, fault in enumerate(faults, 1):
            await asyncio.sleep(fault.after_s)
            hit = await self._inject(fault)
            window = await self._recovered(fault, hit)
            self._windows.append(window)
            at = dt.datetime.fromtimestamp(hit.began_s, dt.UTC)
            took = f"recovered in {window.recovery_s:.1f} s" if window.recovered else f"NOT recovered after {window.recovery_s:.0f} s"
            self._console.print(f"{at:%H:%M:%S.%f} {number:3}/{len(faults)} {fault} {fault.lasts_s:.1f} s: {took}", highlight=False)

    async def _recovered(self, fault: Fault, hit: Hit) -> Window:
        """Wait until decisions flow and what was hit is up; the fault's window ends with both, its recovery with the first."""
        try:
            async with asyncio.timeout(GIVE_UP_S):
                flowed_s = await self._flowing(hit.ended_s)
                await hit.up()
        except TimeoutError:
            stalled = ", ".join([*self._pulse.stalled(hit.ended_s), *down(self._mesh)])
            return Window(f"{fault} ({stalled})", hit.began_s, time.time(), GIVE_UP_S, recovered=False)
        return Window(str(fault), hit.began_s, time.time(), max(flowed_s - WINDOW_S - hit.ended_s, 0.0))

    async def _flowing(self, since_s: float) -> float:
        """Return (epoch seconds) as soon as everything has flowed for a window that began at `since_s` or later."""
        while self._pulse.stalled(since_s):
            await self._beaten.wait()
        return time.time()

    async def beat(self) -> None:
        """Sample what came in and out, for ever."""
        while True:
            with suppress(TranslogError):  # it is being made
                await asyncio.to_thread(self._audited.look)
            transactions, calls = self._load.due()
            decided = self._load.watcher.seen.decided
            self._pulse.beat(
                time.time(),
                {
                    "decisions": (transactions, decided),
                    "replies": (calls, len(self._load.calls.replies)),
                    "audit records": (decided, len(self._audited.ids)),
                },
            )
            self._beaten.set()
            self._beaten = asyncio.Event()
            await asyncio.sleep(_BEAT_S)

    async def drained(self, until_s: float) -> None:
        """Wait until everything is decided and every decision is in the audit log, or time is up. The beat must be running."""
        seen = self._load.watcher.seen
        wanted = len(set(self._load.sent.intended_us) | set(self._load.calls.replies))
        while time.time() < until_s and (seen.decided < wanted or not seen.digests.keys() <= self._audited.ids):
            await self._beaten.wait()

    async def _conclude(self, planned: int) -> Account:
        """Read everything back, once it is there or time is up."""
        load, until_s = self._load, time.time() + DRAIN_S
        await self.drained(until_s)
        decided = await answered(lambda: commitments.decisions(self._site.kafka, self._site.places.keys), until_s)
        dead = await self._dead_letters(until_s)
        log = await asyncio.to_thread(commitments.audit_log, self._site.audit_file)
        known = Known(
            streamed=set(load.sent.intended_us),
            stream_messages=load.sent.offered,
            asked=load.asked,
            replies={trace: (reply.decision_id, reply.digest) for trace, reply in load.calls.replies.items()},
            decisions=decided.first,
            contradicted=decided.contradicted,
            leaves=log.leaves,
            gap_leaves=log.kinds[Leaf.GAP],
            conflict_leaves=log.kinds[Leaf.CONFLICT],
            dead_letters=dead,
            expected_dead_letters=load.expected_dead_letters,
            windows=self._windows,
            planned=planned,
        )
        verdict = account(known)
        more = list(log.damage)
        more += [f"{count} calls were refused: {reason}" for reason, count in load.calls.refused.items()]
        more += [f"{load.sent.failed} messages were not acknowledged by the broker"] if load.sent.failed else []
        more += (
            [f"{len(load.asked) - len(load.calls.replies)} calls were never answered"] if len(load.asked) > len(load.calls.replies) else []
        )
        verdict = replace(verdict, findings=(*verdict.findings, *more))
        self._note(verdict, known, decided.repeated)
        return verdict

    async def _dead_letters(self, until_s: float) -> Mapping[str, int]:
        """Dead letters by reason, once there are as many as strays were sent, or when time is up."""
        while True:
            found = await answered(lambda: evidence.dead_letters(self._site.kafka, [REQUESTED, LABELLED]), until_s)
            if found.total() >= sum(self._load.expected_dead_letters.values()) or time.time() >= until_s:
                return found
            await self._beaten.wait()

    def _note(self, verdict: Account, known: Known, repeated: int) -> None:
        """Leave everything in the run's folder, for a person who looks for the cause."""
        load = self._load
        content = {
            "run": self._site.run,
            "findings": verdict.findings,
            "counts": verdict.as_json(),
            "repeated_records": repeated,
            "degraded_outside_of_windows": dict(Counter(round(first.decided_s) for first in outside(known) if first.degraded)),
            "failed_attempts": dict(load.calls.failures),
            "faults": [asdict(window) for window in self._windows],
            "restarts": {name: slot.restarts for name, slot in self._mesh.slots.items() if slot.restarts},
        }
        (self._site.places.var / "campaign.json").write_text(json.dumps(content, indent=1))
