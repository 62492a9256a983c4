"""`finmesh send`: one transaction, or several sampled ones, through the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from finmesh.risk.v1 import decision_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from finmesh.risk.v1 import transaction_pb2 as pb
from google.protobuf import json_format

from finmesh_cli import money, settings, show, transactions
from finmesh_cli.failures import UsageError
from finmesh_cli.gateway import connect
from finmesh_cli.settings import Settings


class ChannelName(StrEnum):
    """Channels by the name a person types."""

    CARD = "card"
    ECOMMERCE = "ecommerce"
    TRANSFER = "transfer"
    ATM = "atm"


_CHANNELS: dict[ChannelName, pb.Channel] = {
    ChannelName.CARD: pb.CHANNEL_CARD_PRESENT,
    ChannelName.ECOMMERCE: pb.CHANNEL_ECOMMERCE,
    ChannelName.TRANSFER: pb.CHANNEL_TRANSFER,
    ChannelName.ATM: pb.CHANNEL_ATM,
}


def send(
    context: typer.Context,
    file: Annotated[Path | None, typer.Option(help="transaction as JSON (protobuf's mapping); the other options are then unused")] = None,
    sample: Annotated[int, typer.Option(min=0, max=10_000, help="so many payments of simulated customers")] = 0,
    channel: Annotated[ChannelName, typer.Option(help="how it reaches the bank")] = ChannelName.TRANSFER,
    amount: Annotated[str, typer.Option(help="in major units, 128.50")] = "",
    currency: Annotated[str, typer.Option(help="ISO 4217")] = "CNY",
    customer: Annotated[str, typer.Option(help="token of the paying customer")] = "",
    account: Annotated[str, typer.Option(help="token of the paying account")] = "",
    counterparty: Annotated[str, typer.Option(help="receiving account of a transfer, merchant otherwise")] = "",
    terminal: Annotated[str, typer.Option(help="terminal or cash machine")] = "",
    mcc: Annotated[str, typer.Option(help="merchant category code")] = "",
    device: Annotated[str, typer.Option(help="token of the device")] = "",
    country: Annotated[str, typer.Option(help="ISO 3166-1")] = "CN",
    uetr: Annotated[str, typer.Option(help="identity of a transfer; a new one unless given")] = "",
    at: Annotated[str, typer.Option(help="when the customer acted, 2026-11-22T09:30:00+08:00; now unless given")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="the decision records as JSON lines")] = False,
) -> None:
    """Have a transaction decided."""
    chosen = settings.of(context)
    if file is not None:
        wanted = iter([transactions.from_json(file, chosen.tenant())])
    elif sample:
        wanted = _samples(chosen.tenant(), sample)
    else:
        if not (amount and customer and account):
            raise UsageError("--amount, --customer and --account are needed, or --file, or --sample")
        place = pb.Geo(country_code=country)
        message = pb.TransactionAuthorizationRequested(
            tenant=chosen.tenant(), channel=_CHANNELS[channel], amount=money.parse(amount, currency), event_time=transactions.moment(at),
            customer_id=customer, account_id=account, instrument_token=account, device_id=device, geo=place,
            merchant_category_code=mcc, terminal_id=terminal,
        )  # fmt: skip
        _address(message, channel, counterparty, uetr)
        wanted = iter([message])
    asyncio.run(_send(chosen, wanted, as_json))


def _address(message: pb.TransactionAuthorizationRequested, channel: ChannelName, counterparty: str, uetr: str) -> None:
    """Set who is paid and what the transaction is known by."""
    if channel is ChannelName.TRANSFER:
        message.counterparty_account_id = counterparty
    else:
        message.merchant_id = counterparty
    if uetr and channel is not ChannelName.TRANSFER:
        raise UsageError("a UETR belongs to a transfer")
    message.identity.CopyFrom(pb.TransactionIdentity(uetr=uetr) if uetr else transactions.new_identity(message.channel))


def _samples(tenant: str, count: int) -> Iterator[pb.TransactionAuthorizationRequested]:
    for number in range(count):
        yield transactions.sample(tenant, seed=number)


async def _send(chosen: Settings, wanted: Iterator[pb.TransactionAuthorizationRequested], as_json: bool) -> None:
    out = show.console()
    async with connect(chosen) as gateway:
        for number, transaction in enumerate(wanted):
            began = time.monotonic()
            response = await gateway.score_transaction(transaction)
            took_ms = (time.monotonic() - began) * 1e3
            decision = decision_pb2.TransactionDecided.FromString(response.decision_record)
            if as_json:
                out.print(json_format.MessageToJson(decision, indent=None, ensure_ascii=False), markup=False)
                continue
            if number:
                out.print()
            _show(response, decision, transaction, took_ms, chosen)


def _show(
    response: risk.ScoreTransactionResponse,
    decision: decision_pb2.TransactionDecided,
    transaction: pb.TransactionAuthorizationRequested,
    took_ms: float,
    chosen: Settings,
) -> None:
    out = show.console()
    show.line(out, "amount", f"{show.money(transaction.amount)}  ({took_ms:.1f} ms)", chosen.language)
    show.summary(out, decision, chosen.language, replayed=response.replayed)
