"""What callers ask for and are told: `finmesh.router.v1`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from finmesh.inference.v1.backend_state_changed_pb2 import BackendStateChanged
from finmesh.inference.v1.worker_pb2 import WorkerDescription, WorkerLoad
from finmesh.router.v1 import router_service_pb2 as pb
from meshkit.errors import InvalidArgument
from meshkit.rpc.metadata import CallerFacts
from meshkit.tenants import checked_tenant

from router.domain import calls
from router.domain import generation as domain
from router.domain.model import ServedModel
from router.domain.policy import DEFAULT_SCENARIO, invalid
from router.domain.pool_history import StateChange
from router.steps.pool import Seen
from router.translate import legs

_HIGHEST_GRADE = 5
_TOOL_CHOICES = {int(choice) for choice in calls.ToolChoice}


def request(message: pb.GenerateRequest, facts: CallerFacts) -> domain.Request:
    """Return what a caller asks for. Raises InvalidArgument for a wrong tenant or a missing input."""
    bias = message.logit_bias
    if message.grammar.HasField("calls"):
        raise invalid("FIELD_UNSUPPORTED", "grammar.calls", "is made of the request's tools")
    return domain.Request(
        tenant=checked_tenant(message.tenant),
        scenario=message.scenario or facts.scenario or DEFAULT_SCENARIO,  # records and budgets name it, whoever leaves it out
        model=message.model,
        grade=int(message.grade) or _HIGHEST_GRADE,  # no grade was stated: treated as the highest
        input=_input(message),
        max_output_tokens=message.max_output_tokens,
        sampling=legs.sampling(message.sampling),
        is_seed_set=message.seed_set,
        stop=tuple(message.stop),
        json_schema=message.grammar.json_schema,
        return_token_ids=message.return_token_ids,
        ignore_end=message.ignore_end,
        frequency_penalty=message.frequency_penalty,
        presence_penalty=message.presence_penalty,
        has_logit_bias=bool(bias),
        forbids_standby=message.forbids_standby,
        tools=tuple(calls.Tool(tool.name, tool.description, tool.parameters, tool.strict) for tool in message.tools),
        tool_choice=_tool_choice(message),
        tool_name=message.tool_name,
        are_calls_parallel=message.parallel_tool_calls,
        request_id=facts.request_id,
        principal=facts.principal,
        purpose=facts.purpose,
        policy_hash=facts.policy_hash,
        budget_key=facts.budget_key,
    )


def _input(message: pb.GenerateRequest) -> domain.Input:
    match message.WhichOneof("input"):
        case "conversation":
            turns = message.conversation.messages
            return domain.Conversation(tuple(_turn(turn) for turn in turns))
        case "text":
            return domain.Text(message.text)
        case "tokens":
            return domain.TokenIds(tuple(message.tokens.ids))
    raise InvalidArgument("there is nothing to answer", reason="PROMPT_EMPTY", metadata={"field": "input"})


def _turn(turn: pb.Message) -> domain.Message:
    called = tuple(calls.ToolCall(call.id, call.name, call.arguments) for call in turn.tool_calls)
    return domain.Message(turn.role, turn.content, called, turn.tool_call_id, turn.name)


def _tool_choice(message: pb.GenerateRequest) -> calls.ToolChoice:
    if not message.tool_choice:
        return calls.ToolChoice.AUTO
    if message.tool_choice not in _TOOL_CHOICES:
        raise invalid("TOOL_CHOICE_INVALID", "tool_choice", "is not known here")
    return calls.ToolChoice(message.tool_choice)


def response(part: domain.Part, asked: domain.Request) -> pb.GenerateResponse:
    """Return the message of one part."""
    return _PARTS[type(part)](part, asked)


def _admitted(part: domain.Admitted, asked: domain.Request) -> pb.GenerateResponse:
    return pb.GenerateResponse(
        admitted=pb.Admitted(
            generation_id=part.generation_id,
            prompt_tokens=part.prompt_tokens,
            max_output_tokens=part.max_output_tokens,
            choices=part.choices,
            model=part.model,
            release=part.release,
            seed=part.seed,
        )
    )


def _delta(part: domain.Delta, asked: domain.Request) -> pb.GenerateResponse:
    delta = pb.Delta(choice=part.choice, text=part.text, output_tokens=part.output_tokens)
    if part.tokens and asked.return_token_ids:
        delta.token_ids.extend(token.token_id for token in part.tokens if not token.is_text_only)
    if part.tokens and asked.sampling.logprobs:
        delta.logprobs.extend(legs.token_message(token) for token in part.tokens)
    delta.tool_calls.extend(
        pb.ToolCallDelta(index=piece.number, id=piece.id, name=piece.name, arguments=piece.arguments) for piece in part.calls
    )
    return pb.GenerateResponse(delta=delta)


def _finished(part: domain.ChoiceFinished, asked: domain.Request) -> pb.GenerateResponse:
    return pb.GenerateResponse(finished=legs.finished_message(part))


def _continued(part: domain.Continued, asked: domain.Request) -> pb.GenerateResponse:
    return pb.GenerateResponse(continued=pb.Continued(reason=part.reason))


def _substituted(part: domain.Substituted, asked: domain.Request) -> pb.GenerateResponse:
    return pb.GenerateResponse(
        substituted=pb.Substituted(
            model=part.model,
            release=part.release,
            prompt_tokens=part.prompt_tokens,
            max_output_tokens=part.max_output_tokens,
            reason=part.reason,
            generation_id=part.generation_id,
        )
    )


def _ended(part: domain.Ended, asked: domain.Request) -> pb.GenerateResponse:
    how = part.provenance
    provenance = pb.Provenance(
        prefill_worker=how.prefill_worker,
        decode_worker=how.decode_worker,
        disaggregated=how.is_disaggregated,
        reason=how.reason,
        failovers=how.failovers,
        degradations=how.degradations,
        standby_for=how.standby_for,
    )
    return pb.GenerateResponse(
        ended=pb.Ended(
            usage=legs.usage_message(part.usage),
            provenance=provenance,
            started_record_id=part.started_record_id,
            ended_record_id=part.ended_record_id,
        )
    )


_PARTS: dict[type, Callable[..., pb.GenerateResponse]] = {
    domain.Admitted: _admitted,
    domain.Delta: _delta,
    domain.ChoiceFinished: _finished,
    domain.Continued: _continued,
    domain.Substituted: _substituted,
    domain.Ended: _ended,
}


def models_response(models: Sequence[tuple[ServedModel, bool]]) -> pb.ListModelsResponse:
    """Return the models, each with whether a worker can answer now."""
    return pb.ListModelsResponse(
        models=[
            pb.Model(
                name=model.name,
                release=model.release,
                digest=model.digest.hex(),
                max_len_tokens=model.max_len_tokens,
                licence=model.licence,
                available=is_available,
            )
            for model, is_available in models
        ]
    )


def backends_response(seen: Sequence[Seen], changes: Sequence[StateChange]) -> pb.ListBackendsResponse:
    """Return the workers, with what they say of themselves, and changes of their states."""
    return pb.ListBackendsResponse(
        backends=[
            pb.Backend(
                description=WorkerDescription.FromString(each.worker.told),
                load=WorkerLoad.FromString(each.load.told),
                age_ms=round(min(each.age_s, 3600.0) * 1000),
                service=each.service,
            )
            for each in seen
        ],
        changes=[BackendStateChanged.FromString(each.told) for each in changes],
    )
