"""`finmesh pool`: the engines behind the router and what they do. For operators."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from finmesh.inference.v1 import worker_pb2
from finmesh.router.v1 import router_service_pb2 as router
from google.protobuf import json_format
from meshkit.errors import DeadlineExceeded, Overloaded, QuotaExceeded, Unavailable
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from finmesh_cli import failures, settings, show, words
from finmesh_cli.gateway import connect
from finmesh_cli.settings import Language, Settings

_STALE_MS = 3_000  # the router takes older figures for saturated
_STYLES = {
    worker_pb2.WORKER_STATE_READY: "",
    worker_pb2.WORKER_STATE_STARTING: "yellow",
    worker_pb2.WORKER_STATE_DRAINING: "yellow",
    worker_pb2.WORKER_STATE_ISOLATED: "red",
}
_PASSING = (Unavailable, DeadlineExceeded, Overloaded, QuotaExceeded)
_COLUMNS = ("engine", "role", "state", "model", "device", "rows", "queue", "prefixes", "arena", "out/s", "in/s", "step ms", "age")
_WORDS = frozenset({"engine", "role", "state", "model", "device"})
_SPARE = ("device", "in/s", "age", "model", "arena")  # left out in this order where there is no room


def pool(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="look again until Ctrl-C")] = False,
    interval_s: Annotated[float, typer.Option(min=0.1, max=3600, help="between two looks")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON line for each look")] = False,
) -> None:
    """Show the engines: role, state, load, and why one is isolated."""
    chosen = settings.of(context).at_desk("operator.jwt")
    asyncio.run(_follow(chosen, interval_s, as_json) if watch else _look(chosen, as_json))


async def _look(chosen: Settings, as_json: bool) -> None:
    async with connect(chosen) as gateway:
        found = await gateway.list_backends(chosen.tenant())
    out = show.console()
    if as_json:
        out.print(line(found), markup=False)
    else:
        show.whole(out, board(out, found, chosen.language))


async def _follow(chosen: Settings, interval_s: float, as_json: bool) -> None:
    out, shown = show.console(), Group()
    async with connect(chosen) as gateway:
        while as_json:
            out.print(line(await gateway.list_backends(chosen.tenant())), markup=False)
            await asyncio.sleep(interval_s)
        with Live(console=out, get_renderable=lambda: shown, refresh_per_second=4):
            found: list[router.Backend] = []
            while True:
                said = ""
                try:
                    found = await gateway.list_backends(chosen.tenant())
                except _PASSING as error:
                    said = failures.describe(error)
                shown = Group(board(out, found, chosen.language), *([Text(said, style="red")] if said else []))
                await asyncio.sleep(interval_s)


def line(found: Sequence[router.Backend]) -> str:
    """Return all engines as one line of JSON, in protobuf's mapping."""
    return json_format.MessageToJson(router.ListBackendsResponse(backends=found), indent=None, ensure_ascii=False)


def board(out: Console, found: Sequence[router.Backend], language: Language) -> RenderableType:
    """Return what to show: prefill first, then by name; below it why engines are isolated. Columns are left out where there is no room."""
    if not found:
        return Text(words.say("no engine is known", language), style="yellow")
    ordered = sorted(found, key=lambda each: (each.description.role, each.description.worker_id))
    shown = _table(ordered, _COLUMNS, language)
    for spared in range(1, len(_SPARE) + 1 if out.is_terminal else 0):
        if show.width(out, shown) <= out.width:
            break
        shown = _table(ordered, tuple(column for column in _COLUMNS if column not in _SPARE[:spared]), language)
    why = [f"{each.description.worker_id}: {each.load.reason}" for each in ordered if each.load.reason]
    return Group(shown, *(Text(show.plain(text), style="red") for text in why))


def _table(ordered: Sequence[router.Backend], columns: Sequence[str], language: Language) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        shown.add_column(words.say(column, language), no_wrap=True, justify="left" if column in _WORDS else "right")
    for backend in ordered:
        cells = _cells(backend, language)
        stale = backend.age_ms > _STALE_MS
        style = "yellow" if stale else _STYLES.get(backend.load.state, "")
        shown.add_row(*(show.plain(cells[column]) for column in columns), style=style)
    return shown


def _cells(backend: router.Backend, language: Language) -> dict[str, str]:
    what, load = backend.description, backend.load
    return {
        "engine": what.worker_id,
        "role": words.worker_role(what.role, language),
        "state": words.worker_state(load.state, language),
        "model": what.model,
        "device": f"{what.vendor}/{what.device}",
        "rows": f"{load.rows_used}/{what.rows}",
        "queue": str(load.queued),
        "prefixes": _share(load.cached_blocks, load.cache_capacity_blocks),
        "arena": _share(load.arena_used_bytes, load.arena_bytes),
        "out/s": f"{load.output_tokens_per_s:.1f}",
        "in/s": f"{load.prefill_tokens_per_s:.1f}",
        "step ms": f"{load.step_ms:.1f}",
        "age": f"{backend.age_ms / 1000:.1f} s",
    }


def _share(used: int, of: int) -> str:
    return f"{used / of:.0%}" if of else "-"
