"""`finmesh otc`: what clients of the OTC desk write, read into the fields of an inquiry; a table for each text.

A text that is refused is told on standard error and the next one is read; the exit status says at the end that there was one. With
``--conversation`` the texts are turns of one client, and the second column says what is agreed on so far.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from finmesh.common.v1 import grade_pb2
from finmesh.otc.v1 import otc_service_pb2 as pb
from finmesh_client import GatewayClient
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from meshkit.errors import InvalidArgument
from rich import box
from rich.table import Table
from translog.errors import ExitCode

from finmesh_cli import files, prompt, settings, show, words
from finmesh_cli.failures import UsageError, report
from finmesh_cli.gateway import connect
from finmesh_cli.settings import Language, Settings

_MAX_BYTES = 1024 * 1024
_DESK = ("desk.jwt", "otc-sales")
_FIELDS: tuple[FieldDescriptor, ...] = tuple(pb.Inquiry.DESCRIPTOR.fields)  # type: ignore[arg-type]


def otc(
    context: typer.Context,
    texts: Annotated[
        list[str] | None, typer.Argument(help="what a client wrote, one text each; the lines of standard input if none")
    ] = None,
    conversation: Annotated[bool, typer.Option("--conversation", help="the texts are turns of one client")] = False,
    grade: Annotated[int, typer.Option(min=1, max=5, help="grade of the texts: 3 personal")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON line for each text")] = False,
) -> None:
    """Read inquiries of the OTC desk."""
    chosen = settings.of(context).at_desk(*_DESK)
    is_typed = not texts and prompt.is_terminal()
    given = _typed(chosen.language) if is_typed else iter(texts or _lines())
    reader = _Reader(chosen, grade, conversation or is_typed, as_json)
    with asyncio.Runner() as runner:
        gateway = runner.run(_connected(chosen))
        try:
            for text in given:
                runner.run(reader.read(gateway, text))
        finally:
            runner.run(gateway.__aexit__())
    if reader.refused:
        raise typer.Exit(ExitCode.USAGE)


def _lines() -> Sequence[str]:
    """Return the lines of standard input that are not empty. Raises UsageError when there is none."""
    found = [line for line in files.piped("text", _MAX_BYTES).splitlines() if line.strip()]
    if not found:
        raise UsageError("there is no text")
    return found


def _typed(language: Language) -> Iterator[str]:
    prompt.edit_lines()
    show.console().print(words.say("Ctrl-D ends", language), style="dim", markup=False)
    while (text := prompt.question()) is not None:
        if text:
            yield text


async def _connected(chosen: Settings) -> GatewayClient:
    return connect(chosen)


class _Reader:
    """Reads texts one by one. ``refused``: how many could not be read."""

    def __init__(self, chosen: Settings, grade: int, is_conversation: bool, as_json: bool) -> None:
        self._chosen, self._grade, self._is_conversation, self._as_json = chosen, grade, is_conversation, as_json
        self._last: pb.Inquiry | None = None
        self._out = show.console()
        self.refused = 0

    async def read(self, gateway: GatewayClient, text: str) -> None:
        """Ask and show. Raises typed errors that are not about the text."""
        last = self._last if self._is_conversation else None
        asked = pb.ParseOtcInquiryRequest(
            tenant=self._chosen.tenant(), grade=grade_pb2.DataGrade.Name(self._grade), text=text, last_terms=last
        )
        try:
            found = await gateway.parse_otc_inquiry(asked)
        except InvalidArgument as error:
            self.refused += 1
            report(error)
            if self._as_json:
                self._line({"error": {"reason": error.reason, "message": error.message}})
            return
        self._last = found.terms
        if self._as_json:
            self._line(json_format.MessageToDict(found, preserving_proto_field_name=True))
        else:
            self._show(text, found)

    def _line(self, document: dict[str, Any]) -> None:
        self._out.print(json.dumps(document, ensure_ascii=False), markup=False)

    def _show(self, text: str, found: pb.ParseOtcInquiryResponse) -> None:
        language = self._chosen.language
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for column in ("field", "text", *(["agreed"] if self._is_conversation else [])):
            table.add_column(words.say(column, language), no_wrap=True)
        for field in _FIELDS:
            said, agreed = _value(found.inquiry, field, language), _value(found.terms, field, language)
            if said or (agreed and self._is_conversation):
                table.add_row(words.say(field.name, language), said, *([agreed] if self._is_conversation else []))
        self._out.print(show.plain(text), style="bold", markup=False)
        show.whole(self._out, table)
        show.line(self._out, "confidence", f"{found.confidence:.4f}  {found.model}", language)
        for each in found.unresolved:
            show.line(
                self._out, "unresolved", show.plain(" ".join(filter(None, (each.reason, each.field, each.words)))), language, "yellow"
            )
        if found.needs_confirmation:
            self._out.print(words.say("a person should look at it", language), style="yellow", markup=False)


def _value(inquiry: pb.Inquiry, field: Any, language: Language) -> str:
    """Return what a field states as a person reads it; empty when it states nothing."""
    value = getattr(inquiry, field.name)
    if field.enum_type is not None:
        names = field.enum_type.values_by_number
        prefix = names[0].name.removesuffix("UNSPECIFIED")
        return words.say(names[value].name.removeprefix(prefix).lower(), language) if value in names and value else str(value or "")
    if not inquiry.HasField(field.name):
        return ""
    return show.plain(value) if isinstance(value, str) else f"{value:,.6f}".rstrip("0").rstrip(".")
