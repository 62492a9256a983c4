"""What is said to the two legs and what they answer: `finmesh.inference.v1`."""

from __future__ import annotations

from finmesh.inference.v1 import decode_service_pb2 as decode_pb
from finmesh.inference.v1 import generation_pb2 as pb
from finmesh.inference.v1 import prefill_service_pb2 as prefill_pb
from meshkit.errors import Unavailable

from router.domain import generation as domain
from router.domain import legs

_FINISH_REASONS = {int(reason) for reason in domain.Finish}


def sampling(message: pb.Sampling) -> domain.Sampling:
    """Return how tokens are chosen."""
    return domain.Sampling(
        temperature=message.temperature,
        top_p=message.top_p,
        top_k=message.top_k,
        seed=message.seed,
        choices=message.choices,
        logprobs=message.logprobs,
        top_logprobs=message.top_logprobs,
    )


def _sampling_message(how: domain.Sampling) -> pb.Sampling:
    return pb.Sampling(
        temperature=how.temperature,
        top_p=how.top_p,
        top_k=how.top_k,
        seed=how.seed,
        choices=how.choices,
        logprobs=how.logprobs,
        top_logprobs=how.top_logprobs,
    )


def reserve_request(worker: str, ask: legs.ReserveAsk) -> decode_pb.ReserveRequest:
    """Return the message that asks for room."""
    job = ask.job
    return decode_pb.ReserveRequest(
        request_id=job.request_id,
        worker_id=worker,
        model_digest=job.model_digest,
        block_ids=ask.block_ids,
        prompt_tokens=len(job.prompt),
        max_output_tokens=job.max_output_tokens,
        choices=job.sampling.choices,
        ttl_ms=round(ask.ttl_s * 1000),
    )


def reservation(message: decode_pb.ReserveResponse, ttl_s: float) -> legs.Reservation:
    """Return the room that is held."""
    return legs.Reservation(message.reservation_id, message.worker_id, message.incarnation, message.first_block, ttl_s)


def prefill_request(worker: str, ask: legs.PrefillAsk) -> prefill_pb.PrefillRequest:
    """Return the message that asks for a prompt to be read."""
    job = ask.job
    message = prefill_pb.PrefillRequest(
        handoff_id=ask.handoff.handoff_id,
        epoch=ask.handoff.epoch,
        request_id=job.request_id,
        worker_id=worker,
        model_digest=job.model_digest,
        layout_digest=ask.layout_digest,
        prompt_tokens=job.prompt,
        namespace=job.namespace,
        grade=job.grade,
        tenant_digest=job.tenant_digest,
        sampling=_sampling_message(job.sampling),
        bounds=_bounds(job),
        first_block=ask.first_block,
        decode_worker_id=ask.decode_worker,
        decode_incarnation=ask.decode_incarnation,
        priority=job.priority,
    )
    if (grammar := _grammar(job)) is not None:
        message.grammar.CopyFrom(grammar)
    return message


def prefilled(message: prefill_pb.PrefillResponse) -> legs.Prefilled:
    """Return the first tokens and the ticket."""
    return legs.Prefilled(
        ticket=message.ticket,
        first_tokens=tuple(_token(token) for token in message.first_tokens),
        finished=tuple(_finished(each) for each in message.finished),
        usage=_usage(message.usage),
        worker=message.worker_id,
        incarnation=message.incarnation,
        lease_s=message.lease_ms / 1000,
    )


def decode_request(ask: legs.DecodeAsk) -> decode_pb.DecodeRequest:
    """Return the message that asks for answers."""
    job = ask.job
    message = decode_pb.DecodeRequest(
        request_id=job.request_id,
        reservation_id=ask.reservation.reservation_id,
        ticket=ask.ticket,
        prompt_tokens=job.prompt,
        model_digest=job.model_digest,
        namespace=job.namespace,
        tenant_digest=job.tenant_digest,
        grade=job.grade,
        sampling=_sampling_message(job.sampling),
        bounds=_bounds(job),
        emitted=[
            decode_pb.Emitted(choice=choice, token_ids=tokens, text=ask.said.get(choice, b"")) for choice, tokens in ask.emitted.items()
        ],
        ended_choices=ask.ended_choices,
        priority=job.priority,
        prompt_text=ask.prompt_text,
    )
    if (grammar := _grammar(job)) is not None:
        message.grammar.CopyFrom(grammar)
    return message


