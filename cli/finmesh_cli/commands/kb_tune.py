"""`finmesh kb tune`: an operator has the legs of a tenant's searches weighed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import typer
from finmesh.rag.v1 import rag_service_pb2 as rag
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from finmesh_cli import show
from finmesh_cli.gateway import connect
from finmesh_cli.knowledge.desk import OPERATOR, desk, table


def tune(context: typer.Context) -> None:
    """Weigh the lexical and the dense leg by probes without labels, and let the weights hold from now on."""
    chosen = desk(context, OPERATOR)

    async def run() -> rag.TuneResponse:
        found = rag.TuneResponse()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("probes", total=None)
            async with connect(chosen) as gateway, aclosing(gateway.tune(chosen.tenant())) as told:
                async for each in told:
                    if each.HasField("probing"):
                        progress.update(bar, completed=each.probing.done, total=each.probing.of)
                    else:
                        found = each
        return found

    tuned = asyncio.run(run())
    rows = [(each.language, f"{each.dense:.2f}", str(each.probes), *(f"{found:.3f}" for found in _found(each))) for each in tuned.weights]
    table(("language", "dense", "probes", "lexical found", "dense found", "mixed found"), rows)
    show.console().print(f"version {tuned.version} holds from now on", markup=False)


def _found(weight: rag.LegWeight) -> tuple[float, ...]:
    return weight.lexical_found, weight.dense_found, weight.mixed_found


COMMANDS = (tune,)
