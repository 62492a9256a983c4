"""A small corpus handed in through the gateway and asked about: answers with citations, and one who may not read what they ask for.

Whoever lacks the clearance gets what anyone gets for a document that is not there; the audit record tells the two apart.
"""

import asyncio
import datetime as dt
import io
import time
from contextlib import aclosing
from dataclasses import dataclass, field

from finmesh.common.v1 import grade_pb2
from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import rag_service_pb2 as rag
from finmesh_cli import proofs
from finmesh_cli.knowledge.upload import hand_in
from finmesh_client import GatewayClient
from meshkit.errors import MeshError, NotFound
from meshkit.telemetry.context import attached, new_root
from rich.console import Console

from drills.bankday.site import Site
from drills.corpus.samples import QUESTIONS, Question, Sample, samples

TENANT, READER = "bank-a", "claims-desk"
FORBIDDEN = "授信集中度管理办法"
NOWHERE = "并不存在的管理办法"
_READ_S, _LOOK_S, _ANSWER_S, _LOGGED_S = 120.0, 0.3, 30.0, 20.0
_FORBIDDEN_GRADE = "L3"


@dataclass
class Knowledge:
    """What came of it. ``findings``: what was not as it must be."""

    documents: int = 0
    read_s: float = 0.0
    answered: int = 0
    asked: int = 0
    alike: bool = False
    told_apart: bool = False
    trace_id: str = ""
    findings: list[str] = field(default_factory=list)


async def learn(site: Site, console: Console) -> Knowledge:
    """Hand the corpus in, wait until it can be found, ask. Raises nothing of the mesh: what fails is a finding."""
    held = Knowledge()
    console.print("\n[bold]knowledge[/]")
    try:
        async with site.curator() as curator, site.operator() as operator, site.reader() as reader:
            await operator.knowledge(rag.SetGrantRequest(tenant=TENANT, principal=READER, clearance=grade_pb2.DATA_GRADE_L2))
            sequence = await _handed_in(curator, operator, held)
            console.print(f"  {held.documents} versions of documents can be found after {held.read_s:.1f} s", highlight=False)
            for question in QUESTIONS:
                if question.grade != _FORBIDDEN_GRADE:
                    await _ask(reader, question, sequence, held, console)
            await _ask_for_what_is_not_for_them(site, reader, sequence, held, console)
    except MeshError as error:
        held.findings.append(f"knowledge failed: {error.reason} {error}")
    return held


async def _handed_in(curator: GatewayClient, operator: GatewayClient, held: Knowledge) -> int:
    began_s = time.monotonic()
    for sample in await asyncio.to_thread(samples):
        await _upload(curator, sample)
        held.documents += 1
    async with asyncio.timeout(_READ_S):
        while True:
            status = await operator.knowledge(rag.GetStatusRequest(tenant=TENANT))
            if not status.waiting and status.searchable_sequence >= status.sequence > 0:
                break
            await asyncio.sleep(_LOOK_S)
    held.read_s = time.monotonic() - began_s
    if failed := {state: count for state, count in status.versions.items() if state not in ("VISIBLE", "PARTIAL")}:
        held.findings.append(f"documents that could not be read: {failed}")
    return int(status.sequence)


async def _upload(curator: GatewayClient, sample: Sample) -> None:
    described = documents.DocumentDescription(
        document_id=sample.source,
        source_version=sample.version,
        title=sample.title,
        file_name=sample.name,
        media_type=sample.media_type,
        access=documents.Access(grade=f"DATA_GRADE_{sample.grade}"),
    )
    if sample.valid_from:
        described.valid_from.FromDatetime(dt.datetime.fromisoformat(sample.valid_from))
    await hand_in(curator, TENANT, io.BytesIO(sample.content), described, lambda *_: None)


