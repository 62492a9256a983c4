"""A change of a list over real gRPC: audited first, in the caller's own name, and without an identifier in the record."""

import asyncio
import hmac
from typing import Any

import pytest
from finmesh.audit.v1.audit_record_pb2 import LIST_ACTION_REMOVE, LIST_ACTION_SET
from finmesh.risk.v1.list_entry_pb2 import ListEntryChanged
from finmesh.risk.v1.risk_scoring_service_pb2 import ChangeListEntryRequest
from meshkit.crypto.derive import COMMITMENT, DEVELOPMENT_ID, development
from meshkit.errors import InvalidArgument, Unavailable
from meshkit.rpc import metadata

from tests.component.risk_scoring.test_servicer import Door, failure, open_door
from tests.emitted import records
from tests.protocol.makers import DAY, KEYS, NOW, TENANT

__all__ = ["open_door"]  # the fixture

AS_DESK = (
    (metadata.PRINCIPAL, "反欺诈岗".encode("unicode_escape").decode()),
    (metadata.TENANT, TENANT),
    (metadata.REQUEST_ID, "0198c1d2-7a3b-7c4d-8e5f-60718293a4b5"),
    (metadata.PURPOSE, "fraud-prevention"),
    (metadata.POLICY_HASH, "ab" * 32),
)
DESK = AS_DESK[0][1]


def entry(**changes: Any) -> ListEntryChanged:
    """A blocked customer."""
    fields = {"tenant": TENANT, "kind": "LIST_KIND_BLOCK", "entity": "LISTED_ENTITY_CUSTOMER", "entity_id": "客户-1", "author": DESK}
    made = ListEntryChanged(**(fields | {"comment": "张三 13800138000"} | changes))
    made.expires_at.seconds = NOW + DAY
    return made


async def change(door: Door, wanted: ListEntryChanged, facts: Any = AS_DESK) -> None:
    await door.stub.ChangeListEntry(ChangeListEntryRequest(entry=wanted), metadata=facts)


def topics(door: Door) -> list[str]:
    return [message.topic.rpartition(".")[2] for message in door.events.messages]


async def test_the_record_stands_before_the_change_is_written(open_door) -> None:
    async with open_door() as door:
        door.events.acknowledges.clear()
        call = asyncio.ensure_future(change(door, entry()))
        async with asyncio.timeout(60):
            while not door.events.messages:
                await asyncio.sleep(0.001)
        assert topics(door) == ["AuditBatch"] and not call.done()
        door.events.acknowledges.set()
        await call
        assert topics(door) == ["AuditBatch", "ListEntryChanged"]
        assert door.events.messages[1].value == entry().SerializeToString()


async def test_what_the_record_says(open_door) -> None:
    async with open_door() as door:
        await change(door, entry())
        await change(door, entry(removed=True))
        first, second = records(door.events)
        written = door.events.messages[1]
        told = first.change.list_entry
        assert (told.list, told.entity, told.action) == ("LIST_KIND_BLOCK", "LISTED_ENTITY_CUSTOMER", LIST_ACTION_SET)
        assert second.change.list_entry.action == LIST_ACTION_REMOVE
        assert told.expires_at.seconds == NOW + DAY
        assert told.entry_key == written.key == second.change.list_entry.entry_key
        key = development(COMMITMENT).secrets[DEVELOPMENT_ID]
        assert told.commitment == hmac.digest(key, written.value, "sha256")
        assert first.principal_key == KEYS.entity_key(TENANT, DESK)
        assert (first.tenant, first.scenario, first.purpose, first.policy_hash) == (TENANT, "anti-fraud", "fraud-prevention", b"\xab" * 32)
        assert first.request_id == "0198c1d2-7a3b-7c4d-8e5f-60718293a4b5" and first.commitment_key_id == DEVELOPMENT_ID
        assert first.audit_record_id != second.audit_record_id
        for secret in ("客户-1", DESK, "张三", "13800138000"):
            assert secret.encode() not in first.SerializeToString()


@pytest.mark.parametrize("author", ["somebody-else", DESK.upper(), f"{DESK}x", "core-banking,fraud-desk"])
async def test_a_foreign_author_is_refused_and_nothing_is_written(open_door, author: str) -> None:
    async with open_door() as door:
        error = await failure(change(door, entry(author=author)))
        assert isinstance(error, InvalidArgument) and error.reason == "FOREIGN_AUTHOR"
        assert [violation.field for violation in error.violations] == ["entry.author"]
        assert author not in error.message
        assert door.events.messages == []


async def test_what_is_no_entry_is_refused_before_anything_is_recorded(open_door) -> None:
    async with open_door() as door:
        error = await failure(change(door, ListEntryChanged(tenant=TENANT)))
        assert isinstance(error, InvalidArgument) and error.reason == "INVALID_LIST_ENTRY" and error.violations
        assert door.events.messages == []


async def test_a_change_that_cannot_be_audited_is_not_made(open_door) -> None:
    async with open_door() as door:
        door.events.down = True
        assert isinstance(await failure(change(door, entry())), Unavailable)
        door.events.down = False
        assert door.events.messages == []
        await change(door, entry())
        assert topics(door) == ["AuditBatch", "ListEntryChanged"]


async def test_the_subject_of_a_long_name_may_be_an_author(open_door) -> None:
    """As long as an identity provider may make it."""
    subject = "spiffe://bank.example/" + "a" * 233
    async with open_door() as door:
        await change(door, entry(author=subject), ((metadata.PRINCIPAL, subject), *AS_DESK[1:]))
        assert topics(door) == ["AuditBatch", "ListEntryChanged"]


async def test_without_a_gateway_nobody_knows_better(open_door) -> None:
    """A clear-text server on loopback, which nobody but a developer has."""
    async with open_door() as door:
        await change(door, entry(author="开发者"), ())
        assert topics(door) == ["AuditBatch", "ListEntryChanged"]
        assert records(door.events)[0].principal_key == KEYS.entity_key(TENANT, "开发者")
