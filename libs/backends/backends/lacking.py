"""What a foreign engine can't do, refused by name before any work, and what no engine of a row may be asked. Pure."""

from __future__ import annotations

from collections.abc import Container

from finmesh.inference.v1.decode_service_pb2 import DecodeRequest
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest
from meshkit.errors import FailedPrecondition, InvalidArgument

PREFIX = "ENGINE_LACKS_"


def lacks(what: str, why: str) -> FailedPrecondition:
    """Return the error of a request that an engine can't serve, and another may."""
    return FailedPrecondition(why, reason=PREFIX + what)


def check(request: DecodeRequest, missing: Container[str]) -> None:
    """Raise FailedPrecondition (ENGINE_LACKS_…) for the first thing that is wanted and that an engine has not. ``missing``: their names."""
    sampling = request.sampling
    wanted = {
        "HANDOFF": bool(request.ticket),
        "TOP_K": sampling.top_k > 0 and sampling.temperature > 0,
        "TOP_P": 0 < sampling.top_p < 1 and sampling.temperature > 0,
        "TEMPERATURE": sampling.temperature > 0,
        "SEED": sampling.temperature > 0 and sampling.seed != 0,
        "LOGPROBS": sampling.logprobs or sampling.top_logprobs > 0,
        "TOP_LOGPROBS": sampling.top_logprobs > 0,
        "GRAMMAR": request.HasField("grammar") and request.grammar.ByteSize() > 0,
        "CHOICES": sampling.choices > 1,
        "IGNORE_END": request.bounds.ignore_end,
        "TOKEN_IDS": not request.prompt_text,
        "TEXT_REPLAY": any(each.text and not each.token_ids for each in request.emitted),
        "TOKEN_REPLAY": any(each.token_ids and not each.text for each in request.emitted),
        "GRAMMAR_REPLAY": request.grammar.ByteSize() > 0 and any(each.token_ids or each.text for each in request.emitted),
    }
    if request.grammar.HasField("calls"):
        raise lacks("GRAMMAR", "this engine knows no grammar of tools")
    for what, is_wanted in wanted.items():
        if is_wanted and what in missing:
            raise lacks(what, f"this engine has no {what.lower().replace('_', ' ')}")


def check_prompt(request: PrefillRequest | DecodeRequest, model_digest: bytes, max_len_tokens: int, grade: int) -> None:
    """Raise for what is no request to this engine: InvalidArgument (PROMPT_EMPTY, PROMPT_TOO_LONG), FailedPrecondition."""
    if request.model_digest != model_digest:
        raise FailedPrecondition("this engine serves another model", reason="MODEL_UNKNOWN")
    if request.grade > grade:
        raise FailedPrecondition("data of this grade may not go there", reason="GRADE_NOT_ALLOWED")
    if not request.prompt_tokens:
        raise InvalidArgument("the prompt is empty", reason="PROMPT_EMPTY")
    if len(request.prompt_tokens) >= max_len_tokens:
        raise InvalidArgument("the prompt leaves no room for an answer", reason="PROMPT_TOO_LONG")
    if request.bounds.max_output_tokens < 1 or len(request.prompt_tokens) + request.bounds.max_output_tokens > max_len_tokens + 1:
        raise InvalidArgument("the answer is not bounded, or longer than this engine's rows", reason="PROMPT_TOO_LONG")
