"""What waits for a reader: bounded, merged, ended once."""

from __future__ import annotations

import asyncio

import pytest
from backends import streams
from backends.port import Running
from backends.streams import Stream
from finmesh.inference.v1.decode_service_pb2 import Committed, Tokens
from finmesh.inference.v1.generation_pb2 import Token, UsageFacts
from meshkit.errors import Overloaded, Unavailable


def tokens(*indexes: int) -> list[Token]:
    return [Token(index=index) for index in indexes]


async def test_tokens_that_wait_are_one_message_and_keep_their_place() -> None:
    stream = Stream(100)
    stream.put(Running(Committed(), ()))
    stream.put_tokens(tokens(0))
    stream.put_tokens(tokens(1, 2))
    stream.put(UsageFacts(output_tokens=3))
    assert isinstance(await stream.next(), Running)
    told = await stream.next()
    assert isinstance(told, Tokens)
    assert [token.index for token in told.tokens] == [0, 1, 2]
    assert isinstance(await stream.next(), UsageFacts)


async def test_a_reader_that_does_not_come_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE_S", 0.0)
    stream = Stream(3)
    assert stream.put_tokens(tokens(0, 1, 2))
    await asyncio.sleep(0.001)
    assert not stream.put_tokens(tokens(3))
    assert stream.put_tokens(tokens(4)), "told once"
    with pytest.raises(Overloaded) as caught:
        await stream.next()
    assert caught.value.reason == "READER_TOO_SLOW"


async def test_more_than_there_is_room_for_at_once_is_no_fault_of_the_reader() -> None:
    stream = Stream(3)
    assert stream.put_tokens(tokens(*range(50)))
    told = await stream.next()
    assert isinstance(told, Tokens)
    assert len(told.tokens) == 50
    assert stream.put_tokens(tokens(50))


async def test_a_failure_is_told_next_and_nothing_behind_it() -> None:
    stream = Stream(10)
    stream.put_tokens(tokens(0))
    stream.fail(Unavailable("gone", reason="ENGINE_DEAD"))
    stream.put(UsageFacts())
    stream.fail(Unavailable("again", reason="OTHER"))
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await stream.next()
        assert caught.value.reason == "ENGINE_DEAD"


async def test_tokens_gather_until_the_end_at_most() -> None:
    stream = Stream(10)
    stream.put_tokens(tokens(0))
    reading = asyncio.create_task(stream.next(hold_s=60.0))
    await asyncio.sleep(0.01)
    assert not reading.done()
    stream.put_tokens(tokens(1))
    stream.put(UsageFacts())
    told = await reading
    assert isinstance(told, Tokens)
    assert len(told.tokens) == 2