async def _ask(reader: GatewayClient, question: Question, sequence: int, held: Knowledge, console: Console) -> None:
    held.asked += 1
    context = new_root(sampled=True)
    began_s = time.monotonic()
    with attached(context):
        sentences, end = await _answer(reader, rag.AskRequest(tenant=TENANT, question=question.text, min_sequence=sequence))
    took_ms = (time.monotonic() - began_s) * 1e3
    held.trace_id = f"{context.trace_id:032x}"
    console.print(f"  {question.text}  {took_ms:.0f} ms", highlight=False, markup=False, soft_wrap=True)
    if not end.answered:
        console.print(f"    {end.message}", style="yellow", highlight=False, markup=False)
        return
    held.answered += 1
    for sentence in sentences:
        cited = ", ".join(map(_cited, sentence.citations))
        console.print(f"    {sentence.text.strip()}", highlight=False, markup=False, soft_wrap=True)
        console.print(f"      {cited}", style="dim", highlight=False, markup=False, soft_wrap=True)


def _cited(citation: rag.Citation) -> str:
    page = f" p.{citation.page}" if citation.page else ""
    return f"{citation.passage_id}{page} [{citation.start}:{citation.end}]"


async def _answer(reader: GatewayClient, asked: rag.AskRequest) -> tuple[list[rag.Sentence], rag.AnswerEnd]:
    asked.grade = grade_pb2.DATA_GRADE_L2
    sentences: list[rag.Sentence] = []
    end = rag.AnswerEnd()
    async with aclosing(reader.ask(asked, _ANSWER_S)) as parts:
        async for part in parts:
            if part.HasField("sentence"):
                sentences.append(part.sentence)
            elif part.HasField("end"):
                end = part.end
    return sentences, end


async def _ask_for_what_is_not_for_them(site: Site, reader: GatewayClient, sequence: int, held: Knowledge, console: Console) -> None:
    """The same question in the scope of what is forbidden and of what is not there: the same words, whatever is asked."""
    question = "单户授信集中度上限是多少？"
    answers: list[tuple[object, ...]] = []
    records: list[str] = []
    for title in (FORBIDDEN, NOWHERE):
        asked = rag.AskRequest(tenant=TENANT, question=question, scope=rag.Scope(documents=[title]), min_sequence=sequence)
        sentences, end = await _answer(reader, asked)
        answers.append((len(sentences), end.answered, end.refusal, end.message))
        records.append(end.audit_record_id)
        try:
            await reader.knowledge(rag.GetDocumentRequest(tenant=TENANT, document_id="credit-policy" if title == FORBIDDEN else "no-such"))
            answers.append(("there",))
        except NotFound as error:
            answers.append((error.reason, str(error)))
    held.alike = answers[:2] == answers[2:] and not answers[0][1]
    asked_in = f"in {FORBIDDEN}, which is not for this reader, and in {NOWHERE}"
    console.print(f"  {question}  {asked_in}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"    {answers[0][3]}" + ("  the same for both" if held.alike else ""), highlight=False, markup=False)
    if not held.alike:
        held.findings.append(f"what may not be read and what is not there were answered differently: {answers}")
    async with site.auditor() as auditor:
        named = [await _forbidden(auditor, record_id) for record_id in records]
    held.told_apart = named == [1, 0]
    console.print(f"    the audit log names {named[0]} forbidden document in the first record, {named[1]} in the second", highlight=False)
    if not held.told_apart:
        held.findings.append(f"the audit records name {named} forbidden documents, not 1 and 0")


async def _forbidden(auditor: GatewayClient, record_id: str) -> int:
    """How many documents a record names that were asked for and may not be read; -1 when it is not in the log in time."""
    until_s = time.monotonic() + _LOGGED_S
    while time.monotonic() < until_s:
        try:
            record = proofs.record_of((await auditor.get_inclusion_proof(TENANT, record_id)).leaf.body)
        except NotFound:
            await asyncio.sleep(_LOOK_S)
            continue
        return len(record.retrieval.forbidden_keys) if record is not None else -1
    return -1
