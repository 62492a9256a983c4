"""The principal's headers count only from the gateway."""

from types import SimpleNamespace
from typing import Any

import pytest
from meshkit.errors import InvalidArgument
from meshkit.rpc import metadata
from meshkit.rpc.chain import Call
from meshkit.rpc.metadata import CallerFacts, caller_facts

SENT = ((metadata.PRINCIPAL, "core"), (metadata.TENANT, "bank-a"), (metadata.POLICY_HASH, "ab01"), (metadata.REQUEST_ID, "r"))


def call(peer: str, sent: Any = SENT) -> Call:
    context: Any = SimpleNamespace(invocation_metadata=lambda: sent)
    made = Call("/finmesh.x.Y/Z", context)
    made.peer = peer
    return made


@pytest.mark.parametrize("peer", ["gateway", ""])
def test_from_the_gateway_or_on_clear_text_loopback_they_count(peer: str) -> None:
    assert caller_facts(call(peer)) == CallerFacts(request_id="r", principal="core", tenant="bank-a", policy_hash=b"\xab\x01")


@pytest.mark.parametrize(("sent", "key"), [("ab" * 16, b"\xab" * 16), ("ab" * 15, b""), ("ab" * 17, b""), ("zz" * 16, b""), ("", b"")])
def test_a_budget_key_has_sixteen_bytes_or_is_none(sent: str, key: bytes) -> None:
    headers = (*SENT, (metadata.BUDGET_KEY, sent))
    assert caller_facts(call("gateway", headers)).budget_key == key
    assert not caller_facts(call("audit", headers)).budget_key


@pytest.mark.parametrize(
    ("sent", "clearance"), [("2", 2), ("4", 4), ("1", 1), ("5", 1), ("0", 1), ("-3", 1), (" 3", 1), ("03", 1), ("L3", 1), ("", 1)]
)
def test_a_clearance_is_a_grade_or_the_lowest(sent: str, clearance: int) -> None:
    headers = (*SENT, (metadata.CLEARANCE, sent))
    assert caller_facts(call("gateway", headers)).clearance == clearance
    assert caller_facts(call("rag", headers)).clearance == 1
    assert caller_facts(call("gateway")).clearance == 1


@pytest.mark.parametrize("peer", ["audit", "simbank", "gateway2", "Gateway"])
def test_from_anybody_else_they_do_not(peer: str) -> None:
    assert caller_facts(call(peer)) == CallerFacts()


def test_a_repeated_header_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        caller_facts(call("gateway", (*SENT, (metadata.TENANT, "bank-b"))))


def test_a_policy_hash_that_is_no_hex_is_none() -> None:
    assert caller_facts(call("gateway", ((metadata.POLICY_HASH, "zz"),))).policy_hash == b""
