"""The HTTP door's bytes: raw sockets that leave, stall, write nonsense or too much."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from meshkit import errors
from meshkit.config import TlsSettings
from meshkit.rpc import tls as rpc_tls

from tests.component.gateway.conftest import Door, OpenDoor
from tests.component.gateway.openai_clients import TURN, client, context, raw, request
from tests.component.gateway.scripted_router import admitted, delta, ended, finished, forever

BODY: Any = {"model": "m", "messages": TURN}
STREAM: Any = BODY | {"stream": True}


async def whole_stream(door: Door) -> bytes:
    """Every byte of a streamed answer."""
    async with raw(door) as line:
        line.writer.write(request(door, STREAM, connection="close"))
        return await line.reader.read()


async def test_a_stream_ends_with_done(door: Door) -> None:
    found = await whole_stream(door)
    assert found.startswith(b"HTTP/1.1 200 ") and b"text/event-stream" in found
    assert b"data: [DONE]\n\n" in found and found.endswith(b"0\r\n\r\n")


async def test_a_caller_may_leave_after_any_byte_of_a_stream(door: Door) -> None:
    length = len(await whole_stream(door)) - len(b"connection: close\r\n")
    for read in range(1, length, 3):
        door.router.ended.clear()
        async with raw(door) as line:
            line.writer.write(request(door, STREAM))
            await line.reader.readexactly(read)
        await door.router.ended.wait()
    assert (await whole_stream(door)).endswith(b"0\r\n\r\n")


async def test_a_caller_may_leave_after_any_byte_of_a_request(door: Door) -> None:
    sent = request(door, BODY)
    for written in range(0, len(sent), 31):
        async with raw(door) as line:
            line.writer.write(sent[:written])
            await line.writer.drain()
    assert not door.router.requests
    async with client(door) as ai:
        await ai.chat.completions.create(model="m", messages=TURN)


async def test_the_status_waits_for_the_first_token_and_then_comments_come(open_door: OpenDoor) -> None:
    release = asyncio.Event()
    async with open_door(http={"first_s": 0.05, "keepalive_s": 0.05}) as door, raw(door) as line:
        door.router.script = (admitted(), release.wait, errors.Unavailable("gone", reason="STREAM_BROKEN"))
        line.writer.write(request(door, STREAM))
        assert (await line.reader.readuntil(b": keep-alive\n\n")).startswith(b"HTTP/1.1 200 ")
        release.set()
        rest = await line.reader.readuntil(b"0\r\n\r\n")
        assert b'data: {"error":{' in rest and b'"stream_broken"' in rest and b"[DONE]" not in rest


async def test_the_status_comes_in_time_when_not_even_the_admission_does(open_door: OpenDoor) -> None:
    async with open_door(http={"first_s": 0.05}) as door, raw(door) as line:
        door.router.script = (forever,)
        line.writer.write(request(door, STREAM))
        assert (await line.reader.readuntil(b": keep-alive\n\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_door_that_closes_tells_the_streams_under_way(open_door: OpenDoor) -> None:
    async with open_door() as door, raw(door) as line:
        door.router.script = (admitted(), delta("你"), forever)
        line.writer.write(request(door, STREAM))
        await line.reader.readuntil("你".encode())
        door.service.stop()
        rest = await line.reader.read()
        assert b'data: {"error":{' in rest and rest.endswith(b"0\r\n\r\n")


async def test_a_reader_that_stops_ends_its_stream_and_the_router_s_work(open_door: OpenDoor) -> None:
    async with open_door(slow_reader_s=0.2) as door, raw(door) as line:
        door.router.script = (admitted(), *[delta("长" * 20_000)] * 200, finished(), ended())
        line.writer.transport.pause_reading()
        line.writer.write(request(door, STREAM))
        await door.router.ended.wait()
        assert door.router.sent < 200


@pytest.mark.parametrize("prompt", ["审" * 200_000, "😀" * 200_000, "a" * 200_000])
async def test_a_prompt_of_two_hundred_thousand_characters_reaches_the_router(door: Door, prompt: str) -> None:
    async with raw(door) as line:
        line.writer.write(request(door, BODY | {"messages": [{"role": "user", "content": prompt}]}))
        status, _, _ = await line.answer()
    assert status == 200 and door.router.requests[0].conversation.messages[0].content == prompt


async def test_a_hundred_tools_reach_the_router_and_too_many_are_refused_by_name(door: Door) -> None:
    tools = [{"type": "function", "function": {"name": f"f{number}", "parameters": {"type": "object"}}} for number in range(129)]
    async with raw(door) as line:
        line.writer.write(request(door, BODY | {"tools": tools[:100]}) + request(door, BODY | {"tools": tools}))
        status, _, _ = await line.answer()
        assert status == 200 and [tool.name for tool in door.router.requests[0].tools] == [f"f{number}" for number in range(100)]
        status, error = await line.error()
    assert (status, error["param"], error["code"]) == (400, "tools", "field_invalid") and len(door.router.requests) == 1


@pytest.mark.parametrize("is_complete", [True, False])
async def test_headers_above_the_limit_are_431(door: Door, is_complete: bool) -> None:
    async with raw(door) as line:
        sent = request(door, BODY, x_long="a" * 33_000)
        line.writer.write(sent if is_complete else sent[:33_100])
        status, error = await line.error()
    assert (status, error["code"]) == (431, "headers_too_large")
    assert not door.router.requests


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /v1/responses HTTP/1.1\r\nhost: a\r\n\r\n", 404),
        (b"POST /v1/assistants HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}", 404),
        (b"GET /v1/chat/completions HTTP/1.1\r\nhost: a\r\n\r\n", 405),
        (b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n", 401),
        (b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}", 401),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nhost: a\r\nauthorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", 400),
    ],
)
async def test_what_is_no_call_is_told_in_the_same_form(door: Door, sent: bytes, status: int) -> None:
    async with raw(door) as line:
        line.writer.write(sent)
        found, error = await line.error()
    assert found == status and set(error) >= {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"model":"m","model":"n"}', b'{"a":' * 100 + b"1" + b"}" * 100, b"\xff", b'{"a":"\\ud800"}', b"NaN"]
)
async def test_a_body_that_is_no_document_is_refused(door: Door, body: bytes) -> None:
    async with raw(door) as line:
        line.writer.write(request(door, body))
        status, error = await line.error()
    assert (status, error["code"]) == (400, "malformed_json")


async def test_a_body_above_the_limit_is_413(open_door: OpenDoor) -> None:
    async with open_door(http={"body_bytes": 2048}) as door, raw(door) as line:
        line.writer.write(request(door, BODY | {"user": "a" * 4096}))
        status, error = await line.error()
        assert (status, error["code"]) == (413, "message_too_large")


async def test_a_body_that_is_not_sent_is_408(open_door: OpenDoor) -> None:
    async with open_door(http={"body_s": 0.05}) as door, raw(door) as line:
        line.writer.write(request(door, BODY)[:-5])
        assert (await line.error())[0] == 408


@pytest.mark.parametrize("sent", [b"", b"GET /v1/mod"])
async def test_a_connection_without_a_request_is_closed(open_door: OpenDoor, sent: bytes) -> None:
    async with open_door(http={"idle_s": 0.1}) as door, raw(door) as line:
        line.writer.write(sent)
        assert await line.reader.read() == b""


async def test_a_connection_takes_one_request_after_another(door: Door) -> None:
    async with raw(door) as line:
        line.writer.write(request(door, BODY) + request(door, BODY))
        answers = [await line.answer(), await line.answer()]
    assert [status for status, _, _ in answers] == [200, 200]
    assert len({headers["x-request-id"] for _, headers, _ in answers}) == 2
    assert json.loads(answers[1][2])["choices"][0]["message"]["content"] == "你好，世界"


async def test_a_new_certificate_is_shown_at_the_next_handshake(door: Door, tmp_path: Path) -> None:
    files = TlsSettings(certificate=tmp_path / "c.pem", key=tmp_path / "c.key", authority=door.certs / "authority.pem")

    def place(identity: str) -> int:
        (tmp_path / "c.pem").write_bytes((door.certs / f"{identity}.pem").read_bytes())
        (tmp_path / "c.key").write_bytes((door.certs / f"{identity}.key").read_bytes())
        return x509.load_pem_x509_certificates((door.certs / f"{identity}.pem").read_bytes())[0].serial_number

    async def shown(port: int) -> int:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context(door), server_hostname="localhost")
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return x509.load_der_x509_certificate(der).serial_number

    first = place("gateway")
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=rpc_tls.server_context(files)) as server:
        port = server.sockets[0].getsockname()[1]
        assert await shown(port) == first
        second = place("router")
        assert await shown(port) == second != first
