"""`finmesh models`: what can be talked to."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from finmesh.router.v1 import router_service_pb2 as router
from google.protobuf import json_format
from rich import box
from rich.table import Table

from finmesh_cli import settings, show, words
from finmesh_cli.gateway import connect


def models(
    context: typer.Context,
    scenario: Annotated[str, typer.Option(help="business scenario")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="a JSON line for each model")] = False,
) -> None:
    """List the models that a scenario may use."""
    chosen = settings.of(context).at_desk("assistant.jwt")

    async def run() -> list[router.Model]:
        async with connect(chosen) as gateway:
            return await gateway.list_models(chosen.tenant(), scenario)

    found, out = asyncio.run(run()), show.console()
    if as_json:
        for model in found:
            out.print(json_format.MessageToJson(model, indent=None, ensure_ascii=False), markup=False)
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("model", "available", "longest", "licence", "release"):
        table.add_column(words.say(column, chosen.language), no_wrap=True, justify="right" if column == "longest" else "left")
    for model in found:
        said = words.say("yes" if model.available else "no", chosen.language)
        texts = (model.name, said, f"{model.max_len_tokens:,}", model.licence, model.release[:16])
        table.add_row(*map(show.plain, texts), style="" if model.available else "yellow")
    show.whole(out, table)
