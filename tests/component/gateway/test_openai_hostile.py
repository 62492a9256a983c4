"""Clients of the HTTP door that mean no good, or break off anywhere: nothing leaks, nothing hangs, every refusal is in the API's form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.component.gateway.conftest import Door, OpenDoor
from tests.component.gateway.openai_clients import TURN, client, key, raw, request
from tests.component.gateway.scripted_router import admitted, delta, forever
from tests.component.gateway.test_openai_framing import BODY, STREAM, whole_stream

_OF_CALLS = ("take parts", "watch the caller", "settle tokens")
_AT_ONCE = 16


def left_behind() -> list[str]:
    """Tasks of calls that are over."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() in _OF_CALLS]


async def comes(true: Any) -> None:
    """Returns when it is true."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def nothing_is_left(door: Door) -> AsyncIterator[None]:
    """Behind what happens inside: no task, no call at the router, no place among the concurrent calls, none of the tokens."""
    yield
    await comes(lambda: not left_behind() and door.router.endings == door.router.begun)
    async with client(door, max_retries=0) as ai:
        answer = await ai.chat.completions.create(model="m", messages=TURN, max_tokens=64)
    assert answer.choices[0].message.content == "你好，世界"


def tight(open_door: OpenDoor) -> Any:
    """A door with few places and few tokens: what a hundred calls would take, if they kept it, is not there."""
    minute = {"output_per_minute": 40_000, "prompt_per_minute": 4_000_000}
    rate = {"generate_per_s": 10_000, "generate_burst": 10_000}
    return open_door(concurrent_calls=4 * _AT_ONCE, quota=rate, budget={"principal": minute, "assumed_output_tokens": 64})


async def in_turns(works: list[Any]) -> None:
    """Do all, a few at once."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(work: Any) -> None:
        async with free:
            await work

    await asyncio.gather(*(one(work) for work in works))


async def test_a_request_that_is_cut_at_any_byte_reaches_nobody(open_door: OpenDoor) -> None:
    async with tight(open_door) as door, nothing_is_left(door):
        sent = request(door, STREAM)

        async def cut(at: int) -> None:
            async with raw(door) as line:
                line.writer.write(sent[:at])
                await line.writer.drain()

        await in_turns([cut(at) for at in range(len(sent))])
        await comes(lambda: not left_behind())
        assert not door.router.requests


async def test_a_reader_that_leaves_at_any_byte_ends_its_generation(open_door: OpenDoor) -> None:
    async with tight(open_door) as door, nothing_is_left(door):
        sent, length = request(door, STREAM), len(await whole_stream(door)) - len(b"connection: close\r\n")
        begun = door.router.begun

        async def read(count: int) -> None:
            async with raw(door) as line:
                line.writer.write(sent)
                await line.reader.readexactly(count)

        await in_turns([read(count) for count in range(1, length)])
        assert door.router.begun - begun == length - 1


async def test_answers_nobody_reads_to_their_end_are_ended(open_door: OpenDoor) -> None:
    async with tight(open_door) as door, nothing_is_left(door):
        door.router.script = (admitted(), delta("你"), forever)

        async def read() -> None:
            async with raw(door) as line:
                line.writer.write(request(door, STREAM))
                await line.reader.readuntil("你".encode())

        await in_turns([read() for _ in range(200)])
        await comes(lambda: door.router.endings == 200)
        door.router.script = type(door.router)().script


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: 5x\r\n",
        b"transfer-encoding: gzip\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        b"no colon\r\n",
        b"na\x00me: 1\r\n",
        "名: 1\r\n".encode(),
    ],
)
async def test_a_head_that_says_two_things_is_refused(door: Door, head: bytes) -> None:
    """No byte behind it is taken for a request."""
    async with raw(door) as line:
        smuggled = request(door, BODY)
        line.writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n" + head + b"\r\n" + smuggled)
        status, error = await line.error()
        assert status in (400, 401, 415, 501) and set(error) >= {"message", "type", "param", "code"}
        rest = await line.reader.read()
    assert not door.router.requests, rest


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n",
        b"-1\r\n",
        b"5\r\nabcdefgh\r\n0\r\n\r\n",
        b"5;" + b"a" * 40_000,
        b"fffffffffffffffff\r\n",
        b"2\r\n{}0\r\n\r\n",
        b"\r\n\r\n",
    ],
)
async def test_chunks_that_are_none_are_refused(open_door: OpenDoor, body: bytes) -> None:
    async with open_door(http={"body_s": 0.3}) as door, raw(door) as line:
        head = f"POST /v1/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key(door)}\r\ncontent-type: application/json\r\n"
        line.writer.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n" + body)
        status, error = await line.error()
        assert status in (400, 408, 431) and set(error) >= {"message", "type", "param", "code"}
        assert await line.reader.read() == b""
    assert not door.router.requests and not left_behind()


