"""`finmesh kb search|ask|passage|compare|clauses`: for those who read documents."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated

import typer
from finmesh.rag.v1 import rag_service_pb2 as rag

from finmesh_cli import show
from finmesh_cli.gateway import connect
from finmesh_cli.knowledge.desk import READER, call, desk, graded, passages, stamp, table, warned

Question = Annotated[str, typer.Argument(help="what is asked")]
Within = Annotated[list[str] | None, typer.Option("--document", help="narrows to documents, by id or exact title")]
Grade = Annotated[int, typer.Option(min=1, max=5, help="grade of the question's data")]
ValidAt = Annotated[str, typer.Option(help="the wording in force then")]
Known = Annotated[int, typer.Option("--known-at", min=0, help="what was known at this sequence; 0: now")]


def search(
    context: typer.Context, question: Question, document: Within = None, grade: Grade = 2, valid_at: ValidAt = "", known: Known = 0,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 10, explain: Annotated[bool, typer.Option("--explain")] = False,
    expand: Annotated[int, typer.Option(min=0, max=10, help="adds what stands beside so many of the best")] = 0,
) -> None:  # fmt: skip
    """Show the passages that fit best."""
    request = rag.SearchRequest(
        question=question, grade=graded(grade), scope=rag.Scope(documents=document or []), limit=limit, explain=explain,
        expand=expand, as_of=rag.AsOf(valid_at=stamp(valid_at, "--valid-at"), known_at_sequence=known),
    )  # fmt: skip
    found = call(desk(context, READER), request)
    passages(found.passages)
    for rank, why in enumerate(found.explanations, 1):
        said = f"{rank}: lexical {why.lexical_rank or '-'}, dense {why.dense_rank or '-'}, {', '.join((*why.scope, *why.expanded)) or '-'}"
        show.console().print(show.plain(said), style="dim", markup=False)
    for degradation in found.degradations:
        show.console().print(degradation, style="yellow", markup=False)


def ask(
    context: typer.Context, question: Question, document: Within = None, grade: Grade = 2, valid_at: ValidAt = "", known: Known = 0,
    conversation: Annotated[str, typer.Option(help="goes on with a conversation of your own")] = "",
) -> None:  # fmt: skip
    """Answer a question with citations, or say that the documents do not."""
    chosen = desk(context, READER)
    request = rag.AskRequest(
        tenant=chosen.tenant(), question=question, grade=graded(grade), scope=rag.Scope(documents=document or []),
        as_of=rag.AsOf(valid_at=stamp(valid_at, "--valid-at"), known_at_sequence=known), conversation_id=conversation,
    )  # fmt: skip
    out = show.console()

    async def run() -> None:
        async with connect(chosen) as gateway, aclosing(gateway.ask(request)) as parts:
            async for part in parts:
                if part.HasField("sentence"):
                    out.print(show.plain(part.sentence.text), markup=False)
                    for cited in part.sentence.citations:
                        out.print(show.plain(f"    {cited.url}  {cited.cell}".rstrip()), style="dim", markup=False)
                elif part.HasField("end"):
                    _end(part.end)

    def _end(end: rag.AnswerEnd) -> None:
        if not end.answered:
            out.print(show.plain(end.message), style="yellow", markup=False)
        warned(end.warnings)
        out.print(f"{end.answerer}  audit record {end.audit_record_id}", style="dim", markup=False)

    asyncio.run(run())


def passage(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="id of the passage, or its finmesh:// address")],
    neighbours: Annotated[int, typer.Option(min=0, max=10)] = 0,
) -> None:
    """Show what a citation leads to."""
    found = call(desk(context, READER), rag.GetPassageRequest(passage_id=name, neighbours=neighbours))
    passages([found.passage, *found.neighbours])


def compare(
    context: typer.Context,
    left: Annotated[str, typer.Argument(help="document by id or exact title")],
    right: Annotated[str, typer.Argument(help="the other, or the same")],
    left_version: Annotated[int, typer.Option(min=0)] = 0,
    right_version: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Compare two versions of a document, or two documents, clause by clause."""
    before, after = rag.Side(document=left, source_version=left_version), rag.Side(document=right, source_version=right_version)
    found = call(desk(context, READER), rag.CompareRequest(left=before, right=after))
    kinds = rag.DifferenceKind.DESCRIPTOR.values_by_number
    rows = [
        (
            kinds[each.kind].name.removeprefix("DIFFERENCE_KIND_"),
            each.left.number or each.right.number,
            each.left.text,
            each.right.text,
            "; ".join(each.values),
        )
        for each in found.differences
    ]
    table(("what", "clause", "left", "right", "values"), rows)
    show.console().print(f"{found.equal} equal", markup=False)


class Clauses(StrEnum):
    """Kinds of clauses."""

    EXCLUSIONS = "exclusions"
    COVERAGE = "coverage"
    DEFINITIONS = "definitions"
    HEADING = "heading"


_KINDS = {
    Clauses.EXCLUSIONS: rag.CLAUSE_KIND_EXCLUSION,
    Clauses.COVERAGE: rag.CLAUSE_KIND_COVERAGE,
    Clauses.DEFINITIONS: rag.CLAUSE_KIND_DEFINITION,
    Clauses.HEADING: rag.CLAUSE_KIND_HEADING,
}


def clauses(
    context: typer.Context,
    document: Annotated[str, typer.Argument(help="document by id or exact title")],
    kind: Annotated[Clauses, typer.Option(help="which")] = Clauses.EXCLUSIONS,
    heading: Annotated[str, typer.Option(help="words of the heading, for `heading`")] = "",
) -> None:
    """List every clause of a kind."""
    found = call(desk(context, READER), rag.ListClausesRequest(document=document, kind=_KINDS[kind], heading=heading))
    table(
        ("clause", "text", "endorsed by", "replaced by"),
        [(c.number, c.text, c.endorsement_document_id, c.replaced_by) for c in found.clauses],
    )
    warned(found.warnings)


COMMANDS = (search, ask, passage, compare, clauses)
