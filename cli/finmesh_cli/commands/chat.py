"""`finmesh chat`: a conversation with a model, streamed. Standard output is the answer alone; remarks go to standard error.

Ctrl-C ends an answer: what was said of it stays part of the conversation. The exit status is that of the one question (`--once`, or a
pipe); a conversation goes on after an error.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer
from finmesh.common.v1 import grade_pb2
from finmesh.inference.v1 import generation_pb2
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_client import GatewayClient
from meshkit.errors import InvalidDocument
from meshkit.strict_json import parse_json
from rich.console import Console

from finmesh_cli import files, prompt, settings, show, words
from finmesh_cli import tools as tool_files
from finmesh_cli.conversation import Answer, Conversation
from finmesh_cli.failures import UsageError, exit_code, report
from finmesh_cli.gateway import connect
from finmesh_cli.settings import Language, Settings

_MAX_QUESTION_BYTES = 1024 * 1024
_MAX_SCHEMA_BYTES = 256 * 1024
_HELP = (
    "Ctrl-C stops an answer, Ctrl-D or /bye ends",
    "/new forgets, /usage explains the last answer, /help says this again",
    'several lines: \\ at the end of each but the last, or """ before and after',
)


def chat(
    context: typer.Context,
    once: Annotated[str | None, typer.Option(help="ask this alone; `-` reads standard input")] = None,
    model: Annotated[str, typer.Option(help="name of the model; the scenario's first unless given")] = "",
    system: Annotated[str, typer.Option(help="what the model is told before the conversation")] = "",
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 takes the most probable token every time")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="of the most probable tokens, so much probability; 0 all")] = 0.0,
    seed: Annotated[int | None, typer.Option(min=0, max=2**64 - 1, help="of the draws; drawn and recorded unless given")] = None,
    max_tokens: Annotated[int, typer.Option(min=0, max=2**31, help="of one answer; 0 the scenario's default")] = 0,
    json_schema: Annotated[Path | None, typer.Option(help="file of a JSON Schema that every answer must fit")] = None,
    tools: Annotated[Path | None, typer.Option(help="file of tools that may be called, as OpenAI's API writes them")] = None,
    scenario: Annotated[str, typer.Option(help="business scenario")] = "",
    grade: Annotated[int, typer.Option(min=1, max=5, help="highest grade of the data that is typed: 2 internal, 3 personal")] = 2,
    standby: Annotated[bool, typer.Option(help="whether an equivalent model may answer when this one can't")] = True,
    usage: Annotated[bool, typer.Option("--usage", help="say at the end what it used and which audit records prove it")] = False,
) -> None:
    """Talk to a model. Ctrl-C ends the answer, Ctrl-D the program."""
    chosen = settings.of(context).at_desk("assistant.jwt")
    asked = router.GenerateRequest(
        tenant=chosen.tenant(), scenario=scenario, model=model, grade=grade_pb2.DataGrade.Name(grade), max_output_tokens=max_tokens,
        sampling=generation_pb2.Sampling(temperature=temperature, top_p=top_p, seed=seed or 0, choices=1), seed_set=seed is not None,
        forbids_standby=not standby,
    )  # fmt: skip
    if json_schema is not None:
        asked.grammar.json_schema = _schema(json_schema)
    if tools is not None:
        asked.tools.extend(tool_files.read(tools))
        asked.parallel_tool_calls = True
    talk = _Talk(chosen, Conversation(asked, system), usage)
    if once is None and prompt.is_terminal():
        talk.on()
    else:
        talk.once(files.piped("question", _MAX_QUESTION_BYTES) if once in (None, "-") else once or "")


class _Talk:
    """Questions and answers on this terminal."""

    def __init__(self, chosen: Settings, conversation: Conversation, usage: bool) -> None:
        self._chosen, self._conversation, self._usage = chosen, conversation, usage
        self._out, self._remarks = show.console(), Console(stderr=True, highlight=False, soft_wrap=True)

    @property
    def _language(self) -> Language:
        return self._chosen.language

    def once(self, question: str) -> None:
        """Ask one question. Raises typed errors."""
        if not question.strip():
            raise UsageError("there is no question")

        async def run() -> None:
            async with connect(self._chosen) as gateway:
                await self._ask(gateway, question, Answer())

        asyncio.run(run())

    def on(self) -> None:
        """Ask until the input ends. One event loop for all, so that one connection serves all."""
        prompt.edit_lines()
        self._help()
        with asyncio.Runner() as runner:
            gateway = runner.run(self._connected())
            try:
                while self._turn(runner, gateway):
                    pass
            finally:
                runner.run(gateway.__aexit__())

    async def _connected(self) -> GatewayClient:
        return connect(self._chosen)

    def _turn(self, runner: asyncio.Runner, gateway: GatewayClient) -> bool:
        """One question and its answer. False at the end."""
        try:
            question = prompt.question()
        except KeyboardInterrupt:  # what was typed is dropped
            self._out.print()
            return True
        except UnicodeDecodeError:
            report(UsageError("that is not text in the encoding of this terminal"))
            return True
        if question in (None, "/bye"):
            return False
        if question == "/new":
            self._conversation.forget()
            self._remark("a new conversation")
        elif question == "/help":
            self._help()
        elif question == "/usage":
            self._explain()
        elif question:
            answer = Answer()
            try:
                runner.run(self._ask(gateway, question, answer))
            except KeyboardInterrupt:
                self._remark("stopped")
            except Exception as error:
                if exit_code(error) is None:
                    raise
                report(error)
        return True

    async def _ask(self, gateway: GatewayClient, question: str, answer: Answer) -> None:
        try:
            async with aclosing(gateway.generate(self._conversation.request(question))) as parts, aclosing(answer.pieces(parts)) as pieces:
                async for piece in pieces:
                    self._out.print(show.plain(piece), end="", markup=False, emoji=False)
        finally:
            self._conversation.answered(question, answer)
            if answer.calls or (answer.text and not answer.text.endswith("\n")):
                self._out.print()
        if (other := answer.substituted) is not None:
            self._remark("{model} answers instead: {reason}", model=other.model, reason=other.reason)
        if answer.cut_off:
            self._remark("the answer was cut off at its greatest length")
        for reason in answer.continued:
            self._remark("goes on with another engine: {reason}", reason=reason)
        if self._usage:
            self._explain()

    def _help(self) -> None:
        for text in _HELP:
            self._remark(text)

    def _explain(self) -> None:
        if self._conversation.last is None:
            self._remark("nothing was answered yet")
        else:
            self._conversation.last.explain(self._out, self._language)

    def _remark(self, text: str, **values: str) -> None:
        self._remarks.print(words.say(text, self._language).format(**values), style="dim", markup=False)


def _schema(path: Path) -> str:
    text = files.text(path, _MAX_SCHEMA_BYTES)
    try:
        parse_json(text.encode())
    except InvalidDocument as error:
        raise UsageError(f"{path}: {error}") from None
    return text
