"""Whatever ends work, and wherever it is then: nothing is held afterwards, the end is told once, and nobody else waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from engine.handoff.publisher import Publisher
from engine.handoff.puller import Puller
from engine.stub import outbox
from engine.stub.works import Work
from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1 import generation_pb2
from meshkit.crypto.keyed_ids import uuid7

from .stubs import Memory, Refused, Stub, decode_request, prefill_request, stub

LONG = generation_pb2.Bounds(max_output_tokens=400, ignore_end=True)
WAIT_S = 60.0


def prompt(length: int, seed: int = 1) -> list[int]:
    return [int(token) for token in np.random.default_rng([seed, length]).integers(3, 384, length)]


class Gate:
    """Somebody waits here until he is let through."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.open.set()

    def close(self) -> None:
        self.entered.clear()
        self.open.clear()

    def pass_through(self) -> None:
        self.entered.set()
        assert self.open.wait(WAIT_S)


PULL, PUBLISH = Gate(), Gate()


class GatedPuller(Puller):
    def pull(self, ticket: Any, landing: Any, first_block: int = 0, cancelled: Callable[[], bool] = lambda: False) -> Any:
        def looked() -> bool:
            PULL.pass_through()
            return cancelled()

        return super().pull(ticket, landing, first_block, looked)


class GatedPublisher(Publisher):
    def publish(self, claims: Any, row: Any) -> Any:
        PUBLISH.pass_through()
        return super().publish(claims, row)


@pytest.fixture(scope="module")
def p() -> Iterator[Stub]:
    with stub("prefill", publisher=GatedPublisher) as made:
        yield made


@pytest.fixture(scope="module")
def d() -> Iterator[Stub]:
    with stub("decode", puller=GatedPuller) as made:
        yield made


NUMBERS = iter(range(1, 10_000))


@pytest.fixture(autouse=True)
def afresh(p: Stub, d: Stub) -> Iterator[None]:
    for each in (p, d):
        each.name, each.events = f"owner {next(NUMBERS)}", Memory()
        each.join(each.name, each.events)
    yield
    PULL.open.set()
    PUBLISH.open.set()
    d.until_free()
    while PUBLISHED:
        p.ask("abort", pb.AbortOperation(handoff_id=PUBLISHED.pop(), epoch=9, owner=p.name))
    for each in (p, d):
        each.until_free()
        assert each.parts.engine.leaks() == []
        each.ask("leave", pb.OwnerOperation(owner=each.name))
        each.events.until_end()


def prefill(p: Stub, tokens: list[int], **changes: Any) -> str:
    work_id = str(next(NUMBERS))
    p.ask("prefill", pb.PrefillOperation(request=prefill_request(p.manifest, tokens, **changes), owner=p.name, work_id=work_id))
    return work_id


PUBLISHED: list[str] = []


def ticket_of(p: Stub, tokens: list[int], **changes: Any) -> bytes:
    """Publish a prompt; what is left of it is ended behind the test, as the router would."""
    PUBLISHED.append(changes.setdefault("handoff_id", uuid7()))
    work_id = prefill(p, tokens, **changes)
    assert not p.ended(work_id).HasField("refusal")
    return p.prefilled(work_id).response.ticket


def decode(d: Stub, tokens: list[int], **changes: Any) -> str:
    work_id = str(next(NUMBERS))
    d.ask("decode", pb.DecodeOperation(request=decode_request(d.manifest, tokens, **changes), owner=d.name, work_id=work_id))
    return work_id


def abort(at: Stub, work_id: str) -> None:
    at.ask("abort", pb.AbortOperation(work_id=work_id, owner=at.name))


def until_tokens(d: Stub, work_id: str) -> None:
    d.events.until(lambda _: d.tokens(work_id) or None)


def test_a_prompt_in_the_queue_and_while_it_is_packed(p: Stub) -> None:
    PUBLISH.close()
    running = [prefill(p, prompt(40, seed)) for seed in range(5)]  # four rows: the last one waits
    assert PUBLISH.entered.wait(WAIT_S)
    for work_id in running:
        abort(p, work_id)
    PUBLISH.open.set()
    for work_id in running:
        assert p.ended(work_id).refusal.reason == "CANCELLED"
    p.until_free()


def test_what_is_published_is_ended_by_its_handoff_and_no_later_epoch(p: Stub) -> None:
    tokens, handoff_id = prompt(100), uuid7()
    ticket_of(p, tokens, handoff_id=handoff_id, epoch=2)
    p.ask("abort", pb.AbortOperation(handoff_id=handoff_id, epoch=1, owner=p.name))
    assert any("hand-off" in line for line in p.held())
    p.ask("abort", pb.AbortOperation(handoff_id=handoff_id, epoch=2, owner=p.name))
    p.until_free()


