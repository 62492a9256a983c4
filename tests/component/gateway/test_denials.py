"""A call that is refused leaves a record, over real sockets with mutual TLS: whose it was, or that nobody knows."""

import asyncio
from typing import Any

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord, VersionChange
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.gateway.v1 import gateway_service_pb2_grpc as gateway_grpc
from finmesh.risk.v1.list_entry_pb2 import ListEntryChanged
from finmesh.risk.v1.risk_scoring_service_pb2 import ChangeListEntryRequest
from gateway.steps.admit import Admit
from meshkit import errors
from meshkit.audit import denials
from meshkit.audit.batch import SigningKey
from meshkit.audit.denials import principal_key
from meshkit.audit.records import KEYS, OPERATOR_TENANT, POLICIES, TOKEN_KEYS
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import PRINCIPALS, development, signing
from meshkit.crypto.ring import Ring
from meshkit.rpc.channel import MeshChannel

from tests.component.gateway.conftest import Door, OpenDoor, tls
from tests.component.gateway.test_admission import reason, signed
from tests.component.gateway.test_forwarding import score
from tests.emitted import batches, records
from tests.protocol.mutants import assert_fails_without, swapped

KEY = Ring(development(PRINCIPALS), CommitmentKey).primary
CHANGE = pb.ChangeListEntryRequest(request=ChangeListEntryRequest(entry=ListEntryChanged(tenant="bank-a", author="core-banking")))


async def denied(door: Door, count: int = 1) -> list[AuditRecord]:
    """The records of refusals, once there are so many."""
    async with asyncio.timeout(60):
        while True:
            found = [record for record in records(door.events) if record.HasField("denial")]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)


def told(record: AuditRecord) -> list[tuple[str, str, str, int]]:
    return [(each.reason, each.method, each.workload, each.count) for each in record.denial.refused]


async def test_what_the_policy_refuses_is_recorded_with_whose_it_was(open_door: OpenDoor) -> None:
    async def check() -> None:
        async with open_door() as door:
            metadata = (*door.token(roles=["transaction-scorer"]), ("x-finmesh-purpose", "fraud-prevention"))
            error = await door.failure(door.stub.ChangeListEntry, CHANGE, metadata)
            assert (type(error), error.reason) == (errors.PermissionDenied, "POLICY_DENIED")
        found = [record for record in records(door.events) if record.HasField("denial")]
        assert [told(record) for record in found] == [[("POLICY_DENIED", "ChangeListEntry", "client", 1)]]
        (record,) = found
        assert (record.tenant, record.scenario, record.purpose) == ("bank-a", "anti-fraud", "fraud-prevention")
        assert record.principal_key == principal_key(KEY, "bank-a", "core-banking")
        assert len(record.policy_hash) == 32 and len(record.trace_id) == 16
        assert record.build == "gateway/development"

    await assert_fails_without("denials", check, swapped(Admit, "denied", lambda *_: None))


async def test_the_caller_s_request_id_finds_the_record(door: Door) -> None:
    call = door.stub.ChangeListEntry(CHANGE, metadata=door.token(roles=[]))
    with pytest.raises(errors.PermissionDenied):
        await call
    (record,) = await denied(door)
    assert record.request_id and record.request_id == record.request_id.lower()
    (first, *_) = batches(door.events)
    assert first.producer.startswith("gateway/") and first.signature == Ring(development(signing("gateway")), SigningKey).primary.signature(
        first
    )


@pytest.mark.parametrize(
    ("claims", "request_tenant", "why"),
    [
        ({"tenant": None}, "bank-a", "TENANT_MISSING"),
        ({}, "bank-b", "TENANT_MISMATCH"),
        ({"purposes": ["marketing"]}, "bank-a", "POLICY_DENIED"),
        ({"cnf": {"x5t#S256": "A" * 43}}, "bank-a", "TOKEN_CERTIFICATE_MISMATCH"),
        ({"workloads": ["simbank"]}, "bank-a", "TOKEN_WORKLOAD_MISMATCH"),
        ({"workloads": []}, "bank-a", "TOKEN_WORKLOAD_MISMATCH"),
        ({"sub": "core\u00a0banking"}, "bank-a", "TOKEN_MALFORMED"),
    ],
)
async def test_every_denial_of_a_verified_token_is_its_principal_s(
    door: Door, claims: dict[str, Any], request_tenant: str, why: str
) -> None:
    error = await door.failure(door.stub.ScoreTransaction, score(tenant=request_tenant), door.token(**claims))
    assert error.reason == why
    (record,) = await denied(door)
    assert told(record) == [(why, "ScoreTransaction", "client", 1)]
    assert record.tenant == (OPERATOR_TENANT if why == "TENANT_MISSING" else "bank-a")
    assert record.principal_key == principal_key(KEY, record.tenant, claims.get("sub", "core-banking"))
    assert door.risk.requests == []


async def test_an_owner_s_denial_is_recorded_too(door: Door) -> None:
    door.risk.failure = errors.PermissionDenied("not yours", reason="TENANT_MISMATCH")
    await door.failure(door.stub.ScoreTransaction, score())
    (record,) = await denied(door)
    assert told(record) == [("TENANT_MISMATCH", "ScoreTransaction", "client", 1)]


