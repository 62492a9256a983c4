"""`finmesh chat`: one question, a pipe, a conversation on a terminal."""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from finmesh.common.v1 import grade_pb2
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router
from meshkit import errors

from tests.component.gateway.scripted_router import ANSWER, admitted, delta, finished, forever

from .conftest import Cli, FakeGateway


async def test_one_question(cli: Cli, gateway: FakeGateway, certs: Path) -> None:
    done = await cli("chat", "--once", "请用一句话解释什么是洗钱")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "你好，世界\n", "")
    (asked,) = gateway.asked
    turns = [router.Message(role="user", content="请用一句话解释什么是洗钱")]
    assert asked == router.GenerateRequest(
        tenant="bank-a",
        grade=grade_pb2.DATA_GRADE_L2,
        conversation=router.Conversation(messages=turns),
        sampling=generation.Sampling(choices=1),
    )
    assert gateway.headers[0]["authorization"] == "Bearer " + (certs / "assistant.jwt").read_text()


async def test_every_option_reaches_the_gateway(cli: Cli, gateway: FakeGateway, tmp_path: Path) -> None:
    schema = tmp_path / "模式.json"
    schema.write_text('{"type": "object", "properties": {"结论": {"type": "string"}}}')
    options = (
        *("--model", "smollm2", "--system", "你是反欺诈分析师", "--temperature", "0.7", "--top-p", "0.9", "--seed", str(2**64 - 1)),
        *("--max-tokens", "64", "--json-schema", str(schema), "--scenario", "assistant", "--grade", "3"),
    )
    assert (await cli("chat", "--once", "问", *options)).exit_code == 0
    (asked,) = gateway.asked
    assert (asked.model, asked.scenario, asked.grade, asked.max_output_tokens) == ("smollm2", "assistant", grade_pb2.DATA_GRADE_L3, 64)
    assert [(turn.role, turn.content) for turn in asked.conversation.messages] == [("system", "你是反欺诈分析师"), ("user", "问")]
    assert asked.sampling == generation.Sampling(temperature=0.7, top_p=0.9, seed=2**64 - 1, choices=1)
    assert asked.seed_set and asked.grammar.json_schema == schema.read_text()


TOOL = {"type": "function", "function": {"name": "freeze", "description": "冻结", "parameters": {"type": "object"}, "strict": True}}


async def test_tools_are_offered_and_calls_shown(cli: Cli, gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "工具.json"
    path.write_text(json.dumps([TOOL, {"type": "function", "function": {"name": "list-cards"}}], ensure_ascii=False))
    pieces = [(0, "call_a", "freeze", '{"卡"'), (0, "", "", ': "信用卡"}'), (1, "call_b", "list-cards", "{}")]
    calls = [router.ToolCallDelta(index=index, id=call, name=name, arguments=said) for index, call, name, said in pieces]
    gateway.script = (
        admitted(), delta("好的。"), *[router.GenerateResponse(delta=router.Delta(tool_calls=[each])) for each in calls], finished(),
        *ANSWER[-1:],
    )  # fmt: skip
    done = await cli("chat", "--once", "冻结", "--tools", str(path))
    assert (done.exit_code, done.stdout) == (0, '好的。\nfreeze {"卡": "信用卡"}\nlist-cards {}\n')
    (asked,) = gateway.asked
    assert [(tool.name, tool.description, tool.parameters, tool.strict) for tool in asked.tools] == [
        ("freeze", "冻结", '{"type": "object"}', True), ("list-cards", "", "", False),
    ]  # fmt: skip
    assert asked.parallel_tool_calls


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '[{"type": "custom"}]', '[{"type": "function", "function": {}}]',
                '[{"type": "function", "function": {"name": 1}}]', '[{"type": "function", "function": {"name": "a", "odd": 1}}]'],
)  # fmt: skip
async def test_a_file_without_tools_is_named(cli: Cli, gateway: FakeGateway, tmp_path: Path, content: str) -> None:
    path = tmp_path / "工具.json"
    path.write_text(content)
    done = await cli("chat", "--once", "问", "--tools", str(path))
    assert done.exit_code == 2 and "工具.json" in done.stderr and not gateway.asked


async def test_a_named_token_is_the_one_that_is_shown(cli: Cli, gateway: FakeGateway, certs: Path) -> None:
    await cli("chat", "--once", "问", token=str(certs / "editor.jwt"))
    assert gateway.headers[0]["authorization"] == "Bearer " + (certs / "editor.jwt").read_text()


@pytest.mark.parametrize("arguments", [(), ("--once", "-")])
async def test_a_pipe_is_one_question(cli: Cli, gateway: FakeGateway, arguments: tuple[str, ...]) -> None:
    done = await cli("chat", *arguments, stdin="第一行\n第二行\n")
    assert (done.exit_code, done.stdout) == (0, "你好，世界\n")
    assert gateway.asked[0].conversation.messages[0].content == "第一行\n第二行\n"


