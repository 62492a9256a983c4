"""What leaves the stub: merged when it is read late, bounded, ended once."""

from __future__ import annotations

import threading
import time

import pytest
from engine.llm.generation import CacheChanged, Token
from engine.stub import outbox as module
from engine.stub.outbox import Outbox
from finmesh.engine.v1 import engine_pb2 as pb

from .stubs import WAIT_S, Memory


class Blocked(Memory):
    """An inference whose responses Triton takes when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.may = threading.Event(), threading.Event()

    def send(self, content: bytes, *, is_last: bool = False) -> None:
        self.taken.set()
        assert self.may.wait(WAIT_S)
        super().send(content, is_last=is_last)


class Broken(Memory):
    def send(self, content: bytes, *, is_last: bool = False) -> None:
        raise RuntimeError("gone")


@pytest.fixture
def lost() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def made(lost: list[tuple[str, str]]) -> Outbox:
    box = Outbox(lambda: ("incarnation", 7), lambda name, reason: lost.append((name, reason)))
    box.start()
    return box


def token(index: int, choice: int = 0, **fields: object) -> Token:
    return Token("key", choice, index, 100 + index, **fields)  # type: ignore[arg-type]


def told(events: Memory) -> list[pb.Events]:
    return [pb.Events.FromString(content) for content in events.contents]


def test_what_waits_is_one_response(made: Outbox) -> None:
    events = Blocked()
    made.join("a", events)
    made.put("a", ("1", token(0)))
    assert events.taken.wait(WAIT_S)
    for index in range(1, 50):
        made.put("a", ("1" if index % 2 else "2", token(index)))
    events.may.set()
    made.close()
    first, rest = told(events)
    assert (first.incarnation, first.step) == ("incarnation", 7)
    assert list(first.tokens.token_id) == [100]
    assert list(rest.tokens.token_id) == list(range(101, 150))
    assert [rest.work_ids[work] for work in rest.tokens.work] == ["1" if index % 2 else "2" for index in range(1, 50)]
    assert not rest.tokens.logprob


def test_logprobs_are_a_column_where_anybody_asked(made: Outbox) -> None:
    events = Blocked()
    made.join("a", events)
    made.put("a", ("0", token(0)))
    assert events.taken.wait(WAIT_S)
    made.put("a", ("1", token(0)))
    made.put("a", ("2", token(0, logprob=-1.5, top=((7, -1.5), (8, -2.0)))))
    events.may.set()
    made.close()
    columns = told(events)[1].tokens
    assert list(columns.logprob) == [0.0, -1.5]
    ((position, tokens),) = [(top.position, [each.token_id for each in top.tokens]) for top in columns.top]
    assert (position, tokens) == (1, [7, 8])


def test_changes_of_the_store_are_for_everybody(made: Outbox) -> None:
    owners = {name: Memory() for name in "ab"}
    for name, events in owners.items():
        made.join(name, events)
    made.put_all([CacheChanged(3, (b"x" * 16,), (b"y" * 16,))])
    made.close()
    for events in owners.values():
        ((change,),) = [each.kv for each in told(events)]
        assert (change.seq, list(change.stored), list(change.removed)) == (3, [b"x" * 16], [b"y" * 16])


def test_who_does_not_read_is_given_up(made: Outbox, lost: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    slow, other = Blocked(), Memory()
    made.join("slow", slow)
    made.join("other", other)
    made.put("slow", ("1", token(0)))
    assert slow.taken.wait(WAIT_S)
    for index in range(1, 13):
        made.put("slow", ("1", token(index)))
    made.put("other", ("1", token(0)))
    slow.may.set()
    slow.until_end()
    assert lost == [("slow", "OWNER_TOO_SLOW")]
    other.until(lambda contents: contents or None)
    made.close()


def test_an_answer_that_nobody_takes_costs_nobody_else(made: Outbox, lost: list[tuple[str, str]]) -> None:
    events, answer = Memory(), Memory()
    made.join("broken", Broken())
    made.join("a", events)
    made.answer(Broken(), b"x")
    made.put("broken", ("1", token(0)))
    made.put("a", ("1", token(0)))
    made.answer(answer, b"y")
    answer.until_end()
    events.until(lambda contents: contents or None)
    over = time.monotonic() + WAIT_S
    while ("broken", "OWNER_GONE") not in lost:
        assert time.monotonic() < over
        time.sleep(0.01)
    made.close()
    assert events.is_ended


def test_a_name_is_told_once(made: Outbox) -> None:
    made.join("a", Memory())
    with pytest.raises(ValueError, match="already"):
        made.join("a", Memory())
    made.close()