def decode_part(message: decode_pb.DecodeResponse) -> legs.DecodePart:
    """Return one part of an answer. Raises Unavailable (PROTOCOL) for one that is none."""
    kind = message.WhichOneof("part")
    if kind == "tokens":
        return legs.Tokens(tuple(_token(token) for token in message.tokens.tokens))
    if kind == "finished":
        return _finished(message.finished)
    if kind == "committed":
        told = message.committed
        return legs.Committed(
            worker=told.worker_id,
            incarnation=told.incarnation,
            pulled_bytes=told.pulled_bytes,
            pull_ms=told.pull_ms,
            transport=told.transport,
            pulls=told.pulls,
        )
    if kind == "ended":
        return legs.LegEnded(_usage(message.ended.usage))
    raise Unavailable("the worker said something unknown", reason="PROTOCOL")


def _grammar(job: legs.Job) -> pb.Grammar | None:
    if job.calls is None:
        return pb.Grammar(json_schema=job.json_schema) if job.json_schema else None
    tools = [pb.CallableTool(name=tool.name, parameters=tool.parameters, strict=tool.is_strict) for tool in job.calls.tools]
    calls = pb.ToolCallGrammar(format=job.calls.format, tools=tools, text=job.calls.has_text, parallel=job.calls.is_parallel)
    return pb.Grammar(json_schema=job.calls.text_schema, calls=calls)


def _bounds(job: legs.Job) -> pb.Bounds:
    return pb.Bounds(max_output_tokens=job.max_output_tokens, ignore_end=job.ignore_end)


def _token(message: pb.Token) -> domain.Token:
    top = tuple(domain.TokenLogprob(each.token_id, each.logprob) for each in message.top) if message.top else ()
    if message.is_text_only:
        return domain.Token(message.choice, message.index, 0, text=message.text, is_text_only=True)
    return domain.Token(message.choice, message.index, message.token_id, message.logprob, top)


def token_message(token: domain.Token) -> pb.Token:
    """Return the message of a token."""
    top = [pb.TokenLogprob(token_id=each.token_id, logprob=each.logprob, text=each.text) for each in token.top]
    return pb.Token(choice=token.choice, index=token.position, token_id=token.token_id, logprob=token.logprob, top=top, text=token.text)


def _finished(message: pb.ChoiceFinished) -> domain.ChoiceFinished:
    reason = domain.Finish(message.reason) if message.reason in _FINISH_REASONS else domain.Finish.ERROR
    return domain.ChoiceFinished(message.choice, reason, message.output_tokens)


def finished_message(finished: domain.ChoiceFinished) -> pb.ChoiceFinished:
    """Return the message of an answer's end."""
    return pb.ChoiceFinished(choice=finished.choice, reason=finished.reason.value, output_tokens=finished.output_tokens)  # type: ignore[arg-type]


def _usage(message: pb.UsageFacts) -> domain.Usage:
    return domain.Usage(
        prompt_tokens=message.prompt_tokens,
        cached_tokens=message.cached_tokens,
        output_tokens=message.output_tokens,
        shadow_tokens=message.shadow_tokens,
        accelerator=message.accelerator,
        busy_ms=message.busy_ms,
        energy_j=message.energy_j,
        is_energy_measured=message.energy_measured,
    )


def usage_message(used: domain.Usage) -> pb.UsageFacts:
    """Return the message of what was used."""
    return pb.UsageFacts(
        prompt_tokens=used.prompt_tokens,
        cached_tokens=used.cached_tokens,
        output_tokens=used.output_tokens,
        shadow_tokens=used.shadow_tokens,
        accelerator=used.accelerator,
        busy_ms=used.busy_ms,
        energy_j=used.energy_j,
        energy_measured=used.is_energy_measured,
    )
