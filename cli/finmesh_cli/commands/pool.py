"""`finmesh pool`: the engines behind the router, what they do and what became of them. For operators."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from finmesh.inference.v1 import worker_pb2
from finmesh.inference.v1.backend_state_changed_pb2 import BackendStateChanged
from finmesh.router.v1 import router_service_pb2 as router
from google.protobuf import json_format
from meshkit.errors import DeadlineExceeded, Overloaded, QuotaExceeded, Unavailable
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from finmesh_cli import failures, pool_history, settings, show, words
from finmesh_cli.gateway import connect
from finmesh_cli.settings import Language, Settings

_STALE_MS = 3_000  # the router takes older figures for saturated
_STYLES = {
    worker_pb2.WORKER_STATE_READY: "",
    worker_pb2.WORKER_STATE_STARTING: "yellow",
    worker_pb2.WORKER_STATE_DRAINING: "yellow",
    worker_pb2.WORKER_STATE_ISOLATED: "red",
    worker_pb2.WORKER_STATE_PROBATION: "yellow",
}
_PASSING = (Unavailable, DeadlineExceeded, Overloaded, QuotaExceeded)
_COLUMNS = (
    "engine", "role", "state", "since", "model", "vendor", "device", "memory", "kind", "zone", "grade", "price", "rows", "queue", "kv",
    "busy", "cache", "arena", "out/s", "in/s", "ms", "age",
)  # fmt: skip
_WORDS = frozenset({"engine", "role", "state", "since", "model", "vendor", "device", "kind", "zone"})
_SPARE = ("memory", "price", "zone", "in/s", "age", "model", "arena", "kind", "grade", "device", "since", "busy", "vendor", "cache")
"""Left out in this order where there is no room."""
_SINCE = 1_000  # changes in which each engine's last one is looked for


def pool(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="look again until Ctrl-C")] = False,
    interval_s: Annotated[float, typer.Option(min=0.1, max=3600, help="between two looks")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON line for each look")] = False,
    history: Annotated[
        bool, typer.Option("--history", help="changes of state instead, the oldest first; with --watch new ones as they come")
    ] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="so many of the newest changes")] = 100,
) -> None:
    """Show the engines: vendor, role, state, load, and why one is isolated."""
    chosen = settings.of(context).at_desk("operator.jwt")
    if history:
        asyncio.run(pool_history.tell(chosen, most, as_json, interval_s if watch else None))
    else:
        asyncio.run(_follow(chosen, interval_s, as_json) if watch else _look(chosen, as_json))


async def _look(chosen: Settings, as_json: bool) -> None:
    async with connect(chosen) as gateway:
        found = await gateway.pool(chosen.tenant(), changes=_SINCE)
    out = show.console()
    if as_json:
        out.print(line(found.backends), markup=False)
    else:
        show.whole(out, board(out, found.backends, chosen.language, found.changes))


async def _follow(chosen: Settings, interval_s: float, as_json: bool) -> None:
    out, shown = show.console(), Group()
    async with connect(chosen) as gateway:
        while as_json:
            out.print(line(await gateway.list_backends(chosen.tenant())), markup=False)
            await asyncio.sleep(interval_s)
        with Live(console=out, get_renderable=lambda: shown, refresh_per_second=4):
            found = router.ListBackendsResponse()
            while True:
                said = ""
                try:
                    found = await gateway.pool(chosen.tenant(), changes=_SINCE)
                except _PASSING as error:
                    said = failures.describe(error)
                shown = Group(board(out, found.backends, chosen.language, found.changes), *([Text(said, style="red")] if said else []))
                await asyncio.sleep(interval_s)


def line(found: Sequence[router.Backend]) -> str:
    """Return all engines as one line of JSON, in protobuf's mapping."""
    return json_format.MessageToJson(router.ListBackendsResponse(backends=found), indent=None, ensure_ascii=False)


def board(out: Console, found: Sequence[router.Backend], language: Language, changes: Sequence[BackendStateChanged] = ()) -> RenderableType:
    """Return what to show: prefill first, then by name; below it why engines are isolated, or were. Columns are left out where there is no
    room. ``changes``: in which the last of each engine says since when.
    """
    if not found:
        return Text(words.say("no engine is known", language), style="yellow")
    last = {change.worker_id: change for change in changes}
    ordered = sorted(found, key=lambda each: (each.description.role, each.description.worker_id))
    shown = _table(ordered, _COLUMNS, language, last)
    for spared in range(1, len(_SPARE) + 1 if out.is_terminal else 0):
        if show.width(out, shown) <= out.width:
            break
        shown = _table(ordered, tuple(column for column in _COLUMNS if column not in _SPARE[:spared]), language, last)
    why = [_why(each, last.get(each.description.worker_id)) for each in ordered if each.load.reason]
    return Group(shown, *(Text(show.plain(text), style="red") for text in why))


def _why(backend: router.Backend, change: BackendStateChanged | None) -> str:
    detail = change.detail if change is not None and change.reason == backend.load.reason else ""
    return f"{backend.description.worker_id}: {backend.load.reason}" + (f" ({detail})" if detail else "")


def _table(ordered: Sequence[router.Backend], columns: Sequence[str], language: Language, last: Mapping[str, BackendStateChanged]) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        shown.add_column(words.say(column, language), no_wrap=True, justify="left" if column in _WORDS else "right")
    for backend in ordered:
        cells = _cells(backend, language, last.get(backend.description.worker_id))
        stale = backend.age_ms > _STALE_MS
        style = "yellow" if stale else _STYLES.get(backend.load.state, "")
        shown.add_row(*(show.plain(cells[column]) for column in columns), style=style)
    return shown


def _cells(backend: router.Backend, language: Language, change: BackendStateChanged | None) -> dict[str, str]:
    what, load = backend.description, backend.load
    return {
        "engine": what.worker_id,
        "role": words.worker_role(what.role, language),
        "state": words.worker_state(load.state, language),
        "since": pool_history.moment(change) if change is not None and change.after == load.state else "-",
        "model": what.model,
        "vendor": what.vendor or "-",
        "device": what.device or "-",
        "memory": f"{what.memory_bytes / 2**30:.0f} GiB" if what.memory_bytes else "-",
        "kind": what.kind or "-",
        "zone": what.zone or "-",
        "grade": f"L{what.highest_grade}" if what.highest_grade else "-",
        "price": str(what.price_per_hour_minor) if what.price_per_hour_minor else "-",
        "rows": f"{load.rows_used}/{what.rows}",
        "queue": str(load.queued),
        "kv": f"{load.kv_usage:.0%}",
        "busy": f"{load.utilisation:.0%}" if load.utilisation >= 0 else "-",
        "cache": _share(load.cached_blocks, load.cache_capacity_blocks),
        "arena": _share(load.arena_used_bytes, load.arena_bytes),
        "out/s": f"{load.output_tokens_per_s:.1f}",
        "in/s": f"{load.prefill_tokens_per_s:.1f}",
        "ms": f"{load.step_ms:.1f}",
        "age": f"{backend.age_ms / 1000:.1f} s",
    }


def _share(used: int, of: int) -> str:
    return f"{used / of:.0%}" if of else "-"