@pytest.mark.parametrize("stdin", ["", " \n", "问".encode("gbk"), b"x" * (1024 * 1024 + 1)])
async def test_what_is_no_question_is_said_before_anything_is_asked(cli: Cli, gateway: FakeGateway, stdin: str | bytes) -> None:
    done = await cli("chat", stdin=stdin)
    assert done.exit_code == 2 and not gateway.asked
    assert "the question" in done.stderr or "no question" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("content", ["{", '{"a": 1, "a": 2}', "\ufeff"])
async def test_a_schema_that_is_no_json_names_its_file(cli: Cli, gateway: FakeGateway, tmp_path: Path, content: str) -> None:
    (tmp_path / "模式.json").write_text(content)
    done = await cli("chat", "--once", "问", "--json-schema", str(tmp_path / "模式.json"))
    assert done.exit_code == 2 and "模式.json" in done.stderr and not gateway.asked


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [
        (errors.InvalidArgument("the prompt is too long", reason="PROMPT_TOO_LONG"), 2, "PROMPT_TOO_LONG"),
        (errors.NotFound("no such model", reason="MODEL_UNKNOWN"), 2, "MODEL_UNKNOWN"),
        (errors.PermissionDenied("the policy does not allow it", reason="POLICY_DENIED"), 2, "POLICY_DENIED"),
        (errors.QuotaExceeded("used up", reason="TOKENS_EXHAUSTED", retry_after_s=12.0), 3, "try again in 12 s"),
        (errors.Overloaded("full", reason="OVERLOADED", retry_after_s=1.0), 3, "OVERLOADED"),
    ],
)
@pytest.mark.parametrize("before", [0, 2])
async def test_a_failure_is_told_apart_from_the_answer(
    cli: Cli, gateway: FakeGateway, failure: errors.MeshError, status: int, words: str, before: int
) -> None:
    gateway.script = (*ANSWER[:before], failure)
    done = await cli("chat", "--once", "问")
    assert done.exit_code == status
    assert done.stdout == ("你好\n" if before else "")
    assert words in done.stderr and "Traceback" not in done.stderr


async def test_an_answer_that_is_cut_off_or_survived_an_engine_says_so(cli: Cli, gateway: FakeGateway) -> None:
    cut_off = finished()
    cut_off.finished.reason = generation.FINISH_REASON_LENGTH
    gateway.script = (
        admitted(),
        delta("从前"),
        router.GenerateResponse(continued=router.Continued(reason="ENGINE_DIED")),
        delta("有座山"),
        cut_off,
    )
    done = await cli("chat", "--once", "讲个故事", language="zh")
    assert (done.exit_code, done.stdout) == (0, "从前有座山\n")
    assert done.stderr.splitlines() == ["回答已达长度上限，被截断", "已换引擎继续：ENGINE_DIED"]


async def test_a_standby_that_answers_says_so(cli: Cli, gateway: FakeGateway) -> None:
    other = router.Substituted(model="qwen", release="cd", prompt_tokens=14, reason="NO_WORKER", generation_id="g-2")
    ended = router.Ended(provenance=router.Provenance(standby_for="smollm2"))
    gateway.script = (ANSWER[0], router.GenerateResponse(substituted=other), *ANSWER[1:-1], router.GenerateResponse(ended=ended))
    done = await cli("chat", "--once", "问", "--usage", language="zh")
    assert done.stderr.splitlines() == ["由备用模型 qwen 作答：NO_WORKER"]
    assert "qwen  cd" in done.stdout and "smollm2" in done.stdout and "g-2" in done.stdout and "g-1" not in done.stdout
    assert not gateway.asked[0].forbids_standby
    await cli("chat", "--once", "问", "--no-standby")
    assert gateway.asked[1].forbids_standby


async def test_usage_and_audit_records_are_shown_when_they_are_asked_for(cli: Cli, gateway: FakeGateway) -> None:
    ended = router.Ended(
        usage=generation.UsageFacts(prompt_tokens=12, cached_tokens=8, output_tokens=3),
        provenance=router.Provenance(prefill_worker="prefill-0", decode_worker="decode-1", disaggregated=True, reason="ALWAYS"),
        started_record_id="rec-started",
        ended_record_id="rec-ended",
    )
    gateway.script = (*ANSWER[:-1], router.GenerateResponse(ended=ended))
    done = await cli("chat", "--once", "问", "--usage")
    for said in ("prompt 12 (found again: 8), answer 3", "prefill-0 -> decode-1  handed over [ALWAYS]", "g-1", "rec-started", "rec-ended"):
        assert said in done.stdout
    assert done.stdout.startswith("你好，世界\n")


