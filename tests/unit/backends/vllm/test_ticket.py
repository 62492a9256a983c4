"""Our ticket around vLLM's: what it is bound to, and that nothing of it can be changed or used otherwise."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from backends.vllm.ticket import LARGEST_BYTES, SKEW_MS, Expected, Ticket, TicketKey, prompt_digest
from meshkit.crypto.derive import TICKETS, development
from meshkit.crypto.ring import Ring
from meshkit.errors import FailedPrecondition, MeshError, Unavailable

NOW_MS = 1_790_000_000_000
RING = Ring(development(TICKETS), TicketKey.make)
TRANSFER = {"do_remote_prefill": True, "remote_block_ids": [[1, 2, 3]], "remote_engine_id": "872077e9", "remote_port": 5601, "名": "值"}


def ticket(**changes: Any) -> Ticket:
    made = Ticket(
        handoff_id="h",
        epoch=1,
        request_id="r",
        model_digest=b"m" * 32,
        layout_digest=b"l" * 16,
        tenant_digest=b"t" * 32,
        namespace=b"n" * 32,
        grade=2,
        prompt_digest=prompt_digest([3, 4, 5]),
        prompt_tokens=3,
        decode_worker="d",
        decode_incarnation="d-1",
        published_unix_ms=NOW_MS,
        lease_ms=20_000,
        transfer=TRANSFER,
    )
    return replace(made, **changes)


EXPECTED = Expected(**{field.name: getattr(ticket(), field.name) for field in fields(Expected)})
SIGNED = ticket().sign(RING.primary)


def because(caught: pytest.ExceptionInfo[MeshError]) -> str:
    assert caught.value.reason == "TICKET_REFUSED"
    return caught.value.metadata["because"]


def test_it_comes_back_as_it_was_signed() -> None:
    found = Ticket.verify(SIGNED, RING.get)
    assert found == ticket()
    assert found.check(EXPECTED, NOW_MS + 1_000) == 19_000


OTHERS: dict[str, Any] = {
    "decode_worker": "d2",
    "decode_incarnation": "d-2",
    "model_digest": b"x" * 32,
    "layout_digest": b"x" * 16,
    "request_id": "r2",
    "tenant_digest": b"x" * 32,
    "namespace": b"x" * 32,
    "grade": 3,
    "prompt_tokens": 4,
    "prompt_digest": prompt_digest([3, 4, 6]),
}


@pytest.mark.parametrize("field", [field.name for field in fields(Expected)])
def test_it_is_for_what_it_was_made_for_alone(field: str) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        ticket().check(replace(EXPECTED, **{field: OTHERS[field]}), NOW_MS)
    assert because(caught) == f"{field.upper()}_MISMATCH"


def test_every_bit_of_it_is_signed() -> None:
    for at in range(len(SIGNED)):
        spoilt = SIGNED[:at] + bytes([SIGNED[at] ^ 1]) + SIGNED[at + 1 :]
        with pytest.raises(FailedPrecondition) as caught:
            Ticket.verify(spoilt, RING.get)
        assert because(caught) in {"MALFORMED", "KEY_UNKNOWN", "SIGNATURE_INVALID"}


@pytest.mark.parametrize("content", [b"", b"FVLT", SIGNED[:-1], SIGNED + b"x", b"x" * (LARGEST_BYTES + 1), b"FKVT" + SIGNED[4:]])
def test_what_is_no_ticket_of_ours(content: bytes) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        Ticket.verify(content, RING.get)
    assert because(caught) in {"MALFORMED", "KEY_UNKNOWN", "SIGNATURE_INVALID"}


def test_a_ticket_of_our_own_engine_is_none_and_its_key_signs_none() -> None:
    """The ring is the same; what is derived from it is not."""
    root = development(TICKETS).secrets[RING.primary.id]
    with pytest.raises(FailedPrecondition) as caught:
        Ticket.verify(ticket().sign(TicketKey(RING.primary.id, root)), RING.get)
    assert because(caught) == "SIGNATURE_INVALID"


def test_a_key_that_was_retired_signs_nothing_any_more() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        Ticket.verify(ticket().sign(TicketKey("retired", b"r" * 32)), RING.get)
    assert because(caught) == "KEY_UNKNOWN"


@pytest.mark.parametrize(("later_ms", "is_good"), [(0, True), (19_999, True), (20_000, False), (3_600_000, False)])
def test_its_lease(later_ms: int, is_good: bool) -> None:
    if is_good:
        assert ticket().check(EXPECTED, NOW_MS + later_ms) == 20_000 - later_ms
        return
    with pytest.raises(Unavailable) as caught:
        ticket().check(EXPECTED, NOW_MS + later_ms)
    assert caught.value.reason == "LEASE_EXPIRED"


def test_one_from_the_future_is_not_believed() -> None:
    assert ticket().check(EXPECTED, NOW_MS - SKEW_MS) > 0
    with pytest.raises(FailedPrecondition) as caught:
        ticket().check(EXPECTED, NOW_MS - SKEW_MS - 1)
    assert because(caught) == "CLOCK"


def test_an_engine_that_hands_on_too_much() -> None:
    with pytest.raises(Unavailable) as caught:
        ticket(transfer={"remote_block_ids": [list(range(100_000))]}).sign(RING.primary)
    assert caught.value.reason == "PROTOCOL"


def test_prompts_differ_in_every_way() -> None:
    prompts = [[], [0], [0, 0], [1, 2], [2, 1], [258], [2, 1, 0], [4294967295]]
    assert len({prompt_digest(prompt) for prompt in prompts}) == len(prompts)
