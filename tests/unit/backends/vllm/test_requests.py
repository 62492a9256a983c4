"""What is asked of vLLM: nothing that decides on tokens is left to the model's folder."""

from __future__ import annotations

from typing import Any

import pytest
from backends.vllm.requests import decode_body, prefill_body
from finmesh.inference.v1.decode_service_pb2 import DecodeRequest, Emitted
from finmesh.inference.v1.generation_pb2 import Bounds, Grammar, Sampling
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest
from meshkit.errors import InvalidArgument

NAMESPACE = bytes(range(32))
DECIDING = {
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "max_tokens",
    "min_tokens", "n", "stop", "ignore_eos", "cache_salt",
}  # fmt: skip


def request(**changes: Any) -> DecodeRequest:
    return DecodeRequest(**{"prompt_tokens": [5, 6], "namespace": NAMESPACE, "bounds": Bounds(max_output_tokens=9), **changes})


def body(asked: DecodeRequest, choice: int = 0, **changes: Any) -> dict[str, Any]:
    return decode_body(asked, choice, "tiny", **{"most": 9, "transfer": None, "priorities": False, **changes})


def test_everything_that_decides_on_tokens_is_said() -> None:
    asked = PrefillRequest(handoff_id="h", epoch=2, prompt_tokens=[5, 6], namespace=NAMESPACE, priority=5)
    for told in (body(request()), prefill_body(asked, "tiny", priorities=False)):
        assert told.keys() >= DECIDING
        assert (told["top_p"], told["repetition_penalty"], told["add_special_tokens"], told["prompt"]) == (1.0, 1.0, False, [5, 6])
        assert told["cache_salt"] == "finmesh:" + NAMESPACE.hex()
        assert "priority" not in told, "an engine without priorities refuses any"


def test_a_prompt_is_read_for_somebody_else() -> None:
    asked = PrefillRequest(handoff_id="h", epoch=2, prompt_tokens=[5, 6], namespace=NAMESPACE, priority=5)
    told = prefill_body(asked, "tiny", priorities=True)
    assert (told["max_tokens"], told["stream"], told["priority"], told["request_id"]) == (1, False, -5, "h-2")
    assert told["kv_transfer_params"]["do_remote_decode"] is True


def test_how_tokens_are_chosen() -> None:
    how = Sampling(temperature=0.5, top_p=0.25, top_k=7, seed=2**64 - 1, choices=2, logprobs=True, top_logprobs=3)
    first, second = body(request(sampling=how)), body(request(sampling=how), 1)
    assert (first["temperature"], first["top_p"], first["top_k"], first["logprobs"]) == (0.5, 0.25, 7, 3)
    assert (first["seed"], second["seed"]) == (2**63 - 1, 0), "seeds are 63 bits there, and one for each answer"
    assert first["return_tokens_as_token_ids"] is True
    assert "seed" not in body(request())


def test_an_answer_that_is_continued_has_its_tokens_in_the_prompt() -> None:
    asked = request(emitted=[Emitted(choice=1, token_ids=[7, 8])])
    assert (body(asked, 0)["prompt"], body(asked, 1, most=7)["prompt"]) == ([5, 6], [5, 6, 7, 8])


def test_a_form_and_its_end() -> None:
    """Behind its form vLLM would go on with anything when it is told to ignore the end."""
    told = body(request(grammar=Grammar(json_schema='{"type": "object"}'), bounds=Bounds(max_output_tokens=9, ignore_end=True)))
    assert (told["structured_outputs"], told["ignore_eos"]) == ({"json": {"type": "object"}}, False)
    assert body(request(bounds=Bounds(max_output_tokens=9, ignore_end=True)))["ignore_eos"] is True
    with pytest.raises(InvalidArgument) as caught:
        body(request(grammar=Grammar(json_schema="{")))
    assert caught.value.reason == "SCHEMA_INVALID"
