"""`finmesh decision`: everything about one decision, and the proof that it stands in the audit log, checked here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

import typer
from finmesh.audit.v1 import audit_record_pb2
from finmesh.audit.v1 import audit_service_pb2 as audit
from finmesh.risk.v1 import decision_pb2, transaction_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from finmesh_client import GatewayClient
from google.protobuf import json_format
from translog.checkpoint import Checkpoint
from translog.note import Verifier

from finmesh_cli import proofs, settings, show, words
from finmesh_cli.failures import TamperError, UnreachableError, UsageError
from finmesh_cli.gateway import connect
from finmesh_cli.settings import Language

_ASK_AGAIN_S = 0.2


@dataclass(slots=True)
class Evidence:
    """A decision with the audit records that agree with it, each under a checkpoint that proves it."""

    decision: decision_pb2.TransactionDecided
    key: Verifier
    records: list[tuple[audit_record_pb2.AuditRecord, audit.Leaf, Checkpoint]] = field(default_factory=list)


def decision(
    context: typer.Context,
    decision_id: Annotated[str, typer.Argument(help="id of the decision")] = "",
    uetr: Annotated[str, typer.Option(help="the transfer's UETR instead of the decision's id")] = "",
    log_key: Annotated[str, typer.Option(envvar="FINMESH_LOG_KEY", help="public key of the audit log: its text, or a file")] = "",
    wait_s: Annotated[float, typer.Option(min=0, max=600, help="how long the audit record may lag behind")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="the decision record as JSON")] = False,
) -> None:
    """Explain a decision and prove that it was audited. Status 1 when log and decision disagree, 3 while it is not in the log."""
    if bool(decision_id) == bool(uetr):
        raise UsageError("either the decision's id or --uetr")
    chosen = settings.of(context)
    request = risk.GetDecisionRequest(tenant=chosen.tenant())
    if uetr:
        request.identity.CopyFrom(transaction_pb2.TransactionIdentity(uetr=uetr))
    else:
        request.decision_id = decision_id
    key = proofs.verifier(log_key) if log_key else None

    async def run() -> Evidence:
        async with connect(chosen) as gateway:
            return await gather(gateway, request, key, wait_s)

    found = asyncio.run(run())
    if as_json:
        show.console().print(json_format.MessageToJson(found.decision, ensure_ascii=False), markup=False)
    else:
        _show(found, chosen.language, pinned=key is not None)


async def gather(gateway: GatewayClient, request: risk.GetDecisionRequest, key: Verifier | None, wait_s: float) -> Evidence:
    """Ask for all of it and check it. Raises TamperError and the log's errors when it does not hold, UnreachableError when it lags."""
    record = decision_pb2.TransactionDecided.FromString(await gateway.get_decision(request))
    if request.decision_id and record.decision_id != request.decision_id:
        raise TamperError(f"asked for {request.decision_id}, got {record.decision_id}")
    found = Evidence(record, key or Verifier.parse((await gateway.get_checkpoint()).verifier_key))
    for leaf in await _leaves(gateway, record, wait_s):
        if leaf.kind == audit.LEAF_KIND_CONFLICT:
            raise TamperError(f"leaf {leaf.index} of the log says that another record of this decision came with other content")
        audited = proofs.check_agreement(record, leaf)
        response = await gateway.get_inclusion_proof(record.tenant, audited.audit_record_id)
        found.records.append((audited, leaf, proofs.check_inclusion(leaf, response, found.key)))
    return found


async def _leaves(gateway: GatewayClient, record: decision_pb2.TransactionDecided, wait_s: float) -> list[audit.Leaf]:
    """Ask until the log, which is written behind the answer, has the record."""
    deadline = asyncio.get_running_loop().time() + wait_s
    while True:
        leaves = await gateway.list_records(record.tenant, record.decision_id)
        if leaves:
            return leaves
        if asyncio.get_running_loop().time() >= deadline:
            raise UnreachableError(f"decision {record.decision_id} is stored, but not in the audit log after {wait_s:g} s")
        await asyncio.sleep(_ASK_AGAIN_S)


def _show(found: Evidence, language: Language, *, pinned: bool) -> None:
    out = show.console()
    show.summary(out, found.decision, language)
    show.evidence(out, found.decision, language)
    for audited, leaf, checkpoint in found.records:
        show.line(out, "audit record", f"{audited.audit_record_id}  #{leaf.index}  {audited.producer}", language)
        show.line(out, "received", show.moment(leaf.received_time), language)
        show.audited(out, audited, language)
        proven = words.say("proven in a log of {size} leaves", language).format(size=checkpoint.size)
        show.line(out, "inclusion", f"{proven}  {checkpoint.origin}", language, "green")
    if not pinned:
        show.line(out, "", words.say("the log's key is the one it stated itself: pin it with --log-key", language), language, "yellow")
