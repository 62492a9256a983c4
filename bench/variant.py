"""What more processes or other settings cost: a mesh with them beside one as it is shipped, processor time by process, in turns.

Both meshes are this checkout's, on the same cores: the figure says what a unit of work costs with copies of a process, not how many units
cores of their own would carry. A copy counts with its first (`risk-rpc-2` as `risk-rpc`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from localmesh.places import Places
from localmesh.ports import Ports, instance
from localmesh.processes import ONE_EACH, table
from localmesh.rows import Row, only

from bench.compare import NAMES, ORDER, Plan, Say, Side, bank_of, figures, in_turns
from bench.cost import Meter
from bench.processes import Usage
from bench.report import Figures
from bench.site import Site, opened_with


@dataclass(frozen=True, slots=True)
class Variant:
    """``copies``: how many instances, by process. ``settings``: by name, for whichever process reads them."""

    copies: Mapping[str, int] = field(default_factory=lambda: ONE_EACH)
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in {**self.copies, **self.settings}.items())

    def rows(self, places: Places, ports: Ports) -> list[Row]:
        """Return what runs. Raises LookupError for copies of nobody, and for a setting that nobody reads."""
        names = [*NAMES, *(instance(name, number) for name, count in self.copies.items() for number in range(2, count + 1))]
        try:
            known = table(places, ports, copies=self.copies)
        except ValueError as error:
            raise LookupError(str(error)) from error
        rows = [(row, _given(row, self.settings)) for row in only(known, names)]
        if unread := self.settings.keys() - {name for _, given in rows for name in given}:
            raise LookupError(f"nobody reads {', '.join(sorted(unread))}")
        return [replace(row, env={**row.env, **given}) for row, given in rows]


async def measure(var: Path | None, variant: Variant, plan: Plan, say: Say) -> Figures:
    """Run it. Raises StartError, LookupError."""
    banks = [await asyncio.to_thread(bank_of, plan) for _ in "AB"]
    async with AsyncExitStack() as stack:
        sides = []
        for each in (variant, Variant()):
            site = await stack.enter_async_context(opened_with(var, each.rows))
            sides.append(Side(site, Meter(partial(summed, site, each.copies))))
        say("both meshes are up")
        await in_turns(sides, banks, plan, say)
    mine, shipped = sides
    return figures(mine, shipped, f"{variant} (this) beside what is shipped (base): {plan.rounds} rounds of {ORDER}", {})


def _given(row: Row, settings: Mapping[str, str]) -> dict[str, str]:
    read = row.environment(settings)
    return {name: value for name, value in settings.items() if name in read}


def summed(site: Site, copies: Mapping[str, int]) -> dict[str, Usage]:
    """Usage by process, its copies added up."""
    firsts = {instance(name, number): name for name, count in copies.items() for number in range(1, count + 1)}
    found: dict[str, Usage] = defaultdict(lambda: Usage(0.0, 0.0))
    for name, used in site.usage().items():
        first = firsts.get(name, name)
        found[first] = Usage(found[first].rss_mib + used.rss_mib, found[first].cpu_s + used.cpu_s)
    return dict(found)
