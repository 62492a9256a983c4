"""What vLLM answers, and what its errors are here; parts of answers as they were recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from backends.vllm.answers import Asked, Chunk, cached_tokens
from backends.vllm.answers import chunk as chunk_of
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, FINISH_REASON_STOP
from meshkit.errors import InvalidArgument, MeshError, Overloaded, Unavailable

FIRST = (
    '{"id":"cmpl-b916b358637b6a6a","object":"text_completion","created":1795899654,"model":"tiny","choices":[{"index":0,"text":" card",'
    '"logprobs":{"text_offset":[0],"token_logprobs":[-0.27735838294029236],"tokens":["token_id:314"],"top_logprobs":[{"token_id:314":'
    '-0.27735838294029236,"token_id:250":-2.0826637744903564}]},"finish_reason":null,"stop_reason":null,'
    '"prompt_token_ids":[168,80,205,336,27],"token_ids":[314]}]}'
)
USAGE = '{"choices":[],"usage":{"prompt_tokens":5,"total_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}'
WRONG = '{"error": {"message": "Internal server error", "type": "InternalServerError", "param": null, "code": 500}}'
GRAMMAR = '{"error": {"message": "Grammar error: Invalid type: nonsense", "type": "BadRequestError", "param": null, "code": 400}}'


def chunk(data: str, asked: Asked, index: int) -> Chunk:
    return chunk_of(data.encode(), asked, index)


def part(**changes: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "token_ids": [7], "finish_reason": None, **changes}]})


def test_a_part_as_it_was_recorded() -> None:
    found = chunk(FIRST, Asked(choice=2, top=1), 3)
    (token,) = found.tokens
    assert (token.choice, token.index, token.token_id, found.finish) == (2, 3, 314, 0)
    assert token.logprob == pytest.approx(-0.277358, abs=1e-5)
    assert [(each.token_id, round(each.logprob, 3)) for each in token.top] == [(314, -0.277)], "as many as were asked for"
    assert not chunk(FIRST, Asked(choice=0), 0).tokens[0].top
    assert chunk(USAGE, Asked(choice=0), 2).cached_tokens == 4


@pytest.mark.parametrize(("told", "reason"), [("length", FINISH_REASON_LENGTH), ("stop", FINISH_REASON_STOP)])
def test_why_it_ended(told: str, reason: int) -> None:
    assert chunk(part(finish_reason=told), Asked(choice=0), 0).finish == reason


@pytest.mark.parametrize("told", ["abort", "error", "repetition", 7])
def test_an_end_that_is_none(told: Any) -> None:
    with pytest.raises(Unavailable) as caught:
        chunk(part(finish_reason=told), Asked(choice=0), 0)
    assert caught.value.reason == "ENGINE_FAILED"


@pytest.mark.parametrize(
    ("data", "asked", "kind", "reason"),
    [
        (WRONG, Asked(choice=0, is_handed_over=True), Unavailable, "PULL_FAILED"),
        (WRONG, Asked(choice=0), Unavailable, "ENGINE_FAILED"),
        (GRAMMAR, Asked(choice=0, has_grammar=True), InvalidArgument, "SCHEMA_INVALID"),
        (GRAMMAR, Asked(choice=0, has_grammar=True, is_handed_over=True), InvalidArgument, "SCHEMA_INVALID"),
        (GRAMMAR, Asked(choice=0), InvalidArgument, "SAMPLING_INVALID"),
        ('{"error": {"code": 503}}', Asked(choice=0, is_handed_over=True), Overloaded, "OVERLOADED"),
        ('{"error": "odd"}', Asked(choice=0), Unavailable, "ENGINE_FAILED"),
    ],
)
def test_an_error_inside_a_stream(data: str, asked: Asked, kind: type[MeshError], reason: str) -> None:
    with pytest.raises(kind) as caught:
        chunk(data, asked, 0)
    assert caught.value.reason == reason
    assert "nonsense" not in caught.value.message, "it can repeat what was asked"


@pytest.mark.parametrize(
    "data",
    [
        "", "[]", "null", "{", "{}", '{"choices": 7}', '{"choices": [{}, {}]}', '{"choices": [7]}', part(token_ids=None),
        part(token_ids=[-1]), part(token_ids=["7"]), part(token_ids=[1 << 32]),
    ],
)  # fmt: skip
def test_what_is_no_part(data: str) -> None:
    with pytest.raises(Unavailable) as caught:
        chunk(data, Asked(choice=0), 0)
    assert caught.value.reason == "ENGINE_PROTOCOL"


@pytest.mark.parametrize("logprobs", [None, {}, {"token_logprobs": []}, {"token_logprobs": [-1.0], "top_logprobs": [{" card": -1.0}]}])
def test_log_probabilities_that_were_asked_for_and_are_not_there(logprobs: Any) -> None:
    with pytest.raises(Unavailable) as caught:
        chunk(part(logprobs=logprobs), Asked(choice=0, top=1), 0)
    assert caught.value.reason == "ENGINE_PROTOCOL"


def test_cached_tokens_of_a_whole_answer() -> None:
    assert cached_tokens(json.loads(USAGE)) == 4
    for told in (
        {},
        {"usage": None},
        {"usage": {"prompt_tokens_details": None}},
        {"usage": {"prompt_tokens_details": {"cached_tokens": "x"}}},
    ):
        assert cached_tokens(told) == 0
