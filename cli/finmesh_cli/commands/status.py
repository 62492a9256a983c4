"""`finmesh status`: what the launcher runs here, and what each of our services says about itself."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterable
from typing import Any
from urllib.error import URLError

import grpc
import typer
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from localmesh import status as launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK
from meshkit.rpc import tls as rpc_tls
from provisioning import services
from rich.table import Table

from finmesh_cli import gateway, settings, show
from finmesh_cli.failures import UnreachableError

_PROBE_S = 2.0
_UP = {"ready", "done"}
_COPY = re.compile(r"-[0-9]+$")


def status(context: typer.Context) -> None:
    """Show every process of the local mesh. Status 3 when one is not up."""
    chosen, places = settings.of(context), Places.default()
    content = launcher.read(places.status)
    if not content or launcher.launcher(places.var) is None:
        raise UnreachableError(f"no mesh runs in {places.var} (make up)")
    credentials = rpc_tls.channel_credentials(gateway.tls(chosen))
    processes: dict[str, Any] = content["processes"]
    health = asyncio.run(_ask_all(processes, credentials))
    table = Table()
    for column in ("process", "state", "health", "pid", "restarts", "ports"):
        table.add_column(column)
    for name, facts in processes.items():
        said, missing = health.get(name, ("", ""))
        fine = facts["state"] in _UP and said in ("", "SERVING")
        table.add_row(
            name, facts["state"], said, str(facts["pid"] or ""), str(facts["restarts"]), _ports(facts),
            style="" if fine and not missing else "yellow" if fine else "red",
        )  # fmt: skip
    out = show.console()
    out.print(table)
    for name, facts in processes.items():
        missing = health.get(name, ("", ""))[1]
        for text in (facts["reason"], f"goes without {missing}" if missing else ""):
            if text:
                out.print(f"{name}: {text}", style="yellow", markup=False)
    down = sorted(name for name, facts in processes.items() if facts["state"] not in _UP or health.get(name, ("SERVING",))[0] != "SERVING")
    if down:
        raise UnreachableError(f"not up: {', '.join(down)}; logs in {places.logs}")


def _ports(facts: dict[str, Any]) -> str:
    return ", ".join(f"{use} {port}" for use, port in facts["ports"].items())


def ours(processes: Iterable[str]) -> list[str]:
    """Names of the processes that are services of ours, copies (gateway-2) among them."""
    known = {process.name for process in services.load().processes}
    return [name for name in processes if name in known or _COPY.sub("", name) in known]


async def _ask_all(processes: dict[str, Any], credentials: grpc.ChannelCredentials) -> dict[str, tuple[str, str]]:
    own = {name: processes[name]["ports"] for name in ours(processes)}
    answers = await asyncio.gather(*(_ask(ports, credentials) for ports in own.values()))
    return dict(zip(own, answers, strict=True))


async def _ask(ports: dict[str, int], credentials: grpc.ChannelCredentials) -> tuple[str, str]:
    """Return (health, what is missing)."""
    async with aio.secure_channel(f"{LOOPBACK}:{ports['grpc']}", credentials) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_PROBE_S)
            said = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        except aio.AioRpcError as error:
            return error.code().name, ""
    return said, await asyncio.to_thread(_missing, ports["metrics"])


def _missing(port: int) -> str:
    """Return the components that a service is without, from its state endpoint; empty when it has none or does not say."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/state", timeout=_PROBE_S) as answer:
            state = json.load(answer)
    except (URLError, OSError, ValueError):
        return ""
    return ", ".join(f"{component}: {reason}" for component, reason in state["missing"].items())