def test_a_full_arena_refuses_before_anything_is_read(p: Stub) -> None:
    handoffs = []
    with pytest.raises(Refused) as caught:
        for _ in range(100):
            handoffs.append(uuid7())
            ticket_of(p, prompt(500), handoff_id=handoffs[-1])
    assert caught.value.reason == "OVERLOADED"
    for each in handoffs:
        p.ask("abort", pb.AbortOperation(handoff_id=each, epoch=1, owner=p.name))
    assert ticket_of(p, prompt(500), handoff_id=handoffs[0], epoch=2)


def test_a_pull_ends_with_its_chunk_and_others_go_on_meanwhile(p: Stub, d: Stub) -> None:
    tokens = prompt(200)
    ticket = ticket_of(p, tokens)
    reservation_id, _ = d.reserve(tokens)
    PULL.close()
    pulled = decode(d, tokens, ticket=ticket, reservation_id=reservation_id)
    assert PULL.entered.wait(WAIT_S)
    other = decode(d, prompt(50))
    assert not d.ended(other).HasField("refusal")  # it was answered while the pull stands
    abort(d, pulled)
    d.ask("release", pb.ReservationOperation(reservation_id=reservation_id))
    assert any("pinned" in line or "pins" in line for line in d.held()), d.held()
    PULL.open.set()
    assert d.ended(pulled).refusal.reason == "CANCELLED"
    assert not d.tokens(pulled)
    d.until_free()


def test_idle_rows_keep_their_bits_while_one_lands(p: Stub, d: Stub) -> None:
    """Rows that run give the same tokens with and without a landing beside them."""
    alone = decode(d, prompt(70), bounds=LONG)
    d.ended(alone)
    tokens = prompt(200, seed=2)
    ticket = ticket_of(p, tokens)
    reservation_id, _ = d.reserve(tokens)
    PULL.close()
    beside = decode(d, prompt(70), bounds=LONG)
    until_tokens(d, beside)
    pulled = decode(d, tokens, ticket=ticket, reservation_id=reservation_id)
    assert PULL.entered.wait(WAIT_S)
    PULL.open.set()
    d.ended(pulled)
    d.ended(beside)
    assert d.tokens(beside) == d.tokens(alone)


def test_answers_that_run_or_wait(d: Stub) -> None:
    running = [decode(d, prompt(30, seed), bounds=LONG) for seed in range(6)]
    until_tokens(d, running[0])
    for work_id in running:
        abort(d, work_id)
    ends = [d.ended(work_id) for work_id in running]
    assert {end.refusal.reason for end in ends} <= {"CANCELLED", ""}
    abort(d, "never-begun")


@pytest.mark.parametrize("how", ["leaves", "gone", "silent"])
def test_an_owner_that_ends_holds_nothing(p: Stub, d: Stub, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    events = Memory()
    d.join("other", events)
    own, d.name = d.name, "other"
    tokens = prompt(200, seed=3)
    ticket = ticket_of(p, tokens)
    reservation_id, _ = d.reserve(tokens)
    d.reserve(tokens)
    PULL.close()
    decode(d, tokens, ticket=ticket, reservation_id=reservation_id)
    assert PULL.entered.wait(WAIT_S)
    decode(d, prompt(30), bounds=LONG)
    d.name = own
    monkeypatch.setattr(outbox, "SILENT_S", 0.2 if how == "silent" else 60.0)
    if how == "leaves":
        d.ask("leave", pb.OwnerOperation(owner="other"))
    elif how == "gone":
        events.is_cancelled = True
    events.until_end()
    monkeypatch.setattr(outbox, "SILENT_S", 60.0)
    PULL.open.set()
    d.until_free()
    with pytest.raises(Refused) as caught:
        d.ask("alive", pb.OwnerOperation(owner="other"))
    assert caught.value.reason == "OWNER_UNKNOWN"
    if how == "silent":  # so was the owner of the other tests
        d.name, d.events = f"owner {next(NUMBERS)}", Memory()
        d.join(d.name, d.events)


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("prefill", pb.PrefillOperation(owner="nobody"), "OWNER_UNKNOWN"),
        ("reserve", pb.ReserveOperation(owner="nobody"), "OWNER_UNKNOWN"),
        ("nothing", pb.OwnerOperation(), "OPERATION_UNKNOWN"),
        ("alive", b"\xff\xff\xff", "MALFORMED_MESSAGE"),
        ("prefill", b"\xff\xff\xff", "MALFORMED_MESSAGE"),
    ],
)
def test_operations_that_are_none(d: Stub, name: str, body: Any, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        d.ask(name, body)
    assert caught.value.reason == reason


def test_each_role_does_its_own(p: Stub, d: Stub) -> None:
    with pytest.raises(Refused) as caught:
        decode(p, prompt(20))
    assert caught.value.reason == "ROLE_MISMATCH"
    with pytest.raises(Refused) as caught:
        prefill(d, prompt(20))
    assert caught.value.reason == "ROLE_MISMATCH"
    with pytest.raises(Refused) as caught:
        p.reserve(prompt(20))
    assert caught.value.reason == "ROLE_MISMATCH"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"grade": 5}, "GRADE_NOT_ALLOWED"), ({"model_digest": b"x" * 32}, "MODEL_UNKNOWN"), ({"namespace": b"short"}, "NAMESPACE_INVALID")],
)
def test_data_of_a_higher_grade_another_model_no_namespace(p: Stub, d: Stub, changes: dict[str, Any], reason: str) -> None:
    for ask in (lambda: prefill(p, prompt(20), **changes), lambda: decode(d, prompt(20), **changes)):
        with pytest.raises(Refused) as caught:
            ask()
        assert caught.value.reason == reason


