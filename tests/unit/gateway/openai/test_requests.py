"""Bodies of the API as the router's request, without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gateway.openai import requests
from gateway.openai.errors import failure_of
from meshkit.errors import InvalidArgument, QuotaExceeded, Unauthenticated

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "你好"}]}
TEXT: dict[str, Any] = {"model": "m", "prompt": "从前"}


def chat(**fields: Any) -> requests.Asked:
    return requests.chat(json.dumps(CHAT | fields).encode(), {"gpt": "served"})


def text(**fields: Any) -> requests.Asked:
    return requests.text(json.dumps(TEXT | fields).encode(), {})


def test_what_is_not_said_is_as_openai_has_it() -> None:
    asked = chat()
    assert (asked.streams, asked.includes_usage, asked.has_logprobs) == (False, False, False)
    sampling = asked.request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.choices, asked.request.seed_set) == (1.0, 1.0, 1, False)
    assert asked.request.max_output_tokens == 0 and not asked.request.HasField("grammar")


def test_an_alias_is_the_served_model() -> None:
    assert chat(model="gpt").request.model == "served"
    assert chat(model="gpt-x").request.model == "gpt-x"


@pytest.mark.parametrize("fields", [{"max_tokens": 5}, {"max_completion_tokens": 5}, {"max_tokens": 5, "max_completion_tokens": 5}])
def test_two_names_of_one_bound(fields: Any) -> None:
    assert chat(**fields).request.max_output_tokens == 5


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
        ({"frequency_penalty": False}, "frequency_penalty"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": {}}, "stop"),
        ({"stop": 0}, "stop"),
        ({"stop": False}, "stop"),
        ({"messages": []}, "messages"),
        ({"messages": ["a"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "function", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "a", "name": "张三"}]}, "messages[0].name"),
        ({"messages": [{"role": "assistant", "tool_calls": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "assistant", "content": "a", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].type"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": []}}}, "response_format.json_schema.schema"),
        ({"response_format": "json_object"}, "response_format"),
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"top_k": 5}, "top_k"),
    ],
)
def test_what_is_wrong_is_named(fields: Any, param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        chat(**fields)
    assert failure_of(caught.value).body["param"] == param


@pytest.mark.parametrize("prompt", [[], [True], [-1], [2**32], [1.5], ["a", [1]], [[1], "a"], [[1], []], ["a"] * 17, {}, None, [[]]])
def test_a_prompt_that_is_none_is_refused(prompt: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        text(prompt=prompt)
    assert failure_of(caught.value).body["param"] == "prompt"


def test_a_number_without_a_fraction_is_whole() -> None:
    """As JSON Schema has it."""
    assert text(n=2.0, max_tokens=5.0, prompt=[1.0, 2]).request.sampling.choices == 2
    with pytest.raises(InvalidArgument):
        text(n=1.5)


def test_several_prompts_are_several_requests() -> None:
    texts, ids = text(prompt=["从前", "后来"], n=2, seed=3), text(prompt=[[1, 2], [3]])
    assert [(each.text, each.sampling.choices, each.sampling.seed) for each in texts.requests] == [("从前", 2, 3), ("后来", 2, 3)]
    assert [list(each.tokens.ids) for each in ids.requests] == [[1, 2], [3]] and texts.choices == 2
    assert len(text(prompt=["a"] * 16).requests) == 16


def test_best_of_is_neutral_only_when_it_is_n() -> None:
    assert text(best_of=2, n=2).request.sampling.choices == 2
    with pytest.raises(InvalidArgument, match="wrong"):
        text(best_of=3)


def test_a_pause_is_told_in_whole_seconds_and_exactly() -> None:
    headers = dict(failure_of(QuotaExceeded("no", retry_after_s=0.25)).headers)
    assert (headers[b"retry-after"], headers[b"retry-after-ms"], headers[b"x-should-retry"]) == (b"1", b"250", b"true")
    assert headers[b"x-ratelimit-reset-requests"] == b"0.250s"


def test_a_bug_shows_nothing_of_itself() -> None:
    failure = failure_of(ValueError("身份证 11010519491231002X"))
    assert (failure.status, failure.body["message"]) == (500, "internal error")
    assert failure_of(Unauthenticated("no")).status == 401
