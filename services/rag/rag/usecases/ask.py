"""RPC Ask: answer a question from what the caller may read, with citations that hold, or refuse.

The audit record stands before the first byte. Where sentences are quoted it tells everything; where a model writes them a second one stands
before the last byte, whoever went away meanwhile. What is cited is authorised again just before it is shown.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from meshkit.errors import NotFound
from pii import mask

from rag import ports
from rag.domain import prompting, warnings
from rag.domain.answer import NOT_SUPPORTED, Answered, AnswerEvent, Ended, Retrieved, Sentence, Warned
from rag.domain.asking import Asked, scope_named
from rag.domain.conversation import Conversation, Turn
from rag.domain.document import AsOf
from rag.domain.evidence import Act, Looked, Stage, Told
from rag.domain.retrieval import Found, Passage, Query, Scope
from rag.domain.scenarios import Scenario, Scenarios
from rag.ports.models import Prompt
from rag.steps.evidence import Evidence
from rag.steps.rights import Rights, Standing
from rag.steps.served import Outcome, Served

_EARLIER_TURNS = 4
Quote = Callable[[str, Sequence[Passage], Standing, AsOf], Awaitable[Answered]]
"""Quote the sentences of passages that answer a question; none when they say nothing."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """One call, as far as it has come."""

    asked: Asked
    scenario: Scenario
    standing: Standing
    before: Conversation
    found: Found
    scope: Scope
    record: Looked


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
        standing = await self._rights.now(asked.caller)
        turn = await self._turn(asked, scenario, table.sha256, standing)
        if scenario.is_extractive:
            answered = await self._quote(asked.question, turn.found.passages, standing, _as_found(asked.as_of(standing.now_us), turn.found))
            async for event in self._quoted(turn, answered):
                yield event
            return
        async with aclosing(self._written(turn)) as events:
            async for event in events:
                yield event

    async def _turn(self, asked: Asked, scenario: Scenario, configuration: bytes, standing: Standing) -> _Turn:
        before = await self._before(asked)
        shown, hidden = await self._rights.named(
            standing, {each.passage for turn in before.turns for s in turn.sentences for each in s.citations}
        )
        before = replace(before, turns=tuple(each.readable(shown.keys()) for each in before.turns))
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
        return _Turn(asked=asked, scenario=scenario, standing=standing, before=before, found=found, scope=scope, record=record)

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
            question=asked.question,
            as_of=asked.as_of(standing.now_us),
            now_us=standing.now_us,
            scope=asked.scope,
            limit=scenario.passages,
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

    async def _quoted(self, turn: _Turn, answered: Answered) -> AsyncGenerator[AnswerEvent, None]:
        still = await self._rights.still(turn.asked.caller, turn.found.passages)
        passages = [each for each in turn.found.passages if each.chunk.chunk_id in still]
        sentences = _resting_on(answered.sentences, passages)
        ended = _ended(turn, sentences, passages, answered.warnings)
        record = replace(
            turn.record,
            passages=(*_told(turn.standing, passages, sentences), *turn.record.passages),
            answer="\n".join(each.text for each in sentences),
            refusal=ended.refusal,
            warnings=[each.reason for each in ended.warnings],
        )
        record_id = await self._evidence.looked(record, turn.scope.documents)
        yield Retrieved(passages, turn.scope, turn.found.sequence, turn.asked.conversation_id)
        for sentence in sentences:
            yield sentence
        await self._kept(turn, sentences, ended.refusal)
        yield replace(ended, audit_record_id=record_id)

    async def _written(self, turn: _Turn) -> AsyncGenerator[AnswerEvent, None]:
        passages = list(turn.found.passages)
        begun = replace(turn.record, stage=Stage.BEGUN, passages=(*_told(turn.standing, passages, ()), *turn.record.passages))
        await self._evidence.looked(begun, turn.scope.documents)
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
            ended = _ended(turn, shown, passages, (), outcome)
            record = replace(
                turn.record,
                passages=_told(turn.standing, passages, shown, cited_only=True),
                answer="\n".join(each.text for each in shown),
                answerer=ended.answerer,
                refusal=ended.refusal if is_over else "",
                warnings=[each.reason for each in ended.warnings],
                generation_ids=[each.generation_id for each in outcome.written],
                interrupted=not is_over,
            )
            record_id = await self._evidence.ended(record)
        await self._kept(turn, shown, ended.refusal)
        yield replace(ended, audit_record_id=record_id)

    async def _sentences(self, turn: _Turn, passages: list[Passage], outcome: Outcome) -> AsyncGenerator[Sentence, None]:
        """Yield what the model writes and the passages say; each sentence's passages are authorised again just before."""
        usable = [each for each in passages if turn.standing.grade(each) <= turn.scenario.highest_prompt_grade]
        if self._served is None or not usable:
            outcome.failure = NOT_SUPPORTED if self._served is not None else "ANSWERER_UNAVAILABLE"
            return
        grade = max(turn.asked.grade, *(turn.standing.grade(each) for each in usable))
        async with aclosing(self._served(_prompt(turn, usable, grade), usable, outcome)) as written:
            async for sentence in written:
                still = await self._rights.still(turn.asked.caller, usable)
                readable = [each for each in usable if each.chunk.chunk_id in still]
                for kept in _resting_on((sentence,), readable):
                    yield kept

    async def _kept(self, turn: _Turn, sentences: Sequence[Sentence], refusal: str) -> None:
        """Keep the turn, and a question without an answer for the report, identifiers masked."""
        asked = turn.asked
        if asked.conversation_id:
            kept = Turn(asked.question, tuple(sentences), turn.standing.now_us)
            await self._conversations.add_turn(asked.caller.tenant, asked.caller.principal, asked.conversation_id, kept, turn.scope)
        if refusal:
            await self._reports.unanswered(asked.caller.tenant, mask(asked.question), refusal, turn.standing.now_us)


