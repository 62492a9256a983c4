"""`finmesh kb grant|unanswered|reads`: who may read, what found no answer, who read what."""

from __future__ import annotations

from typing import Annotated

import typer
from finmesh.rag.v1 import rag_service_pb2 as rag

from finmesh_cli import show
from finmesh_cli.knowledge.desk import CURATOR, OPERATOR, call, desk, graded, stamp, table

Since = Annotated[str, typer.Option(help="from then on")]
Limit = Annotated[int, typer.Option(min=1, max=1000)]


def grant(
    context: typer.Context,
    principal: Annotated[str, typer.Argument(help="subject of their token")],
    clearance: Annotated[int, typer.Option(min=1, max=4, help="up to which grade; their token's holds as well")] = 1,
    group: Annotated[list[str] | None, typer.Option(help="groups, all of them")] = None,
    barrier: Annotated[list[str] | None, typer.Option(help="information barriers, all of them")] = None,
) -> None:
    """Grant rights to read; what was granted before is replaced."""
    request = rag.SetGrantRequest(principal=principal, clearance=graded(clearance), groups=group or [], barriers=barrier or [])
    found = call(desk(context, OPERATOR), request)
    show.console().print(f"holds from now on, sequence {found.sequence}", markup=False)


def unanswered(context: typer.Context, since: Since = "", limit: Limit = 100) -> None:
    """List questions that found no answer, the newest first, identifiers masked."""
    found = call(desk(context, CURATOR), rag.ListUnansweredRequest(since=stamp(since, "--since"), limit=limit))
    rows = [(show.moment(each.last_asked_at), str(each.count), each.refusal, each.question) for each in found.unanswered]
    table(("last asked", "times", "why", "question"), rows)


def reads(
    context: typer.Context,
    document: Annotated[str, typer.Option(help="of this document alone")] = "",
    principal: Annotated[str, typer.Option(help="by this principal alone")] = "",
    since: Since = "",
    limit: Limit = 100,
) -> None:
    """List who read what, the newest first."""
    request = rag.ListReadsRequest(document_id=document, principal=principal, since=stamp(since, "--since"), limit=limit)
    found = call(desk(context, CURATOR), request)
    rows = [(show.moment(r.read_at), r.principal, r.purpose, " ".join(r.passage_ids), r.audit_record_id) for r in found.reads]
    table(("when", "who", "what for", "passages", "audit record"), rows)


COMMANDS = (grant, unanswered, reads)
