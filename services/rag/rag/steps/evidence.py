"""Evidence of every look into documents: the record stands in the log before anything is shown, and what was read is kept for the report.

What a call names directly (ids, titles of a scope, earlier citations) is looked up whatever the rights are, and always, so that the number
of look-ups tells nothing. Only the log is told. A log that is away fails the call: nobody reads what nobody will know of.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Coroutine
from dataclasses import replace
from typing import Any

from rag.domain.citing import PassageId
from rag.domain.conversation import Read
from rag.domain.evidence import Changed, Looked, Stage
from rag.ports.accounts import RecordCodec, RecordLog, References, Reports


class Evidence:
    """Writes records of looks and changes."""

    def __init__(self, codec: RecordCodec, log: RecordLog, references: References, reports: Reports) -> None:
        self._codec, self._log, self._references, self._reports = codec, log, references, reports
        self._ending: set[asyncio.Task[str]] = set()

    async def looked(self, facts: Looked, named: Collection[str] = ()) -> str:
        """Record a look before its answer is sent; return the record's id. ``named``: ids or exact titles. Raises Unavailable."""
        if facts.stage is not Stage.ENDED:
            there = await self._references.referred(facts.caller.tenant, sorted(set(named)))
            forbidden = sorted(document for document, accesses in there.items() if accesses.isdisjoint(facts.access_ids))
            facts = replace(facts, forbidden=(*facts.forbidden, *(each for each in forbidden if each not in facts.forbidden)))
        record_id, content = self._codec.looked(facts)
        await self._log.write([content])
        if reads := _reads(facts, record_id):
            await self._reports.reads(facts.caller.tenant, reads)
        return record_id

    async def ended(self, facts: Looked) -> str:
        """Record the end of an answer, also when nobody waits for it any more."""
        return await self._kept(self.looked(replace(facts, stage=Stage.ENDED)))

    async def changed(self, facts: Changed) -> str:
        """Record a change; return the record's id. Raises Unavailable."""
        record_id, content = self._codec.changed(facts)
        await self._log.write([content])
        return record_id

    async def aclose(self) -> None:
        """Wait for ends that are being recorded."""
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _kept(self, work: Coroutine[Any, Any, str]) -> str:
        task = asyncio.create_task(work, name="record an end")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.add_done_callback(_looked_at)
        return await asyncio.shield(task)


def _looked_at(task: asyncio.Task[str]) -> None:
    """Take note of the outcome for a caller that went away."""
    if not task.cancelled():
        task.exception()


def _reads(facts: Looked, record_id: str) -> list[Read]:
    """Return who read what, one entry a version. The end of an answer showed nothing that its beginning had not told."""
    if facts.stage is Stage.ENDED:
        return []
    found: dict[tuple[str, int], list[PassageId]] = defaultdict(list)
    for told in facts.passages:
        if told.readable:
            found[told.id.document_id, told.id.source_version].append(told.id)
    return [
        Read(
            principal=facts.caller.principal,
            purpose=facts.caller.purpose,
            document_id=document,
            source_version=version,
            ordinals=tuple(sorted(each.ordinal for each in ids)),
            read_at_us=facts.at_us,
            audit_record_id=record_id,
        )
        for (document, version), ids in found.items()
    ]
