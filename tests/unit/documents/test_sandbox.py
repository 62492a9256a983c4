"""What a parser does, it does to itself alone: each way to die has its reason, nothing is left, the next document is read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from documents import frames, wire
from documents.confine import Isolation
from documents.errors import DocumentError, ParserFailed
from documents.limits import MIB, Limits
from documents.parsed import Box, Heading, Paragraph, Parsed, Table
from documents.sandbox import Sandbox
from hypothesis import given
from hypothesis import strategies as st

from .conftest import Parse

PARSED = Parsed(
    "标题",
    "text/plain",
    3,
    (
        Heading(1, "总则", 1),
        Paragraph("正文", 2, Box(1.0, 2.0, 3.5, 4.0), "list"),
        Table("表1", (("a", "b"),), (("1", ""),), 3, None, "页"),
    ),
    {"author": "甲"},
    ("warned",),
    (2,),
)
CODE = """
import os, sys
from documents import work
from documents.server import main
def duty():
    def do(channel, files):
        sys.stdout = os.fdopen(os.dup(channel.fileno()), "w")
        {code}
    return do
work.DUTIES["parse"] = duty
main("parse", sys.argv[1])
"""


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put other code in the place of the parser: the server and its confinement stay as they are."""
    started = subprocess.Popen

    def put(code: str) -> None:
        def popen(command: list[str], **rest: object) -> subprocess.Popen[bytes]:
            return started([sys.executable, "-I", "-c", CODE.format(code=code), command[-1]], **rest)  # type: ignore[call-overload, no-any-return]

        monkeypatch.setattr(subprocess, "Popen", popen)

    return put


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.abort()", "PARSER_CRASHED"),
        ("import ctypes; ctypes.string_at(0)", "PARSER_CRASHED"),
        ("os._exit(0)", "PARSER_CRASHED"),
        ("raise ValueError('secret')", "PARSER_CRASHED"),
        ("held = bytearray(1 << 33)", "PARSER_OUT_OF_MEMORY"),
        ("os.kill(os.getpid(), 9)", "PARSER_OUT_OF_MEMORY"),
        ("f = lambda: f(); f()", "TOO_DEEP"),
        ("\n        while True: pass", "PARSER_TIMEOUT"),
        ("import signal; signal.pause()", "PARSER_TIMEOUT"),
        ("channel.close(); os.close(sys.stdout.fileno()); import signal; signal.pause()", "PARSER_CRASHED"),
        ("os.write(channel.fileno(), b'R\\xff\\xff\\xff\\xff')", "PARSER_CRASHED"),
        ("os.write(channel.fileno(), b'R\\0\\0\\0\\x02[]')", "PARSER_CRASHED"),
        ("os.write(channel.fileno(), b'E\\0\\0\\0\\x02[]')", "PARSER_CRASHED"),
        ("os.write(channel.fileno(), b'?\\0\\0\\0\\0')", "PARSER_CRASHED"),
    ],
)
async def test_every_way_to_die_has_its_reason(misbehaving: Callable[[str], None], code: str, reason: str) -> None:
    before = children()
    misbehaving(code)
    async with Sandbox(Limits(cpu_s=1, wall_s=4.0)) as sandbox:
        with pytest.raises(DocumentError) as error:
            await sandbox.parse(b"x", "a.txt")
        assert (error.value.reason, "secret" in str(error.value)) == (reason, False)
    assert children() == before


PROBE = """
        import json, socket, resource
        found = dict(environment=list(os.environ), user=os.getuid() != 0, files=os.listdir("/"))
        found["descriptors"] = []
        for number in range(64):
            try: os.fstat(number); found["descriptors"].append(number)
            except OSError: pass
        def fails(act):
            try: act()
            except (OSError, MemoryError) as error: return type(error).__name__
            return "done"
        found["open"] = fails(lambda: open("/etc/passwd"))
        found["connect"] = fails(lambda: socket.socket().connect(("127.0.0.1", {port})))
        found["fork"] = fails(os.fork)
        found["write"] = fails(lambda: open("/x", "w"))
        found["signal"] = fails(lambda: os.kill({pid}, 0))
        found["parent"] = os.getppid()
        text = json.dumps(["PARSER_CRASHED", json.dumps(found)]).encode()
        os.write(channel.fileno(), b"E" + len(text).to_bytes(4, "big") + text)
"""


