"""Names of the headers that finmesh services exchange. Those of the principal are trusted only from the gateway's identity."""

from __future__ import annotations

from dataclasses import dataclass

from meshkit.rpc.chain import Call
from meshkit.tenants import checked_tenant

REQUEST_ID = "x-request-id"  # UUIDv7, made by the gateway
PRINCIPAL = "x-finmesh-principal"  # the token's subject
TENANT = "x-finmesh-tenant"
SCENARIO = "x-finmesh-scenario"
PURPOSE = "x-finmesh-purpose"
POLICY_HASH = "x-finmesh-policy-hash"  # SHA-256 of the policy that allowed the call, hex
BUDGET_KEY = "x-finmesh-budget-key"  # whose budget a generation counts against, hex: stands for the principal where names may not
BUDGET_KEY_BYTES = 16
CLEARANCE = "x-finmesh-clearance"  # up to which data grade the token may read, "2" to "4"; absent: 1
FORWARDER = "gateway"  # the workload whose word counts


@dataclass(frozen=True, slots=True)
class CallerFacts:
    """What the gateway established about a call; empty strings when it did not come through the gateway."""

    request_id: str = ""
    principal: str = ""
    tenant: str = ""
    scenario: str = ""
    purpose: str = ""
    policy_hash: bytes = b""
    budget_key: bytes = b""
    clearance: int = 1


def caller_facts(call: Call) -> CallerFacts:
    """Return the gateway's facts about a call.

    From any other workload they are ignored. A clear-text server listens on loopback alone and knows no peer: there they are taken as
    sent. Raises InvalidArgument for a repeated header and for what is no tenant.
    """
    if call.peer not in ("", FORWARDER):
        return CallerFacts()
    policy_hash, tenant = call.header(POLICY_HASH) or "", call.header(TENANT) or ""
    return CallerFacts(
        request_id=call.header(REQUEST_ID) or "",
        principal=call.header(PRINCIPAL) or "",
        tenant=checked_tenant(tenant, TENANT) if tenant else "",
        scenario=call.header(SCENARIO) or "",
        purpose=call.header(PURPOSE) or "",
        policy_hash=_hex(policy_hash),
        budget_key=_budget_key(call.header(BUDGET_KEY) or ""),
        clearance=_clearance(call.header(CLEARANCE) or ""),
    )


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _budget_key(text: str) -> bytes:
    key = _hex(text)
    return key if len(key) == BUDGET_KEY_BYTES else b""


def _clearance(text: str) -> int:
    """Return what the gateway forwarded; the lowest for what it never sends."""
    return int(text) if text in ("2", "3", "4") else 1
