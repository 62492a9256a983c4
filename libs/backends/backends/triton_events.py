"""One Events message, to those whom it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1.decode_service_pb2 import Committed
from finmesh.inference.v1.generation_pb2 import Token, UsageFacts
from finmesh.inference.v1.prefill_service_pb2 import PrefillResponse

from backends.port import Phase, Published, Running
from backends.refusals import error_of
from backends.streams import Stream

Prompts = Mapping[str, asyncio.Future[Published]]


def deliver(events: pb.Events, streams: Mapping[str, Stream], prompts: Prompts, named: Callable[[], tuple[str, str]]) -> list[str]:
    """Hand out; what is for nobody any more is dropped. Return the works whose readers did not keep up. ``named``: worker, incarnation.

    The order is that in which one work's events can follow one another in a step: it runs, it writes, its answers end, it ends.
    """
    for row in events.committed:
        if (stream := streams.get(row.work_id)) is not None:
            committed = Committed()
            committed.CopyFrom(row.committed)
            committed.worker_id, committed.incarnation = named()
            stream.put(Running(committed, _phases(row.phases)))
    late = _tokens(events, streams) if events.work_ids else []
    for end in events.finished:
        if (stream := streams.get(end.work_id)) is not None:
            stream.put(end.finished)
    for prefilled in events.prefilled:
        if (prompt := prompts.get(prefilled.work_id)) is not None and not prompt.done():
            response = PrefillResponse()
            response.CopyFrom(prefilled.response)
            response.worker_id, response.incarnation = named()
            prompt.set_result(Published(response, _phases(prefilled.phases)))
    for ended in events.ended:
        _end(ended, streams, prompts)
    return late


def _tokens(events: pb.Events, streams: Mapping[str, Stream]) -> list[str]:
    columns = events.tokens
    tops = {top.position: top.tokens for top in columns.top}
    logprobs = columns.logprob or [0.0] * len(columns.work)
    found: dict[int, list[Token]] = {}
    rows = zip(columns.work, columns.choice, columns.index, columns.token_id, logprobs, strict=True)
    for position, (work, choice, index, token_id, logprob) in enumerate(rows):
        token = Token(choice=choice, index=index, token_id=token_id, logprob=logprob, top=tops.get(position))
        found.setdefault(work, []).append(token)
    late = []
    for work, tokens in found.items():
        number = events.work_ids[work]
        stream = streams.get(number)
        if stream is not None and not stream.put_tokens(tokens):
            late.append(number)
    return late


def _end(ended: pb.RequestEnded, streams: Mapping[str, Stream], prompts: Prompts) -> None:
    stream, prompt = streams.get(ended.work_id), prompts.get(ended.work_id)
    if ended.HasField("refusal"):
        error = error_of(ended.refusal)
        if stream is not None:
            stream.fail(error)
        if prompt is not None and not prompt.done():
            prompt.set_exception(error)
    elif stream is not None:
        usage = UsageFacts()
        usage.CopyFrom(ended.usage)
        stream.put(usage)


def _phases(phases: object) -> tuple[Phase, ...]:
    return tuple(Phase(each.name, each.start_ns, each.end_ns) for each in phases)  # type: ignore[attr-defined]
