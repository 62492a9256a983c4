"""Prefill at one stub, decode at another: what the services and Triton carry, without them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1 import generation_pb2
from meshkit.crypto.keyed_ids import uuid7

from .stubs import Refused, Stub, decode_request, prefill_request, stub


def prompt(length: int, seed: int = 1) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(3, 384, length)]


@pytest.fixture(scope="module")
def p() -> Iterator[Stub]:
    with stub("prefill") as made:
        yield made


@pytest.fixture(scope="module")
def d() -> Iterator[Stub]:
    with stub("decode") as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_left(p: Stub, d: Stub) -> Iterator[None]:
    yield
    p.until_free()
    d.until_free()
    assert p.parts.engine.leaks() == d.parts.engine.leaks() == []


NUMBERS = iter(range(1, 10_000))


def prefill(p: Stub, tokens: list[int], **changes: object) -> tuple[str, pb.Prefilled]:
    work_id = str(next(NUMBERS))
    p.ask(
        "prefill",
        pb.PrefillOperation(request=prefill_request(p.manifest, tokens, **changes), owner=p.name, timeout_ms=10_000, work_id=work_id),
    )
    end = p.ended(work_id)
    assert not end.HasField("refusal"), end.refusal
    return work_id, p.prefilled(work_id)


def decode(d: Stub, tokens: list[int], **changes: object) -> str:
    work_id = str(next(NUMBERS))
    d.ask(
        "decode",
        pb.DecodeOperation(request=decode_request(d.manifest, tokens, **changes), owner=d.name, timeout_ms=10_000, work_id=work_id),
    )
    return work_id


def alone(d: Stub, tokens: list[int], **changes: object) -> list[int]:
    work_id = decode(d, tokens, **changes)
    assert not d.ended(work_id).HasField("refusal"), d.ended(work_id)
    return [token for _, token in d.tokens(work_id)]


@pytest.mark.parametrize("length", [2, 63, 64, 65, 200])
def test_handed_over_equals_alone(p: Stub, d: Stub, length: int) -> None:
    tokens = prompt(length, seed=length)
    expected = alone(d, tokens)
    reservation_id, first_block = d.reserve(tokens)
    _, prefilled = prefill(p, tokens, first_block=first_block)
    (first,) = prefilled.response.first_tokens
    assert (first.index, first.token_id) == (0, expected[0])
    work_id = decode(d, tokens, ticket=prefilled.response.ticket, reservation_id=reservation_id)
    assert not d.ended(work_id).HasField("refusal"), d.ended(work_id)
    assert d.tokens(work_id) == list(enumerate(expected))[1:]
    committed = d.committed(work_id).committed
    assert (committed.transport, committed.pulls) == ("memfd", 1)
    assert committed.pulled_bytes > 0
    assert [phase.name for phase in d.committed(work_id).phases] == ["pull", "verify", "commit"]
    assert [phase.name for phase in prefilled.phases] == ["queue", "prefill", "pack", "publish"]


def test_choices_are_pulled_once_and_forked(p: Stub, d: Stub) -> None:
    tokens = prompt(100, seed=7)
    sampling = generation_pb2.Sampling(choices=3, temperature=1.0, seed=(1 << 63) + 9)
    work_id = decode(d, tokens, sampling=sampling)
    d.ended(work_id)
    expected = [d.tokens(work_id, choice) for choice in range(3)]
    reservation_id, first_block = d.reserve(tokens, choices=3)
    _, prefilled = prefill(p, tokens, sampling=sampling, first_block=first_block)
    again = decode(d, tokens, ticket=prefilled.response.ticket, reservation_id=reservation_id, sampling=sampling)
    assert not d.ended(again).HasField("refusal"), d.ended(again)
    for choice in range(3):
        first = prefilled.response.first_tokens[choice]
        assert [(first.index, first.token_id), *d.tokens(again, choice)] == expected[choice]


def calls(*names: str, text: bool = False, parallel: bool = False, strict: bool = False) -> generation_pb2.Grammar:
    schema = '{"type": "object", "properties": {"卡": {"enum": ["信用卡", "借记卡"]}}, "required": ["卡"], "additionalProperties": false}'
    tools = [generation_pb2.CallableTool(name=name, parameters=schema, strict=strict) for name in names]
    return generation_pb2.Grammar(calls=generation_pb2.ToolCallGrammar(format="hermes", tools=tools, text=text, parallel=parallel))


def test_calls_of_tools_are_handed_over_and_a_ticket_is_for_its_tools(p: Stub, d: Stub) -> None:
    tokens, bounds, grammar = prompt(70, seed=8), generation_pb2.Bounds(max_output_tokens=120), calls("freeze", "look-up")
    expected = alone(d, tokens, bounds=bounds, grammar=grammar)
    _, prefilled = prefill(p, tokens, bounds=bounds, grammar=grammar)
    ticket = prefilled.response.ticket
    schema = generation_pb2.Grammar(json_schema="{}")
    for wrong in (calls("look-up", "freeze"), calls("freeze"), calls("freeze", "look-up", parallel=True), schema, generation_pb2.Grammar()):
        reservation_id, _ = d.reserve(tokens)
        with pytest.raises(Refused) as caught:
            decode(d, tokens, ticket=ticket, bounds=bounds, reservation_id=reservation_id, grammar=wrong)
        assert caught.value.reason == "TICKET_REFUSED"
        d.ask("release", pb.ReservationOperation(reservation_id=reservation_id))
    reservation_id, _ = d.reserve(tokens)
    work_id = decode(d, tokens, ticket=ticket, bounds=bounds, reservation_id=reservation_id, grammar=grammar)
    assert not d.ended(work_id).HasField("refusal"), d.ended(work_id)
    assert d.tokens(work_id) == list(enumerate(expected))[1:]


def test_an_answer_that_ends_with_its_first_token_publishes_nothing(p: Stub) -> None:
    _, prefilled = prefill(p, prompt(70), bounds=generation_pb2.Bounds(max_output_tokens=1))
    assert prefilled.response.ticket == b""
    (finished,) = prefilled.response.finished
    assert finished.reason == generation_pb2.FINISH_REASON_LENGTH


def test_a_ticket_is_for_its_prompt_and_for_once(p: Stub, d: Stub) -> None:
    tokens = prompt(90, seed=3)
    _, prefilled = prefill(p, tokens)
    ticket = prefilled.response.ticket
    for wrong in (
        {"ticket": ticket[:-1] + bytes([ticket[-1] ^ 1])},
        {"ticket": ticket, "tenant_digest": b"u" * 32},
        {"ticket": ticket, "request_id": "request-2"},
        {"ticket": ticket, "grade": 1},
    ):
        reservation_id, _ = d.reserve(tokens)
        with pytest.raises(Refused) as caught:
            decode(d, tokens, reservation_id=reservation_id, **wrong)
        assert caught.value.reason == "TICKET_REFUSED"
        d.ask("release", pb.ReservationOperation(reservation_id=reservation_id))
    reservation_id, _ = d.reserve(prompt(90, seed=4))
    with pytest.raises(Refused) as caught:
        decode(d, prompt(90, seed=4), ticket=ticket, reservation_id=reservation_id)
    assert caught.value.reason == "TICKET_REFUSED"
    d.ask("release", pb.ReservationOperation(reservation_id=reservation_id))
    reservation_id, _ = d.reserve(tokens)
    assert not d.ended(decode(d, tokens, ticket=ticket, reservation_id=reservation_id)).HasField("refusal")
    reservation_id, _ = d.reserve(tokens)
    assert d.ended(decode(d, tokens, ticket=ticket, reservation_id=reservation_id)).refusal.reason == "TICKET_REFUSED"
    d.ask("release", pb.ReservationOperation(reservation_id=reservation_id))


def test_a_reservation_that_is_gone(p: Stub, d: Stub) -> None:
    tokens, handoff_id = prompt(50), uuid7()
    ticket = prefill(p, tokens, handoff_id=handoff_id)[1].response.ticket
    end = d.ended(decode(d, tokens, ticket=ticket, reservation_id="never-made"))
    assert end.refusal.reason == "RESERVATION_LOST"
    with pytest.raises(Refused) as caught:
        d.ask("renew", pb.ReservationOperation(reservation_id="never-made", ttl_ms=1000))
    assert caught.value.reason == "RESERVATION_LOST"
    p.ask("abort", pb.AbortOperation(handoff_id=handoff_id, epoch=1, owner=p.name))


def test_a_higher_epoch_fences(p: Stub, d: Stub) -> None:
    tokens, handoff_id = prompt(80, seed=5), uuid7()
    old = prefill(p, tokens, handoff_id=handoff_id)[1].response.ticket
    new = prefill(p, tokens, handoff_id=handoff_id, epoch=2)[1].response.ticket
    with pytest.raises(Refused) as caught:
        prefill(p, tokens, handoff_id=handoff_id)
    assert caught.value.reason in ("STALE_EPOCH", "ID_REUSED")
    reservation_id, _ = d.reserve(tokens)
    assert d.ended(decode(d, tokens, ticket=old, reservation_id=reservation_id)).refusal.reason == "FENCED"
    assert not d.ended(decode(d, tokens, ticket=new, reservation_id=reservation_id)).HasField("refusal")
