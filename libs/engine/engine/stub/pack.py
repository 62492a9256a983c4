"""What the engine tells, as the messages of finmesh.engine.v1. Pure.

Surprising: tokens are columns and not messages, because a step brings one of every row and each is four small numbers.
Log-probabilities are a column of zeros where some row asked for them and others did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1 import generation_pb2, worker_pb2

from engine.llm.generation import CacheChanged, Finished, FinishReason, Token

Item: TypeAlias = tuple[str, Token | Finished] | CacheChanged | pb.Prefilled | pb.RowCommitted | pb.RequestEnded
"""What waits for an owner: what befell one of its works, what the prefix store did, or a message that is made already."""

REASONS = {
    FinishReason.STOP: generation_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: generation_pb2.FINISH_REASON_LENGTH,
    FinishReason.CANCELLED: generation_pb2.FINISH_REASON_CANCELLED,
    FinishReason.ERROR: generation_pb2.FINISH_REASON_ERROR,
}


def pack(incarnation: str, turn: int, items: Sequence[Item]) -> bytes:
    """Return one response of `events`."""
    events = pb.Events(incarnation=incarnation, step=turn)
    tokens: list[tuple[str, Token]] = []
    for item in items:
        if isinstance(item, tuple):
            work_id, event = item
            if isinstance(event, Token):
                tokens.append((work_id, event))
            else:
                events.finished.add(work_id=work_id, finished=finished(event))
        elif isinstance(item, CacheChanged):
            events.kv.append(kv_event(item))
        elif isinstance(item, pb.Prefilled):
            events.prefilled.append(item)
        elif isinstance(item, pb.RowCommitted):
            events.committed.append(item)
        else:
            events.ended.append(item)
    if tokens:
        _columns(events, tokens)
    return events.SerializeToString()


def _columns(events: pb.Events, tokens: Sequence[tuple[str, Token]]) -> None:
    positions: dict[str, int] = {}
    columns = events.tokens
    columns.work.extend([positions.setdefault(work_id, len(positions)) for work_id, _ in tokens])
    events.work_ids.extend(positions)
    columns.choice.extend([token.choice for _, token in tokens])
    columns.index.extend([token.index for _, token in tokens])
    columns.token_id.extend([token.token for _, token in tokens])
    if any(token.logprob is not None for _, token in tokens):
        columns.logprob.extend([token.logprob or 0.0 for _, token in tokens])
    for position, (_, token) in enumerate(tokens):
        if token.top:
            columns.top.add(position=position, tokens=[_logprob(*each) for each in token.top])


def token_message(token: Token) -> generation_pb2.Token:
    """Return a token by itself: the first ones of a prefill."""
    return generation_pb2.Token(
        choice=token.choice,
        index=token.index,
        token_id=token.token,
        logprob=token.logprob or 0.0,
        top=[_logprob(*each) for each in token.top],
    )


def finished(event: Finished) -> generation_pb2.ChoiceFinished:
    """Return the end of one answer."""
    return generation_pb2.ChoiceFinished(choice=event.choice, reason=REASONS[event.reason], output_tokens=event.output_tokens)


def kv_event(event: CacheChanged) -> worker_pb2.KvEvent:
    """Return a change of the prefix store."""
    return worker_pb2.KvEvent(seq=event.sequence, stored=event.stored, removed=event.removed)


def _logprob(token: int, logprob: float) -> generation_pb2.TokenLogprob:
    return generation_pb2.TokenLogprob(token_id=token, logprob=logprob)
