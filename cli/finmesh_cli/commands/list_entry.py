"""`finmesh list`: set or remove an entry of a block list or of a customer's trusted payees."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import Annotated

import typer
from finmesh.risk.v1 import list_entry_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from finmesh_cli import settings, show
from finmesh_cli.gateway import connect
from finmesh_cli.settings import Settings

DAY_S = 86_400
app = typer.Typer(no_args_is_help=True, help="Block lists and trusted payees.")


class Entity(StrEnum):
    """What can be blocked."""

    CUSTOMER = "customer"
    ACCOUNT = "account"
    COUNTERPARTY = "counterparty"
    DEVICE = "device"
    INSTRUMENT = "instrument"


_ENTITIES: dict[Entity, pb.ListedEntity] = {
    Entity.CUSTOMER: pb.LISTED_ENTITY_CUSTOMER,
    Entity.ACCOUNT: pb.LISTED_ENTITY_ACCOUNT,
    Entity.COUNTERPARTY: pb.LISTED_ENTITY_COUNTERPARTY,
    Entity.DEVICE: pb.LISTED_ENTITY_DEVICE,
    Entity.INSTRUMENT: pb.LISTED_ENTITY_INSTRUMENT,
}
Days = Annotated[int, typer.Option(min=1, max=3650, help="until it no longer holds")]
Comment = Annotated[str, typer.Option(help="why")]
Remove = Annotated[bool, typer.Option("--remove", help="take the entry off the list")]


@app.command()
def block(
    context: typer.Context,
    entity: Annotated[Entity, typer.Argument(help="kind of entity")],
    entity_id: Annotated[str, typer.Argument(help="the bank's token of it")],
    days: Days = 90,
    comment: Comment = "",
    remove: Remove = False,
) -> None:
    """Decline every transaction of an entity."""
    kind = _ENTITIES[entity]
    _change(settings.of(context), pb.ListEntryChanged(kind=pb.LIST_KIND_BLOCK, entity=kind, entity_id=entity_id), days, comment, remove)


@app.command()
def trust(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="who trusts")],
    counterparty: Annotated[str, typer.Argument(help="whom")],
    days: Days = 365,
    comment: Comment = "",
    remove: Remove = False,
) -> None:
    """Lift friction that comes from the score for payments of one customer to one payee. Blocks stay."""
    entry = pb.ListEntryChanged(
        kind=pb.LIST_KIND_TRUSTED_PAYEE, entity=pb.LISTED_ENTITY_COUNTERPARTY, entity_id=counterparty, customer_id=customer
    )
    _change(settings.of(context), entry, days, comment, remove)


def _change(chosen: Settings, entry: pb.ListEntryChanged, days: int, comment: str, removed: bool) -> None:
    entry.tenant, entry.author, entry.comment, entry.removed = chosen.tenant(), chosen.subject(), comment, removed
    entry.expires_at.CopyFrom(Timestamp(seconds=int(time.time()) + days * DAY_S))

    async def run() -> None:
        async with connect(chosen) as gateway:
            await gateway.change_list_entry(entry)

    asyncio.run(run())
    what = "removed" if removed else f"until {show.moment(entry.expires_at)}"
    show.console().print(f"{pb.ListKind.Name(entry.kind).removeprefix('LIST_KIND_').lower()} {entry.entity_id}: {what}", markup=False)
