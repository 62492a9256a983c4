"""A clerk who may read some documents asks all the time, also for what they may not read; every word they are ever shown is looked at."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from finmesh.common.v1 import grade_pb2
from finmesh.rag.v1 import rag_service_pb2 as rag
from meshkit.errors import MeshError, NotFound

from drills.faults_rag.doors import AWAY, CLERK, Door, whole
from drills.faults_rag.intake import Intake
from drills.faults_rag.plan import Handed, Plan, words_in
from drills.faults_rag.words import paragraph

READERS = 2
PAUSE_S = 0.1
_GENERAL = ("等待期是多少天？", "提前还款要交违约金吗？", "How soon is a complaint answered?", "What was the net premium income of 2025?")
_PIPELINES = (rag.PIPELINE_FUSED, rag.PIPELINE_UNSCOPED, rag.PIPELINE_LEXICAL, rag.PIPELINE_DENSE)


@dataclass
class Shown:
    """What came of asking. ``records``: audit records that answers named; ``leaks``: sentences, one for each response that leaked."""

    asked: int = 0
    answered: int = 0
    away: Counter[str] = field(default_factory=Counter)
    records: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


class Readers:
    """Ask until they are cancelled."""

    def __init__(self, door: Door, plan: Plan, intake: Intake, seed: str) -> None:
        self._door, self._plan, self._intake = door, plan, intake
        self._rng = random.Random(f"{seed} readers")
        self._handed = list(plan.handed.values())
        self._versions = {word: each.place for each in self._handed for word in words_in(each.content) - plan.secret}
        self.shown = Shown()

    async def run(self) -> None:
        """Ask for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(READERS):
                group.create_task(self._reader())

    async def _reader(self) -> None:
        while True:
            await self.next()
            await asyncio.sleep(PAUSE_S)

    async def next(self) -> None:
        """The next request."""
        await self.once(*_drawn(self._rng, self._rng.choice(self._handed)))

    async def once(self, name: str, request: Any) -> None:
        """One request, and a look at everything that it shows."""
        began_s = time.monotonic()
        self.shown.asked += 1
        try:
            responses = await whole(self._door.ask(CLERK, request)) if name == "Ask" else [await self._door.call(name, CLERK, request)]
        except MeshError as error:
            told = words_in(f"{error.reason} {error} {error.metadata}".encode()) - words_in(request.SerializeToString())
            self._look(name, told, began_s)
            if isinstance(error, AWAY):
                self.shown.away[error.reason] += 1
            elif not isinstance(error, NotFound):
                self.shown.findings.append(f"{name} ended with {error.reason}")
            return
        self.shown.answered += 1
        for response in responses:
            if name == "Ask" and request.HasField("scope") and response.HasField("retrieved"):
                response.retrieved.ClearField("scope")  # the caller's own words
            self._look(name, words_in(response.SerializeToString()), began_s)
            if name == "Ask" and response.end.audit_record_id:
                self.shown.records.append(response.end.audit_record_id)

    def _look(self, name: str, words: frozenset[bytes], began_s: float) -> None:
        for word in sorted(words):
            if word in self._plan.forbidden:
                self.shown.leaks.append(f"{name} showed {word.decode()}, which is not for the clerk")
            elif (place := self._versions.get(word)) is not None:
                upto, hidden_s = self._intake.hidden_s.get(place[:2], (0, 0.0))
                if place[2] <= upto and hidden_s < began_s:
                    self.shown.leaks.append(f"{name} showed {word.decode()} after it was withdrawn")


def _drawn(rng: random.Random, about: Handed) -> tuple[str, Any]:
    """A request, as likely as not about something that may not be read."""
    tenant, document, version = CLERK.tenant, about.description.document_id, about.description.source_version
    scope = rag.Scope(documents=[rng.choice((document, about.description.title))])
    question = rng.choice((about.question or paragraph(rng, 1), about.description.title, paragraph(rng, 1), *_GENERAL))
    match rng.choice(("word", "word", "general", "scoped", "ask", "ask scoped", "passage", "document", "documents", "clauses")):
        case "word" | "general":
            pipeline, explain = rng.choice(_PIPELINES), rng.random() < 0.5
            return "Search", rag.SearchRequest(
                tenant=tenant,
                question=question,
                pipeline=pipeline,
                explain=explain,
                limit=rng.choice((5, 20, 100)),
                grade=grade_pb2.DATA_GRADE_L2,
            )
        case "scoped":
            return "Search", rag.SearchRequest(tenant=tenant, question=question, scope=scope, grade=grade_pb2.DATA_GRADE_L2)
        case "ask":
            return "Ask", rag.AskRequest(tenant=tenant, question=question, grade=grade_pb2.DATA_GRADE_L2)
        case "ask scoped":
            return "Ask", rag.AskRequest(tenant=tenant, question=question, scope=scope, grade=grade_pb2.DATA_GRADE_L2)
        case "passage":
            passage = f"{document}@{version}#{rng.randint(0, 3)}"
            return "GetPassage", rag.GetPassageRequest(tenant=tenant, passage_id=passage, neighbours=rng.choice((0, 3)))
        case "document":
            return "GetDocument", rag.GetDocumentRequest(tenant=tenant, document_id=document)
        case "documents":
            return "ListDocuments", rag.ListDocumentsRequest(tenant=tenant, page_size=200)
    return "ListClauses", rag.ListClausesRequest(tenant=tenant, document=document, kind=rag.CLAUSE_KIND_HEADING, heading="条")
