"""One call of Ask, as far as it has come, and what is told of it: to a model, to the log, to the asker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.domain import prompting, warnings
from rag.domain.answer import NOT_SUPPORTED, Ended, Sentence, Warned
from rag.domain.asking import Asked
from rag.domain.conversation import Conversation
from rag.domain.evidence import Looked, Told
from rag.domain.retrieval import Found, Passage, Scope
from rag.domain.scenarios import Scenario
from rag.ports.models import Prompt
from rag.steps.rights import Standing
from rag.steps.served import Outcome


@dataclass(frozen=True, slots=True)
class Turn:
    """One call, as far as it has come."""

    asked: Asked
    scenario: Scenario
    standing: Standing
    before: Conversation
    found: Found
    scope: Scope
    earlier_grade: int
    record: Looked


def prompt_of(turn: Turn, passages: Sequence[Passage], grade: int) -> Prompt:
    turns: list[tuple[str, str]] = []
    for earlier in turn.before.turns:
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


def resting_on(sentences: Sequence[Sentence], passages: Sequence[Passage]) -> list[Sentence]:
    """Return the sentences all of whose citations are of these passages."""
    ids = {each.id for each in passages}
    return [each for each in sentences if each.citations and all(cited.passage in ids for cited in each.citations)]


def cited_by(passages: Sequence[Passage], sentences: Sequence[Sentence]) -> list[Passage]:
    ids = {each.passage for sentence in sentences for each in sentence.citations}
    return [each for each in passages if each.id in ids]


def _about(warned: Sequence[Warned], passages: Sequence[Passage]) -> tuple[Warned, ...]:
    """Return the warnings all of whose passages are among these: one of them may say what the other passage says."""
    ids = {each.id for each in passages}
    return tuple(each for each in warned if ids.issuperset(each.passages))


def record_of(turn: Turn, ended: Ended, shown: Sequence[Sentence]) -> Looked:
    return replace(
        turn.record,
        answer="\n".join(each.text for each in shown),
        answerer=ended.answerer,
        refusal=ended.refusal,
        warnings=[each.reason for each in ended.warnings],
    )


def told(standing: Standing, passages: Sequence[Passage], sentences: Sequence[Sentence], *, cited_only: bool = False) -> tuple[Told, ...]:
    cited = {each.passage for sentence in sentences for each in sentence.citations}
    told = (Told(each.id, each.text, standing.grade(each), cited=each.id in cited) for each in passages)
    return tuple(each for each in told if each.cited or not cited_only)


def ended_of(
    turn: Turn, sentences: Sequence[Sentence], passages: Sequence[Passage], warned: Sequence[Warned], outcome: Outcome | None = None
) -> Ended:
    refusal = "" if sentences else outcome.refusal if outcome is not None else NOT_SUPPORTED
    found = warnings.of(cited_by(passages, sentences), passages, turn.asked.question)
    last = outcome.written[-1] if outcome is not None and outcome.written else None
    return Ended(
        answered=bool(sentences),
        answerer=last.model if last is not None else turn.scenario.answerer,
        audit_record_id="",
        refusal=refusal,
        message=warnings.words(refusal, turn.asked.question) if refusal else "",
        warnings=(*_about(warned, passages), *found) if sentences else (),
        prompt_tokens=sum(each.prompt_tokens for each in outcome.written) if outcome is not None else 0,
        output_tokens=sum(each.output_tokens for each in outcome.written) if outcome is not None else 0,
    )