def _as_found(as_of: AsOf, found: Found) -> AsOf:
    """Return the times that were searched: no index knows anything of a sequence that is still to come."""
    return replace(as_of, known_at_seq=min(as_of.known_at_seq, found.sequence))


def _prompt(turn: _Turn, passages: Sequence[Passage], grade: int) -> Prompt:
    turns: list[tuple[str, str]] = []
    for earlier in turn.before.turns[-_EARLIER_TURNS:]:
        turns.append(("user", earlier.question))
        turns.append(("assistant", "\n".join(each.text for each in earlier.sentences) or prompting.NOT_FOUND))
    return Prompt(
        tenant=turn.asked.caller.tenant,
        model=turn.scenario.answerer,
        scenario=turn.scenario.router_scenario,
        grade=grade,
        instructions=prompting.instructions(passages, chinese=warnings.is_chinese(turn.asked.question)),
        turns=[*turns, ("user", turn.asked.question)],
        max_output_tokens=turn.scenario.max_output_tokens,
    )


def _resting_on(sentences: Sequence[Sentence], passages: Sequence[Passage]) -> list[Sentence]:
    """Return the sentences all of whose citations are of these passages."""
    ids = {each.id for each in passages}
    return [each for each in sentences if each.citations and all(cited.passage in ids for cited in each.citations)]


def _told(standing: Standing, passages: Sequence[Passage], sentences: Sequence[Sentence], *, cited_only: bool = False) -> tuple[Told, ...]:
    cited = {each.passage for sentence in sentences for each in sentence.citations}
    told = (Told(each.id, each.text, standing.grade(each), cited=each.id in cited) for each in passages)
    return tuple(each for each in told if each.cited or not cited_only)


def _ended(
    turn: _Turn, sentences: Sequence[Sentence], passages: Sequence[Passage], warned: Sequence[Warned], outcome: Outcome | None = None
) -> Ended:
    refusal = "" if sentences else outcome.refusal if outcome is not None else NOT_SUPPORTED
    cited = {each.passage for sentence in sentences for each in sentence.citations}
    found = warnings.of([each for each in passages if each.id in cited], passages, turn.asked.question)
    last = outcome.written[-1] if outcome is not None and outcome.written else None
    return Ended(
        answered=bool(sentences),
        answerer=last.model if last is not None else turn.scenario.answerer,
        audit_record_id="",
        refusal=refusal,
        message=warnings.words(refusal, turn.asked.question) if refusal else "",
        warnings=(*warned, *found) if sentences else (),
        prompt_tokens=sum(each.prompt_tokens for each in outcome.written) if outcome is not None else 0,
        output_tokens=sum(each.output_tokens for each in outcome.written) if outcome is not None else 0,
    )
