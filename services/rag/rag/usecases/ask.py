"""RPC Ask: answer a question from what the caller may read, with citations that hold, or refuse.

The audit record stands before the first byte. Where sentences are quoted it tells everything; where a model writes them, or a right went
between two sentences, a second one stands before the last byte, whoever went away meanwhile. Rights are asked for again after the record
and before every sentence; of what went nothing more is shown, in warnings neither.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from meshkit.errors import NotFound
from pii import mask

from rag import ports
from rag.domain import answering
from rag.domain.answer import NOT_SUPPORTED, Answered, AnswerEvent, Retrieved, Sentence, Warned
from rag.domain.asking import Asked, scope_named
from rag.domain.conversation import Conversation
from rag.domain.conversation import Turn as Kept
from rag.domain.document import AsOf
from rag.domain.evidence import Act, Looked, Stage, Told
from rag.domain.retrieval import Found, Passage, Query, Scope
from rag.domain.scenarios import Scenario, Scenarios
from rag.steps.evidence import Evidence
from rag.steps.rights import Rights, Standing
from rag.steps.served import Outcome, Served
from rag.steps.turn import Turn, cited_by, ended_of, prompt_of, record_of, resting_on, told

_EARLIER_TURNS = 4
Quote = Callable[[str, Sequence[Passage], Standing, AsOf], Awaitable[Answered]]
"""Quote the sentences of passages that answer a question; none when they say nothing."""


@dataclass(frozen=True, slots=True)
class _Quoted:
    """What is quoted, recorded already."""

    turn: Turn
    sentences: Sequence[Sentence]
    warnings: Sequence[Warned]
    record_id: str


class Ask:
    """Answers questions."""

    def __init__(
        self,
        *,
        rights: Rights,
        retrieve: Callable[[Query], Awaitable[Found]],
        reached: Callable[[int], Awaitable[None]],
        evidence: Evidence,
        conversations: ports.Conversations,
        reports: ports.Reports,
        scenarios: Callable[[], Scenarios],
        quote: Quote,
        served: Served | None,
    ) -> None:
        """``reached``: waits until a sequence can be searched. ``served``: None where no router is known."""
        self._rights, self._retrieve, self._reached, self._evidence = rights, retrieve, reached, evidence
        self._conversations, self._reports, self._scenarios = conversations, reports, scenarios
        self._quote, self._served = quote, served

    async def __call__(self, asked: Asked) -> AsyncGenerator[AnswerEvent, None]:
        """Yield what was retrieved, verified sentences, the end. Raises NotFound (SCENARIO_UNKNOWN), Unavailable."""
        table = self._scenarios()
        scenario = table.of(asked.scenario)
        await self._reached(asked.min_sequence)
        said = asked, scenario, table.sha256
        if scenario.is_extractive:
            made = self._quoted(await self._rights.held(asked.caller, lambda: self._quotes(*said)))
        else:
            made = self._written(await self._rights.held(asked.caller, lambda: self._begins(*said)))
        async with aclosing(made) as events:
            async for event in events:
                yield event

    async def _turn(self, asked: Asked, scenario: Scenario, configuration: bytes) -> Turn:
        standing = await self._rights.now(asked.caller)
        before = await self._before(asked)
        shown, hidden = await self._rights.named(
            standing, {each.passage for turn in before.turns for s in turn.sentences for each in s.citations}
        )
        grades = {name: standing.grade(each) for name, each in shown.items() if standing.grade(each) <= scenario.highest_prompt_grade}
        before = replace(before, turns=tuple(each.readable(grades.keys()) for each in before.turns[-_EARLIER_TURNS:]))
        found, scope = await self._found(asked, scenario, standing, before.scope)
        record = Looked(
            act=Act.ASK,
            caller=asked.caller,
            reader=standing.reader,
            access_ids=standing.access_ids,
            sequence=found.sequence,
            at_us=standing.now_us,
            scenario=scenario.name,
            grade=asked.grade,
            valid_at_us=asked.valid_at_us or 0,
            known_at_seq=asked.as_of(standing.now_us).known_at_seq,
            question=asked.question,
            scope=scope,
            conversation_id=asked.conversation_id,
            passages=tuple(Told(each, readable=False) for each in hidden),
            answerer=scenario.answerer,
            degradations=found.degradations,
            configuration=configuration,
        )
        cited = {each.passage for turn in before.turns for sentence in turn.sentences for each in sentence.citations}
        return Turn(
            asked=asked,
            scenario=scenario,
            standing=standing,
            before=before,
            found=found,
            scope=scope,
            earlier_grade=max((grades[each] for each in cited), default=0),
            record=record,
        )

    async def _before(self, asked: Asked) -> Conversation:
        if not asked.conversation_id:
            return Conversation()
        try:
            return await self._conversations.conversation(asked.caller.tenant, asked.caller.principal, asked.conversation_id)
        except NotFound:
            return Conversation()

    async def _found(self, asked: Asked, scenario: Scenario, standing: Standing, kept: Scope) -> tuple[Found, Scope]:
        """Return what was found, and the scope that holds: the caller's, else what the question names, else the conversation's."""
        query = Query(
            reader=standing.reader,
            question=answering.searched(asked.question),
            as_of=asked.as_of(standing.now_us),
            now_us=standing.now_us,
            scope=asked.scope,
            limit=scenario.passages,
            expand=scenario.passages if scenario.is_extractive and answering.lists_something(asked.question) else 0,
        )
        found = await self._retrieve(query)
        if asked.scope:
            return found, asked.scope
        if named := scope_named(found):
            return found, named
        if not asked.conversation_id:
            kept = await self._named_before(query, asked.earlier_questions)
        if kept:
            found = await self._retrieve(replace(query, scope=kept))
        return found, kept

    async def _named_before(self, query: Query, questions: Sequence[str]) -> Scope:
        """Return what the newest of some earlier questions names that names anything."""
        for question in reversed(questions):
            if named := scope_named(await self._retrieve(replace(query, question=question))):
                return named
        return Scope()

    async def _quotes(self, asked: Asked, scenario: Scenario, configuration: bytes) -> tuple[_Quoted, Sequence[Passage]]:
        """Find and record what is quoted."""
        turn = await self._turn(asked, scenario, configuration)
        found = turn.found.passages
        answered = await self._quote(asked.question, found, turn.standing, _as_found(asked.as_of(turn.standing.now_us), turn.found))
        sentences = resting_on(answered.sentences, found)
        ended = ended_of(turn, sentences, found, answered.warnings)
        record = replace(record_of(turn, ended, sentences), passages=(*told(turn.standing, found, sentences), *turn.record.passages))
        record_id = await self._evidence.looked(record, turn.scope.documents)
        return _Quoted(turn, sentences, answered.warnings, record_id), found

    async def _quoted(self, quoted: _Quoted) -> AsyncGenerator[AnswerEvent, None]:
        turn, caller, record_id = quoted.turn, quoted.turn.asked.caller, quoted.record_id
        found = turn.found.passages
        yield Retrieved(found, turn.scope, turn.found.sequence, turn.asked.conversation_id)
        shown: list[Sentence] = []
        for sentence in quoted.sentences:
            for kept in resting_on((sentence,), await self._rights.still(caller, cited_by(found, (sentence,)))):
                shown.append(kept)
                yield kept
        ended = ended_of(turn, shown, found, quoted.warnings)
        if len(shown) < len(quoted.sentences):
            record = replace(record_of(turn, ended, shown), passages=told(turn.standing, found, shown, cited_only=True))
            record_id = await self._evidence.ended(record)
        await self._kept(turn, shown, ended.refusal)
        yield replace(ended, warnings=await self._warned(turn, shown, quoted.warnings), audit_record_id=record_id)

    async def _begins(self, asked: Asked, scenario: Scenario, configuration: bytes) -> tuple[Turn, Sequence[Passage]]:
        """Find and record what a model is shown."""
        turn = await self._turn(asked, scenario, configuration)
        passages = (*told(turn.standing, turn.found.passages, ()), *turn.record.passages)
        await self._evidence.looked(replace(turn.record, stage=Stage.BEGUN, passages=passages), turn.scope.documents)
        return turn, turn.found.passages

    async def _written(self, turn: Turn) -> AsyncGenerator[AnswerEvent, None]:
        passages = list(turn.found.passages)
        shown: list[Sentence] = []
        outcome, is_over = Outcome(), False
        try:
            yield Retrieved(passages, turn.scope, turn.found.sequence, turn.asked.conversation_id)
            async with aclosing(self._sentences(turn, passages, outcome)) as written:
                async for sentence in written:
                    shown.append(sentence)
                    outcome.shown += 1
                    yield sentence
            is_over = True
        finally:
            ended = ended_of(turn, shown, passages, (), outcome)
            record = replace(
                record_of(turn, ended, shown),
                passages=told(turn.standing, passages, shown, cited_only=True),
                refusal=ended.refusal if is_over else "",
                generation_ids=[each.generation_id for each in outcome.written],
                interrupted=not is_over,
            )
            record_id = await self._evidence.ended(record)
        await self._kept(turn, shown, ended.refusal)
        yield replace(ended, warnings=await self._warned(turn, shown), audit_record_id=record_id)

    async def _warned(self, turn: Turn, shown: Sequence[Sentence], warned: Sequence[Warned] = ()) -> Sequence[Warned]:
        """Return the warnings that follow from what may be shown now."""
        return ended_of(turn, shown, await self._rights.still(turn.asked.caller, turn.found.passages), warned).warnings

    async def _sentences(self, turn: Turn, passages: list[Passage], outcome: Outcome) -> AsyncGenerator[Sentence, None]:
        """Yield what the model writes and the passages say; each sentence's passages are authorised again just before."""
        usable = [each for each in passages if turn.standing.grade(each) <= turn.scenario.highest_prompt_grade]
        if self._served is None or not usable:
            outcome.failure = NOT_SUPPORTED if self._served is not None else "ANSWERER_UNAVAILABLE"
            return
        grade = max(turn.asked.grade, turn.earlier_grade, *(turn.standing.grade(each) for each in usable))
        async with aclosing(self._served(prompt_of(turn, usable, grade), usable, outcome)) as written:
            async for sentence in written:
                for kept in resting_on((sentence,), await self._rights.still(turn.asked.caller, cited_by(usable, (sentence,)))):
                    yield kept

    async def _kept(self, turn: Turn, sentences: Sequence[Sentence], refusal: str) -> None:
        """Keep the turn, and a question without an answer for the report, identifiers masked."""
        asked = turn.asked
        if asked.conversation_id:
            kept = Kept(asked.question, tuple(sentences), turn.standing.now_us)
            await self._conversations.add_turn(asked.caller.tenant, asked.caller.principal, asked.conversation_id, kept, turn.scope)
        if refusal:
            await self._reports.unanswered(asked.caller.tenant, mask(asked.question), refusal, turn.standing.now_us)


def _as_found(as_of: AsOf, found: Found) -> AsOf:
    """Return the times that were searched: no index knows anything of a sequence that is still to come."""
    return replace(as_of, known_at_seq=min(as_of.known_at_seq, found.sequence))
