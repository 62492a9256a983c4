"""What became of the engines: a line for each change of state, as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from finmesh.inference.v1.backend_state_changed_pb2 import BackendStateChanged
from google.protobuf import json_format
from meshkit.errors import DeadlineExceeded, Overloaded, QuotaExceeded, Unavailable
from rich.text import Text

from finmesh_cli import failures, show, words
from finmesh_cli.gateway import connect
from finmesh_cli.settings import Language, Settings

PASSING = (Unavailable, DeadlineExceeded, Overloaded, QuotaExceeded)
_MOST = 10_000


async def tell(chosen: Settings, most: int, as_json: bool, interval_s: float | None) -> None:
    """Print the newest changes, the oldest first; with an interval those that come as well, until Ctrl-C."""
    out, told = show.console(), set[tuple[str, str, str, int]]()
    async with connect(chosen) as gateway:
        while True:
            try:
                changes: Sequence[BackendStateChanged] = (await gateway.pool(chosen.tenant(), changes=most if not told else _MOST)).changes
            except PASSING as error:
                if interval_s is None:
                    raise
                out.print(Text(failures.describe(error), style="red"))
                changes = ()
            fresh = [change for change in changes if _name(change) not in told]
            for change in fresh:
                out.print(_json(change) if as_json else Text(show.plain(line(change, chosen.language))), markup=False, soft_wrap=True)
            told.update(_name(change) for change in fresh)
            if interval_s is None:
                if not told and not as_json:
                    out.print(words.say("no engine's state has changed", chosen.language))
                return
            await asyncio.sleep(interval_s)


def moment(change: BackendStateChanged) -> str:
    """Return when it was seen, by this machine's clock and zone."""
    return datetime.fromtimestamp(change.changed_at.ToNanoseconds() / 1e9).astimezone().strftime("%m-%d %H:%M:%S")


def line(change: BackendStateChanged, language: Language) -> str:
    """Return a change as people read it."""
    before = words.worker_state(change.before, language) if change.before else "-"
    after, why = words.worker_state(change.after, language), change.reason + (f" ({change.detail})" if change.detail else "")
    who = f"{change.worker_id} [{words.worker_role(change.role, language)}, {change.vendor or '-'}, {change.model}]"
    return f"{moment(change)}  {who}  {before} -> {after}" + (f"  {why}" if why else "") + f"  · {change.service} {change.instance}"


def _json(change: BackendStateChanged) -> str:
    return json_format.MessageToJson(change, indent=None, ensure_ascii=False)


def _name(change: BackendStateChanged) -> tuple[str, str, str, int]:
    return change.service, change.instance, change.worker_id, change.number