async def test_a_body_in_chunks_of_one_byte_is_a_body(door: Door) -> None:
    content = json.dumps(BODY).encode()
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in content) + b"0\r\n\r\n"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key(door)}\r\ncontent-type: application/json\r\n"
    async with raw(door) as line:
        line.writer.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n" + chunks)
        assert (await line.answer())[0] == 200


async def test_a_length_that_is_too_small_leaves_no_second_request(open_door: OpenDoor) -> None:
    async with open_door(http={"idle_s": 0.3}) as door, raw(door) as line:
        content = json.dumps(BODY).encode()
        sent = request(door, BODY).replace(b"content-length: %d" % len(content), b"content-length: %d" % (len(content) - 3))
        line.writer.write(sent)
        status, error = await line.error()
        assert (status, error["code"]) == (400, "malformed_json")
        assert await line.reader.read() == b""
        assert not door.router.requests


async def test_pipelined_requests_are_answered_in_turn(door: Door) -> None:
    async with raw(door) as line, nothing_is_left(door):
        bad = b"POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        line.writer.write(request(door, BODY) + bad + request(door, BODY) + b"GET /v1/nothing HTTP/1.1\r\nhost: a\r\n\r\n")
        assert [(await line.answer())[0] for _ in range(4)] == [200, 401, 200, 404]


async def test_a_request_behind_a_stream_waits_for_its_end(door: Door) -> None:
    async with raw(door) as line:
        line.writer.write(request(door, STREAM) + request(door, BODY))
        found = await line.reader.readuntil(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert found.count(b"HTTP/1.1 200") == 1
        assert (await line.answer())[0] == 200


async def test_a_head_that_drips_is_closed(open_door: OpenDoor) -> None:
    """Each byte is new, and none of them renews the time there is."""
    async with open_door(http={"idle_s": 0.4}) as door, raw(door) as line:
        sent = request(door, BODY)

        async def drip() -> None:
            for byte in sent:
                line.writer.write(bytes([byte]))
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(20):
            assert await line.reader.read() == b""
        dripping.cancel()
    assert not door.router.requests


async def test_a_body_that_drips_is_408(open_door: OpenDoor) -> None:
    async with open_door(http={"body_s": 0.4}) as door, raw(door) as line:
        sent = request(door, BODY)
        head, _, body = sent.partition(b"\r\n\r\n")
        line.writer.write(head + b"\r\n\r\n")

        async def drip() -> None:
            for byte in body:
                line.writer.write(bytes([byte]))
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(20):
            assert (await line.error())[1]["code"] == "body_late"
        dripping.cancel()
    assert not door.router.requests


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/nothing", "/v1/models"])
async def test_a_body_that_is_too_large_is_told_while_it_is_sent(open_door: OpenDoor, path: str) -> None:
    """The refusal arrives although the caller goes on writing, and nothing behind it is taken for a request."""
    async with open_door(http={"body_bytes": 64 * 1024}) as door, raw(door) as line:
        line.writer.write(request(door, b"a" * 3_000_000, path=path))
        async with asyncio.timeout(20):
            status, error = await line.error()
            assert (status, error["code"]) == (413, "message_too_large")
            assert await line.reader.read() == b""


async def test_clear_text_and_a_handshake_that_stops_cost_nothing(door: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.service.http_port)
    writer.write(request(door, BODY))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await reader.readexactly(10)
    writer.transport.abort()
    idle = [await asyncio.open_connection("127.0.0.1", door.service.http_port) for _ in range(50)]
    async with nothing_is_left(door):
        pass
    for _, each in idle:
        each.transport.abort()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}', "malformed_json"),
        (b'{"model":"m","messages":[{"role":"user","content":"\xff\xfe"}]}', "malformed_json"),
        (b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}', "malformed_json"),
        (b'{"model":"m","temperature":NaN,"messages":[]}', "malformed_json"),
        (b'{"model":"m","temperature":-Infinity,"messages":[]}', "malformed_json"),
        (b'{"model":"m","temperature":1e999,"messages":[]}', "malformed_json"),
        (b'{"model":"m","seed":' + b"9" * 5_000 + b',"messages":[]}', "malformed_json"),
        (b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed_json"),
        (b"\xef\xbb\xbf{}", "malformed_json"),
        (b"{}\x00", "malformed_json"),
        (b'{"model":"m","messages":[[[[{}]]]]}', "field_invalid"),
        (b'{"model":{"m":1},"messages":[]}', "field_invalid"),
    ],
    ids=range(12),
)
async def test_documents_that_other_readers_take_are_refused(door: Door, body: bytes, code: str) -> None:
    async with raw(door) as line:
        line.writer.write(request(door, body))
        status, error = await line.error()
    assert (status, error["code"]) == (400, code) and not door.router.requests