async def test_a_parser_is_alone(misbehaving: Callable[[str], None]) -> None:
    """No environment, no descriptors but its own, no network, no files, no other processes, where the kernel grants it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        misbehaving(PROBE.format(port=listening.getsockname()[1], pid=os.getpid()))
        async with Sandbox() as sandbox:
            with pytest.raises(ParserFailed) as error:
                await sandbox.parse(b"x", "a.txt")
            isolation = sandbox.isolation
    assert error.value.message.startswith("{"), error.value.message
    found = json.loads(error.value.message)
    assert (found["environment"], found["user"], found["fork"]) == ([], True, "BlockingIOError")
    assert len(found["descriptors"]) <= 6  # three of nothing, channel (and our copy of it), document
    assert (found["connect"] != "done") >= isolation.network
    assert (found["files"] == [] and found["open"] == "FileNotFoundError" and found["write"] != "done") >= isolation.files
    assert (found["signal"] != "done" and found["parent"] == 1) >= isolation.processes


REFUSING = """
import sys
from documents import confine, server
confine._LIBC.unshare = lambda flags: -1
server.main("parse", sys.argv[1])
"""


async def test_without_namespaces_it_is_said_and_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    started = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **rest: started([sys.executable, "-I", "-c", REFUSING, command[-1]], **rest))
    async with Sandbox() as sandbox:
        assert sandbox.isolation == Isolation(network=False, processes=False, files=False)
        assert not sandbox.isolation.complete
        assert (await sandbox.parse("甲".encode(), "a.txt")).title == "甲"
        with pytest.raises(DocumentError) as error:
            await sandbox.parse(b"x" * 200_000_000, "a.txt")
        assert error.value.reason == "TOO_MUCH_TEXT"


async def test_a_server_that_dies_is_replaced_and_takes_its_children_along() -> None:
    before = set(children())
    async with Sandbox() as sandbox:
        (keeper,) = (each for each in children() if each not in before and each.ppid() == os.getpid())
        forking = keeper.children()
        keeper.send_signal(signal.SIGKILL)
        _, alive = await asyncio.to_thread(psutil.wait_procs, [*forking], 10)
        assert not alive
        assert (await sandbox.parse("甲".encode(), "a.txt")).title == "甲"
    assert set(children()) == before


async def test_nobody_waits_nothing_runs(misbehaving: Callable[[str], None]) -> None:
    before = set(children())
    misbehaving("import signal; signal.pause()")
    async with Sandbox(at_once=1) as sandbox:
        server = set(children())
        work = asyncio.create_task(sandbox.parse(b"x", "a.txt"))
        while set(children()) == server:
            await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert set(children()) == server
    assert set(children()) == before


async def test_documents_are_read_side_by_side() -> None:
    async with Sandbox(at_once=3) as sandbox:
        parsed = await asyncio.gather(*(sandbox.parse(f"第{each}份".encode(), "a.txt") for each in range(12)))
    assert [each.title for each in parsed] == [f"第{each}份" for each in range(12)]


def test_a_path_is_read_too(parse: Parse, tmp_path: Path) -> None:
    path = tmp_path / "条款.txt"
    path.write_text("等待期九十天", encoding="gb18030")
    assert parse(path, path.name).title == "等待期九十天"
    with pytest.raises(FileNotFoundError):
        parse(tmp_path / "none", "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DocumentError, match="not a file"):
        parse(tmp_path / "pipe", "pipe")


async def test_bytes_beyond_the_limit_are_not_looked_at() -> None:
    async with Sandbox(Limits(max_bytes=10)) as sandbox:
        with pytest.raises(DocumentError) as error:
            await sandbox.parse(bytes(11), "a.pdf")
    assert error.value.reason == "DOCUMENT_TOO_LARGE"


def test_the_wire_gives_back_what_it_took() -> None:
    assert wire.decode(wire.encode(PARSED), Limits()) == PARSED


@given(st.data())
def test_no_answer_of_a_parser_breaks_the_service(data: st.DataObject) -> None:
    payload = bytearray(wire.encode(PARSED))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(wire.WrongForm):
        wire.decode(bytes(payload), Limits())


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_blocks", 2), ("max_cells", 3), ("max_characters", 10), ("max_pages", 2)],
)
def test_an_answer_beyond_the_limits_is_none(field: str, value: int) -> None:
    with pytest.raises(wire.WrongForm):
        wire.decode(wire.encode(PARSED), Limits(**{field: value}))


@pytest.mark.parametrize(
    "wrong",
    [
        b'["h",1,"a\\u0007",1]\n',
        b'["h",0,"a",1]\n',
        b'["h",1,"a",4]\n',
        b'["h",1,"a",true]\n',
        b'["p","a",1,[1,2,NaN,4],"body"]\n',
        b'["p","a",1,[9,2,3,4],"body"]\n',
        b'["p","a",1,null,"odd"]\n',
        b'["t","",1,1,1,null,""]\n["r","a"]\n["r","a","b"]\n',
        b'["t","",1,1,1,null,""]\n["r","a"]\n',
        b'["r","a"]\n',
        b"[" * 100_000 + b"\n",
        b'["h",1,"a",1]',
    ],
)
def test_answers_of_another_form(wrong: bytes) -> None:
    head = b'["d","t","text/plain",3,{},[],[]]\n'
    assert wire.decode(head, Limits()).blocks == ()
    with pytest.raises(wire.WrongForm):
        wire.decode(head + wrong, Limits())


def test_a_frame_is_measured_before_it_is_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"R" + (MIB + 1).to_bytes(4, "big"))
        with pytest.raises(frames.BrokenFrame):
            frames.receive(theirs, {frames.RESULT: MIB})