async def test_an_answer_does_not_steer_the_terminal(cli: Cli, gateway: FakeGateway) -> None:
    gateway.script = (admitted(), delta("\x1b]0;骗\x07[bold]:smile:"), *ANSWER[3:])
    assert (await cli("chat", "--once", "问")).stdout == "\\x1b]0;骗\\x07[bold]:smile:\n"


class Screen:
    """A terminal with a `finmesh chat` on it."""

    def __init__(self, terminal: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._terminal = terminal
        self._seen, self._news = "", asyncio.Event()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        asyncio.get_running_loop().add_reader(terminal, self._read)

    def _read(self) -> None:
        try:
            self._seen += self._decoder.decode(os.read(self._terminal, 4096))
        except OSError:  # nobody has the other end any more
            asyncio.get_running_loop().remove_reader(self._terminal)
        self._news.set()

    def type(self, text: str) -> None:
        """Type a text; a line is typed when it ends."""
        os.write(self._terminal, text.encode())

    async def shows(self, text: str, within_s: float = 30) -> None:
        """Return when a text stands on the screen, behind what was looked for before."""
        async with asyncio.timeout(within_s):
            while text not in self._seen:
                self._news.clear()
                await self._news.wait()
        self._seen = self._seen.partition(text)[2]

    async def gives_up_what_is_typed(self) -> None:
        """Press Ctrl-C at the prompt. Python's readline misses a signal between writing the prompt and waiting for a key: then again."""
        async with asyncio.timeout(30):
            while True:
                self.process.send_signal(signal.SIGINT)
                try:
                    return await self.shows("> ", within_s=1)
                except TimeoutError:
                    continue

    def close(self) -> None:
        """Look no more."""
        asyncio.get_running_loop().remove_reader(self._terminal)
        os.close(self._terminal)


@asynccontextmanager
async def screen(address: str, certs: Path) -> AsyncIterator[Screen]:
    """Start a conversation."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FINMESH_", "LC_", "LANG", "PYTHON"))}
    command = [sys.executable, "-m", "finmesh_cli", "--gateway", address, "--certs", str(certs), "--language", "en", "chat"]
    environment = kept | {"LC_ALL": "C.UTF-8", "TERM": "dumb", "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(*command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    here = Screen(ours, process)
    try:
        yield here
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        here.close()


async def test_ctrl_c_ends_the_answer_and_not_the_conversation(address: str, gateway: FakeGateway, certs: Path) -> None:
    gateway.script = (admitted(), delta("一百零一，一百零二"), forever)
    async with screen(address, certs) as here:
        await here.shows("Ctrl-C stops an answer")
        await here.shows("> ")
        here.type("数到一千\n")
        await here.shows("一百零一，一百零二")
        here.process.send_signal(signal.SIGINT)
        await here.shows("stopped")
        await gateway.left.wait()
        gateway.script = ANSWER
        await here.shows("> ")
        await here.gives_up_what_is_typed()
        here.type('"""\n继续\n谢谢\n"""\n')
        await here.shows("你好，世界")
        await here.shows("> ")
        gateway.script = (errors.Overloaded("full", reason="OVERLOADED"),)
        here.type("再来\n")
        await here.shows("OVERLOADED")
        await here.shows("> ")
        here.type("/usage\n")
        await here.shows("model")
        here.type("/new\n")
        await here.shows("a new conversation")
        gateway.script = ANSWER
        here.type("新的\n")
        await here.shows("你好，世界")
        here.type("/bye\n")
        assert await here.process.wait() == 0
    turns = [[(turn.role, turn.content) for turn in asked.conversation.messages] for asked in gateway.asked]
    first = [("user", "数到一千"), ("assistant", "一百零一，一百零二")]
    second = [*first, ("user", "继续\n谢谢"), ("assistant", "你好，世界")]
    assert turns == [first[:1], second[:3], [*second, ("user", "再来")], [("user", "新的")]]


@pytest.mark.parametrize(("redirection", "status"), [("<&- >/dev/null", 2), ("< /dev/null", 2), ("< 问题 > 回答", 0)])
async def test_streams_that_are_no_terminal(
    address: str, gateway: FakeGateway, certs: Path, tmp_path: Path, redirection: str, status: int
) -> None:
    (tmp_path / "问题").write_text("什么是洗钱？")
    line = f"{sys.executable} -m finmesh_cli --gateway {address} --certs {certs} --language en chat {redirection}"
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    process = await asyncio.create_subprocess_shell(line, cwd=tmp_path, env=environment, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == status, said
    assert b"Traceback" not in said
    if status == 0:
        assert (tmp_path / "回答").read_text() == "你好，世界\n"
    else:
        assert b"no question" in said and not gateway.asked


async def test_the_end_of_the_input_ends_the_conversation(address: str, gateway: FakeGateway, certs: Path) -> None:
    async with screen(address, certs) as here:
        await here.shows("> ")
        here.type("\x04")
        assert await here.process.wait() == 0
    assert not gateway.asked
