"""A small library in memory, for what stands before it: documents whose passages demand something of their readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.audit.records import AuditRecords
from meshkit.clock import FakeClock
from meshkit.errors import NotFound
from meshkit.testing.keys import commitment_ring
from rag.domain.access import Access, Grant, Reader
from rag.domain.answer import Citation, Sentence
from rag.domain.citing import PassageId
from rag.domain.conversation import Conversation, Read, Turn
from rag.domain.document import FOREVER, Chunk, NewChunk, State, Submission, Version
from rag.domain.retrieval import Found, Passage, Query, Scope
from rag.ports.models import Prompt, Written
from rag.steps.evidence import Evidence
from rag.steps.rights import Rights
from rag.translate.records import RecordCodec

NOW_S = 1_790_000_000.0
NOW_US = int(NOW_S * 1_000_000)


def version(
    document_id: str, number: int = 1, *, title: str = "", base: str = "", to_seq: int = FOREVER, review_us: int | None = None
) -> Version:
    """Return a version that can be found."""
    handed_in = Submission(
        tenant="bank-a",
        document_id=document_id,
        source_version=number,
        title=title or document_id,
        media_type="text/plain",
        blob="blob",
        content_sha256=b"\x01" * 32,
        access=Access(1),
        submitted_by="desk",
        base=base,
        review_at_us=review_us,
    )
    return Version(abs(hash((document_id, number))) % 10**6, handed_in, State.VISIBLE, from_seq=1, to_seq=to_seq)


@dataclass
class Shelf:
    """Library, References, Conversations, Reports and the log, as far as answers ask them."""

    rows: list[tuple[Chunk, Version]] = field(default_factory=list)
    accesses: dict[int, Access] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    conversations: dict[tuple[str, str, str], Conversation] = field(default_factory=dict)
    records: list[AuditRecord] = field(default_factory=list)
    kept_reads: list[Read] = field(default_factory=list)
    questions: list[tuple[str, str]] = field(default_factory=list)
    verdicts: list[tuple[str, str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    failure: Exception | None = None
    seq: int = 41

    def put(self, made: Version, *texts: str, access: Access | None = None) -> list[Passage]:
        """Add passages of a version; return them."""
        demanded = access or Access(1)
        known = {each: number for number, each in self.accesses.items()}
        access_id = known.get(demanded, len(known) + 1)
        self.accesses[access_id] = demanded
        found = []
        for ordinal, text in enumerate(texts):
            chunk = Chunk(len(self.rows) + 1, made.version_id, access_id, NewChunk(ordinal, text, demanded))
            self.rows.append((chunk, made))
            found.append(Passage(chunk, made, superseded=made.to_seq < FOREVER, review_due=made.submission.review_at_us is not None))
        return found

    async def sequence(self) -> int:
        """See ``ports.Library``."""
        return self.seq

    async def grant(self, tenant: str, principal: str) -> Grant:
        """See ``ports.Library``."""
        return self.grants.get(principal, Grant())

    async def readable(self, reader: Reader, now_us: int) -> dict[int, Access]:
        """See ``ports.Library``."""
        return {number: each for number, each in self.accesses.items() if reader.may_read(each, now_us)}

    async def chunks(self, tenant: str, chunk_ids: Sequence[int]) -> dict[int, tuple[Chunk, Version]]:
        """See ``ports.Library``."""
        return {chunk.chunk_id: (chunk, made) for chunk, made in self.rows if chunk.chunk_id in chunk_ids}

    async def passages(self, tenant: str, ids: Collection[PassageId]) -> dict[PassageId, tuple[Chunk, Version]]:
        """See ``ports.Library``."""
        self.calls.append("passages")
        named = {Passage(chunk, made).id: (chunk, made) for chunk, made in self.rows}
        return {each: named[each] for each in ids if each in named}

    async def around(self, tenant: str, chunk: Chunk, before: int, after: int) -> list[Chunk]:
        """See ``ports.Library``."""
        near = range(chunk.passage.ordinal - before, chunk.passage.ordinal + after + 1)
        return [each for each, _ in self.rows if each.version_id == chunk.version_id and each.passage.ordinal in near]

    async def referred(self, tenant: str, names: Collection[str]) -> dict[str, frozenset[int]]:
        """See ``ports.References``."""
        self.calls.append("referred")
        found: dict[str, set[int]] = {}
        for chunk, made in self.rows:
            if {made.submission.document_id, made.submission.title} & set(names):
                found.setdefault(made.submission.document_id, set()).add(chunk.access_id)
        return {name: frozenset(each) for name, each in found.items()}

    async def conversation(self, tenant: str, principal: str, conversation_id: str) -> Conversation:
        """See ``ports.Conversations``."""
        found = self.conversations.get((tenant, principal, conversation_id))
        if found is None:
            raise NotFound("there is no such conversation", reason="CONVERSATION_NOT_FOUND")
        return found

    async def add_turn(self, tenant: str, principal: str, conversation_id: str, turn: Turn, scope: Scope) -> None:
        """See ``ports.Conversations``."""
        before = self.conversations.get((tenant, principal, conversation_id), Conversation())
        self.conversations[tenant, principal, conversation_id] = Conversation(scope, (*before.turns, turn))

    async def reset(self, tenant: str, principal: str, conversation_id: str, forget: bool) -> None:
        """See ``ports.Conversations``."""
        key = (tenant, principal, conversation_id)
        if forget:
            self.conversations.pop(key, None)
        elif key in self.conversations:
            self.conversations[key] = Conversation(Scope(), self.conversations[key].turns)

    async def unanswered(self, tenant: str, question: str, refusal: str, now_us: int) -> None:
        """See ``ports.Reports``."""
        self.questions.append((question, refusal))

    async def reads(self, tenant: str, reads: Sequence[Read]) -> None:
        """See ``ports.Reports``."""
        self.kept_reads += reads

    async def feedback(self, tenant: str, principal: str, audit_record_id: str, verdict: str, comment: str, now_us: int) -> None:
        """See ``ports.Reports``."""
        self.verdicts.append((audit_record_id, verdict, comment))

    async def write(self, records: Sequence[bytes]) -> None:
        """See ``ports.accounts.RecordLog``."""
        if self.failure is not None:
            raise self.failure
        self.calls.append("log")
        self.records += [AuditRecord.FromString(each) for each in records]

    def evidence(self) -> Evidence:
        """Return what writes records to this shelf."""
        return Evidence(RecordCodec(AuditRecords("rag", "0.2.0", FakeClock(NOW_S)), commitment_ring()), self, self, self)  # type: ignore[arg-type]

    def rights(self) -> Rights:
        """Return what asks this shelf for rights."""
        return Rights(self, FakeClock(NOW_S))  # type: ignore[arg-type]


@dataclass
class Retriever:
    """Finds every readable passage whose document is in the scope. ``named``: what questions name by words in them."""

    shelf: Shelf
    named: Mapping[str, str] = field(default_factory=dict)
    queries: list[Query] = field(default_factory=list)

    async def __call__(self, query: Query) -> Found:
        """See ``steps.retrieve``."""
        self.queries.append(query)
        readable = await self.shelf.readable(query.reader, query.now_us)
        found = [Passage(chunk, made) for chunk, made in self.shelf.rows if chunk.access_id in readable]
        if query.scope:
            found = [each for each in found if each.version.submission.document_id in query.scope.documents]
        names = () if query.scope else tuple(name for word, name in self.named.items() if word in query.question)
        flagged = [
            Passage(each.chunk, each.version, each.version.to_seq < FOREVER, each.version.submission.review_at_us is not None)
            for each in found
        ]
        return Found(tuple(flagged[: query.limit]), self.shelf.seq, Scope(documents=names))


def quoted(passage: Passage, start: int = 0, end: int = 0) -> Sentence:
    """Return a sentence that quotes a passage."""
    end = end or len(passage.text)
    citation = Citation(passage.id, start, end, sha256(passage.text.encode()).digest(), superseded=passage.superseded)
    return Sentence(passage.text[start:end], (citation,))


@dataclass
class ScriptedModel:
    """A served model that writes what it is told to."""

    pieces: Sequence[str | Written | Exception] = ()
    prompts: list[Prompt] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str | Written, None]:
        """See ``ports.Answerer``."""
        self.prompts.append(prompt)
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if piece == "…":
                await self.go_on.wait()
                continue
            yield piece
