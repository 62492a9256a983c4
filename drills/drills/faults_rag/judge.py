"""Judges a round from outside, when everything has been handed in: by the door, by searches, by the event log and the audit log.

How a version stands is asked by handing it in again: that changes nothing and is answered with how it stands. A version that is taken for
a new one then had been lost.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from functools import partial

from finmesh.common.v1 import grade_pb2
from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import rag_service_pb2 as rag
from meshkit.config import KafkaSettings
from meshkit.errors import MeshError, Unavailable

from drills.faults_rag import logs
from drills.faults_rag.doors import CLERK, CURATORS, SEERS, Door, Person, until_done
from drills.faults_rag.plan import TENANT, Handed, Plan, words_in
from drills.faults_rag.verdict import Place, Stands, Tally, contradictions, counted, fits, is_to_be_found, unrecorded

LOOK_S = 0.3
TOLD_S = 60.0
DEEP = 50
_GENERAL = (
    "等待期内发生保险事故，本公司承担给付责任吗？", "安心守护终身寿险的等待期是多少天？", "贷款逾期怎么办？",
    "How many days before the term ends is notice given?", "What was the net premium income of 2025?",
)  # fmt: skip
_PIPELINES = (rag.PIPELINE_FUSED, rag.PIPELINE_UNSCOPED, rag.PIPELINE_LEXICAL, rag.PIPELINE_DENSE)
_OWN_WORDS = 8
Rankings = dict[tuple[str, int, str], tuple[str, ...]]


class Judge:
    """Of one mesh. ``enrolled``: versions that were handed in so far, by tenant, over all its rounds."""

    def __init__(self, door: Door, kafka: KafkaSettings, drain_s: float) -> None:
        self._door, self._kafka, self._drain_s = door, kafka, drain_s
        self.enrolled: dict[str, int] = dict.fromkeys(CURATORS, 0)

    async def caught_up(self, *, nothing_waits: bool = True) -> bool:
        """Wait until everything is enrolled, read and in both indexes; whether it came to that in time."""
        try:
            async with asyncio.timeout(self._drain_s):
                while True:
                    if all([await self._is_done(tenant, nothing_waits) for tenant in CURATORS]):
                        return True
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            return False

    async def _is_done(self, tenant: str, nothing_waits: bool) -> bool:
        status = await self._door.status(tenant)
        is_read = not nothing_waits or (not status.waiting and sum(status.versions.values()) >= self.enrolled[tenant])
        return is_read and status.sequence <= min(status.searchable_sequence, status.vector_sequence)

    async def waiting(self) -> int:
        """Versions that have come to no end."""
        return sum([(await self._door.status(tenant)).waiting for tenant in CURATORS])

    async def round(self, plan: Plan, refused: dict[Place, str], tally: Tally) -> dict[Place, Stands]:
        """Judge every version that was taken, by the door."""
        stood: dict[Place, Stands] = {}
        for place, handed in plan.handed.items():
            if place in refused:
                if not handed.is_poison:
                    tally.findings.append(f"{place} was refused: {refused[place]}")
                continue
            await self._judge(handed, plan, stood, tally)
        tally.ends = counted(list(stood.values()))
        return stood

    async def _judge(self, handed: Handed, plan: Plan, stood: dict[Place, Stands], tally: Tally) -> None:
        place, curator = handed.place, CURATORS[handed.tenant]
        try:
            version = await until_done(lambda: self._door.hand_in(curator, handed.description, handed.content))
        except MeshError:  # poison that only an event can bring
            told = [each for each in await logs.changes(self._kafka) if (each.tenant, each.document_id, each.source_version) == place]
            version = documents.DocumentVersion(state=told[-1].state, reason=told[-1].reason) if told else documents.DocumentVersion()
        stands = stood[place] = Stands.of(version)
        if stands.state == "ENROLLED":
            return  # stuck or lost: the caller knows which
        if not fits(handed, stands, plan):
            tally.lost += 1
            tally.findings.append(f"{place} ({handed.demand}) ended {stands.state} {stands.reason}")
        elif handed.question and not handed.is_poison:
            shown = await self._shown(SEERS[handed.tenant], handed, version)
            found = any((each.document_id, each.source_version) == place[1:] for each in shown.passages)
            if words_in(shown.SerializeToString()) & plan.secret:
                tally.leaked += 1
                tally.findings.append(f"what was withheld is shown beside {place}")
            if is_to_be_found(handed, stands) and not found:
                tally.lost += 1
                tally.findings.append(f"{place} is {stands.state} and is not found by its own words")
            elif not is_to_be_found(handed, stands) and found and not stands.never:
                tally.leaked += 1
                tally.findings.append(f"{place} ({handed.demand}) is {stands.state} and is found")

    async def _shown(self, seer: Person, handed: Handed, version: documents.DocumentVersion) -> rag.SearchResponse:
        """What somebody who may read everything is shown for a version's own words, at a time when it stood."""
        request = rag.SearchRequest(tenant=seer.tenant, question=handed.question, limit=DEEP, grade=grade_pb2.DATA_GRADE_L2)
        if handed.is_scoped:
            request.scope.documents.append(version.document_id)
        if version.to_sequence and version.from_sequence:
            request.as_of.known_at_sequence = version.from_sequence
        if version.HasField("valid_from"):
            request.as_of.valid_at.CopyFrom(version.valid_from)
        elif version.HasField("valid_to"):
            request.as_of.valid_at.FromDatetime(version.valid_to.ToDatetime(dt.UTC) - dt.timedelta(days=1))
        shown: rag.SearchResponse = await until_done(lambda: self._door.call("Search", seer, request))
        return shown

    async def logs_say(self, plan: Plan, stood: dict[Place, Stands], records: Sequence[str], tally: Tally) -> None:
        """Compare with what banks were told and with the audit log; both may come a moment later."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + TOLD_S
        while True:
            told = [each for each in await logs.changes(self._kafka) if (each.tenant, each.document_id, each.source_version) in stood]
            otherwise = contradictions(told, stood)
            recorded = await logs.recorded(self._kafka)
            missing = [f"no audit record {each} of an answer that was shown" for each in sorted(set(records) - recorded.ids)]
            missing += unrecorded(plan.handed, stood, recorded.published)
            if not (otherwise or missing) or loop.time() > until_s:
                break
            await asyncio.sleep(1.0)
        tally.contradicted, tally.unaudited = len(otherwise), len(missing)
        tally.findings += otherwise + missing

    async def rankings(self, plan: Plan) -> Rankings:
        """What a fixed set of questions finds, for the clerk and for one who may read everything."""
        own = [each.question for each in plan.handed.values() if each.tenant == TENANT and each.question][:_OWN_WORDS]
        return {
            (person.principal, pipeline, question): await until_done(partial(self._ranking, person, pipeline, question))
            for person in (CLERK, SEERS[TENANT])
            for pipeline in _PIPELINES
            for question in (*_GENERAL, *own)
        }

    async def _ranking(self, person: Person, pipeline: rag.Pipeline, question: str) -> tuple[str, ...]:
        """Of all that was asked of: a leg that was too slow on a busy machine is asked again."""
        request = rag.SearchRequest(
            tenant=person.tenant,
            question=question,
            pipeline=pipeline,
            limit=DEEP,
            grade=grade_pb2.DATA_GRADE_L2,
        )
        found = await self._door.call("Search", person, request)
        if found.degradations:
            raise Unavailable(", ".join(found.degradations))
        return tuple(each.passage_id for each in found.passages)