@pytest.mark.parametrize("workloads", [["client"], ["simbank", "client"]])
async def test_a_token_of_this_workload_is_taken(door: Door, workloads: list[str]) -> None:
    await door.stub.ScoreTransaction(score(), metadata=door.token(workloads=workloads))
    assert len(door.risk.requests) == 1


@pytest.mark.parametrize("workloads", ["client", None, {"client": 1}, [1], ["client"] * 101])
async def test_workloads_that_are_no_list_of_names_refuse_the_token(door: Door, workloads: object) -> None:
    assert await reason(door, signed(door.certs, workloads=workloads)) == "TOKEN_MALFORMED"


async def test_above_ten_a_second_one_record_counts(open_door: OpenDoor) -> None:
    async with open_door() as door:
        metadata = door.token(roles=[])
        await asyncio.gather(*(door.failure(door.stub.ChangeListEntry, CHANGE, metadata) for _ in range(60)))
        found = await denied(door, 11)
        async with asyncio.timeout(60):
            while sum(each.count for record in found for each in record.denial.refused) < 60:
                await asyncio.sleep(0.05)
                found = await denied(door)
        assert len(found) < 60
    assert sum(each.count for record in records(door.events) for each in record.denial.refused) == 60


async def test_of_strangers_there_is_one_counting_record(open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, a token of nobody, a certificate of a workload that may not call: counted by reason, and told at the latest at the end."""
    async with open_door() as door:
        for metadata in ((), (("authorization", "Bearer x.y.z"),)):
            for _ in range(3):
                await door.failure(door.stub.ScoreTransaction, score(), metadata)
        async with MeshChannel(door.address, tls(door.certs, "stranger"), server_name="gateway") as channel:
            stub = gateway_grpc.GatewayServiceStub(channel)
            error = await door.failure(stub.ScoreTransaction, score())
            assert error.reason == "PEER_NOT_ALLOWED"
        assert [record for record in records(door.events) if record.HasField("denial")] == []
        monkeypatch.setattr(denials, "_UNKNOWN_WINDOW_S", 0.0)
        (record,) = await denied(door)
    assert sorted(told(record)) == [
        ("PEER_NOT_ALLOWED", "ScoreTransaction", "stranger", 1),
        ("TOKEN_MALFORMED", "ScoreTransaction", "client", 3),
        ("TOKEN_MISSING", "ScoreTransaction", "client", 3),
    ]
    assert (record.tenant, record.principal_key) == (OPERATOR_TENANT, b"")


async def test_a_used_up_share_is_no_denial_of_a_right(open_door: OpenDoor) -> None:
    async with open_door(quota={"decide_per_s": 1, "decide_burst": 1}) as door:
        await door.stub.ScoreTransaction(score(), metadata=door.token())
        error = await door.failure(door.stub.ScoreTransaction, score())
        assert isinstance(error, errors.QuotaExceeded)
    assert not any(record.HasField("denial") for record in records(door.events))


async def test_the_log_down_denies_all_the_same(open_door: OpenDoor) -> None:
    async with open_door() as door:
        door.events.down = True
        for _ in range(3):
            error = await door.failure(door.stub.ChangeListEntry, CHANGE, door.token(roles=[]))
            assert error.reason == "POLICY_DENIED"
        async with asyncio.timeout(60):
            while "audit-emission" not in door.service.state()["missing"]:
                await asyncio.sleep(0.01)
        assert door.service.state()["state"] == "ready-degraded"
        door.events.down = False
        assert len(await denied(door, 3)) == 3


async def in_force(door: Door, count: int) -> list[VersionChange]:
    """The versions that came in force, once there are so many."""
    async with asyncio.timeout(60):
        while True:
            found = [record.change.version for record in records(door.events) if record.HasField("change")]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)


async def test_policies_and_keys_in_force_are_recorded_from_the_start_on(door: Door) -> None:
    first = await in_force(door, 4)
    assert [(version.of, version.name, version.before_sha256) for version in first] == [
        (KEYS, "audit-batch|gateway", b""),
        (POLICIES, "", b""),
        (TOKEN_KEYS, "", b""),
        (KEYS, "principals", b""),
    ]
    cedar = door.policies / "gateway.cedar"
    cedar.write_text(cedar.read_text() + "\n// 新增说明\n")
    *_, changed = await in_force(door, 5)
    assert (changed.of, changed.before_sha256) == (POLICIES, first[1].after_sha256)
    assert changed.after_sha256 not in (b"", first[1].after_sha256)


async def test_a_broken_policy_file_never_comes_in_force(door: Door) -> None:
    first, cedar = await in_force(door, 4), door.policies / "gateway.cedar"
    good = cedar.read_text()
    cedar.write_text("permit (")
    async with asyncio.timeout(60):
        while "policy" not in door.service.state()["missing"]:
            await asyncio.sleep(0.01)
    cedar.write_text(good + "// 修正\n")
    *_, changed = await in_force(door, 5)
    assert (changed.of, changed.before_sha256) == (POLICIES, first[1].after_sha256)
