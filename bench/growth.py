"""What more processes cost: a mesh with copies of some of them beside one without, processor time by process, in turns.

Both meshes are this checkout's, on the same cores: the figure says what a unit of work costs with the copies, not how many units cores of
their own would carry. A copy counts with its first (`risk-rpc-2` as `risk-rpc`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from localmesh.places import Places
from localmesh.ports import Ports, instance
from localmesh.processes import ONE_EACH, table
from localmesh.rows import Row, only

from bench.compare import NAMES, ORDER, Plan, Say, Side, bank_of, figures, in_turns
from bench.processes import Usage
from bench.report import Figures
from bench.site import Site, opened_with


async def measure(var: Path | None, copies: Mapping[str, int], plan: Plan, say: Say) -> Figures:
    """Run it. Raises StartError, LookupError, ValueError (no process of that name)."""
    banks = [await asyncio.to_thread(bank_of, plan) for _ in "AB"]
    async with AsyncExitStack() as stack:
        sides = []
        for each in (copies, ONE_EACH):
            site = await stack.enter_async_context(opened_with(var, partial(_rows, copies=each)))
            sides.append(Side(site, partial(summed, site, each)))
        say("both meshes are up")
        await in_turns(sides, banks, plan, say)
    more, one = sides
    said = ", ".join(f"{count} {name}" for name, count in copies.items())
    return figures(more, one, f"{said} (this) beside one of each (base): {plan.rounds} rounds of {ORDER}", {})


def _rows(places: Places, ports: Ports, copies: Mapping[str, int]) -> list[Row]:
    names = [*NAMES, *(instance(name, number) for name, count in copies.items() for number in range(2, count + 1))]
    return only(table(places, ports, copies=copies), names)


def summed(site: Site, copies: Mapping[str, int]) -> dict[str, Usage]:
    """Usage by process, its copies added up."""
    firsts = {instance(name, number): name for name, count in copies.items() for number in range(1, count + 1)}
    found: dict[str, Usage] = defaultdict(lambda: Usage(0.0, 0.0))
    for name, used in site.usage().items():
        first = firsts.get(name, name)
        found[first] = Usage(found[first].rss_mib + used.rss_mib, found[first].cpu_s + used.cpu_s)
    return dict(found)