def test_a_schema_that_none_can_follow(p: Stub, d: Stub) -> None:
    grammar = generation_pb2.Grammar(json_schema='{"type": "strin')
    for ask in (lambda: prefill(p, prompt(20), grammar=grammar), lambda: decode(d, prompt(20), grammar=grammar)):
        with pytest.raises(Refused) as caught:
            ask()
        assert caught.value.reason == "SCHEMA_INVALID"


def test_a_replay_goes_on_where_it_was(d: Stub) -> None:
    from finmesh.inference.v1 import decode_service_pb2

    tokens = prompt(90, seed=8)
    whole = decode(d, tokens)
    d.ended(whole)
    expected = d.tokens(whole)
    emitted = [decode_service_pb2.Emitted(choice=0, token_ids=[token for _, token in expected[:5]])]
    rest = decode(d, tokens, emitted=emitted)
    assert not d.ended(rest).HasField("refusal")
    assert d.tokens(rest) == expected[5:]


def test_a_long_prompt_is_packed_beside_its_reading(d: Stub) -> None:
    packed: list[int] = []

    class Counting(Publisher):
        def pack_ahead(self, handoff_id: str, epoch: int, row: Any, tokens: int) -> None:
            super().pack_ahead(handoff_id, epoch, row, tokens)
            packed.append(tokens)

    tokens = prompt(400)
    alone = decode(d, tokens)
    assert not d.ended(alone).HasField("refusal")
    with stub("prefill", publisher=Counting) as ahead:
        reservation_id, _ = d.reserve(tokens)
        ticket = ticket_of(ahead, tokens)
        work_id = decode(d, tokens, ticket=ticket, reservation_id=reservation_id)
        assert not d.ended(work_id).HasField("refusal")
        PUBLISHED.clear()
        ahead.until_free()
    assert packed
    assert all(0 < each < 400 for each in packed)
    assert d.tokens(work_id) == d.tokens(alone)[1:]


def test_a_higher_epoch_ends_the_lower_in_the_queue(p: Stub) -> None:
    handoff_id = uuid7()
    PUBLISHED.append(handoff_id)
    PUBLISH.close()
    rows = [prefill(p, prompt(40, seed)) for seed in range(4)]
    assert PUBLISH.entered.wait(WAIT_S)
    lower = prefill(p, prompt(60), handoff_id=handoff_id, epoch=1)
    higher = prefill(p, prompt(60), handoff_id=handoff_id, epoch=2)
    assert p.ended(lower).refusal.reason == "FENCED"  # while every row is still taken
    for work_id in (*rows, higher):
        abort(p, work_id)
    PUBLISH.open.set()
    p.ended(higher)


def test_an_abort_that_overtakes_its_work_ends_it(p: Stub, d: Stub) -> None:
    for at, request in (
        (p, pb.PrefillOperation(request=prefill_request(p.manifest, prompt(50)))),
        (d, pb.DecodeOperation(request=decode_request(d.manifest, prompt(50), bounds=LONG))),
    ):
        work = Work(at.name, str(next(NUMBERS)))
        if at is p:
            work.handoff = (request.request.handoff_id, 1)
        at.parts.operations._works.add(work)
        work.ending = "CANCELLED"  # as `abort` leaves it before a worker has come to it
        role: Any = at.parts.operations._role
        role.submit(work, request, *(() if at is p else (lambda: None,)))
        assert at.ended(work.work_id).refusal.reason == "CANCELLED"
