"""Wrapping by hand gives the bytes that protobuf would give."""

import json

import pytest
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.otc.v1 import otc_service_pb2 as otc
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from finmesh.router.v1 import router_service_pb2 as router
from gateway.domain.token_shares import TokenCount
from gateway.routes import ROUTES
from gateway.translate import Codec, GenerationCodec, pack
from hypothesis import given
from hypothesis import strategies as st
from llm import chatml
from meshkit.errors import InvalidArgument
from router.adapters.jinja_worker import environment

CODECS = {route.method: Codec(route) for route in ROUTES}


@pytest.mark.parametrize("length", [0, 1, 100, 120, 124, 125, 126, 127, 128, 129, 16_379, 16_384, 2_097_150, 2_100_000])
def test_a_packed_answer_is_the_wrapper(length: int) -> None:
    answer = risk.GetDecisionResponse(decision_record=b"r" * length)
    packed = pack(answer.SerializeToString())
    assert packed == pb.GetDecisionResponse(response=answer).SerializeToString()


def test_tenant_key_and_body_are_read_out() -> None:
    request = pb.ScoreTransactionRequest(idempotency_key="k")
    request.request.transaction.tenant = "bank-a"
    envelope = CODECS["ScoreTransaction"].unpack(request.SerializeToString())
    assert (envelope.tenant, envelope.idempotency_key) == ("bank-a", "k")
    assert envelope.body == request.request.SerializeToString()


def test_a_method_without_tenant_names_none() -> None:
    request = pb.GetCheckpointRequest()
    request.request.SetInParent()
    assert CODECS["GetCheckpoint"].unpack(request.SerializeToString()).tenant is None


def test_fields_that_this_build_does_not_know_reach_the_owner() -> None:
    unknown = b"\xfa\x7f\x03new"  # field 2047
    inner = risk.GetDecisionRequest(tenant="bank-a").SerializeToString() + unknown
    assert unknown in CODECS["GetDecision"].unpack(b"\x0a" + bytes([len(inner)]) + inner).body


def generation(**fields: object) -> pb.GenerateRequest:
    return pb.GenerateRequest(request=router.GenerateRequest(tenant="bank-a", **fields))  # type: ignore[arg-type]


def test_scenario_and_grade_are_read_out() -> None:
    envelope = CODECS["Generate"].unpack(generation(scenario="assistant", grade=3).SerializeToString())
    assert (envelope.tenant, envelope.scenario, envelope.grade) == ("bank-a", "assistant", 3)
    unsaid = CODECS["Generate"].unpack(generation().SerializeToString())
    assert (unsaid.scenario, unsaid.grade) == ("", 0)


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=40)), max_size=20))
def test_a_prompt_has_no_more_tokens_than_the_bound_says(turns: list[tuple[str, str]]) -> None:
    """By the worst of tokenisers: one token a byte, and five more for each turn (marks, role, new lines)."""
    messages = [router.Message(role=role, content=content) for role, content in turns]
    envelope = CODECS["Generate"].unpack(generation(conversation=router.Conversation(messages=messages)).SerializeToString())
    assert envelope.tokens is not None
    assert envelope.tokens.prompt >= sum(len(content.encode()) + 5 for _, content in turns)


@pytest.mark.parametrize(
    ("asked", "choices", "output"), [(0, 0, 7), (0, 3, 21), (100, 0, 100), (100, 4, 400), (2**32 - 1, 2**32 - 1, 10**9)]
)
def test_an_answer_has_no_more_tokens_than_the_bound_says(asked: int, choices: int, output: int) -> None:
    request = generation(max_output_tokens=asked)
    request.request.sampling.choices = choices
    codec = Codec(next(route for route in ROUTES if route.method == "Generate"), assumed_output_tokens=7)
    envelope = codec.unpack(request.SerializeToString())
    assert envelope.tokens is not None and envelope.tokens.output == output


def test_only_generations_cost_tokens() -> None:
    assert {route.method for route in ROUTES if route.metered} == {"Generate", "ParseOtcInquiry"}
    request = pb.ListModelsRequest(request=router.ListModelsRequest(tenant="bank-a"))
    assert CODECS["ListModels"].unpack(request.SerializeToString()).tokens is None


@pytest.mark.parametrize("part", [field.name for field in router.GenerateResponse.DESCRIPTOR.oneofs_by_name["part"].fields])
def test_what_a_response_is_stands_in_its_first_byte(part: str) -> None:
    response = router.GenerateResponse()
    getattr(response, part).SetInParent()
    stages = {"admitted": "admitted", "delta": "text", "ended": "ended", "substituted": "substituted"}
    assert GenerationCodec().stage(response.SerializeToString()) == stages.get(part)


def test_what_a_response_says_of_tokens() -> None:
    codec = GenerationCodec()

    def said(**part: object) -> TokenCount:
        return codec.tokens(router.GenerateResponse(**part).SerializeToString())  # type: ignore[arg-type]

    def allowed(**part: object) -> tuple[TokenCount, int]:
        return codec.allowed(router.GenerateResponse(**part).SerializeToString())  # type: ignore[arg-type]

    assert allowed(admitted=router.Admitted(prompt_tokens=12, max_output_tokens=50, choices=3)) == (TokenCount(12, 50), 3)
    assert allowed(admitted=router.Admitted(prompt_tokens=12, max_output_tokens=50)) == (TokenCount(12, 50), 1)
    assert allowed(substituted=router.Substituted(prompt_tokens=9, max_output_tokens=40)) == (TokenCount(9, 40), 0)
    assert said(delta=router.Delta(text="你好", output_tokens=9)) == TokenCount(0, 9)
    assert said(ended=router.Ended(usage={"prompt_tokens": 12, "output_tokens": 40, "shadow_tokens": 5})) == TokenCount(12, 40)
    assert codec.stage(b"") is None


@given(st.binary(max_size=300))
def test_any_bytes_give_an_envelope_or_a_typed_refusal(raw: bytes) -> None:
    for codec in CODECS.values():
        try:
            codec.unpack(raw)
        except InvalidArgument as error:
            assert error.reason in ("MALFORMED_MESSAGE", "INVALID_ARGUMENT")


NAMES = st.text("abc_-Z9", min_size=1, max_size=12)
SCHEMAS = st.dictionaries(st.text(max_size=8), st.lists(st.integers() | st.text(max_size=6), max_size=4), max_size=6)


@given(st.dictionaries(NAMES, st.tuples(st.text(max_size=20), SCHEMAS), min_size=1, max_size=12))
def test_tools_have_no_more_tokens_than_the_bound_says(stated: dict[str, tuple[str, dict[str, object]]]) -> None:
    """By the worst of tokenisers again, in the template of Hermes, which writes them anew."""
    turn = router.Conversation(messages=[router.Message(role="user", content="x")])
    tools = [
        router.Tool(name=name, description=said, parameters=json.dumps(schema, ensure_ascii=False, separators=(",", ":")))
        for name, (said, schema) in stated.items()
    ]
    bounds = [CODECS["Generate"].unpack(generation(conversation=turn, tools=each).SerializeToString()).tokens for each in ([], tools)]
    functions = [{"name": name, "description": said, "parameters": schema} for name, (said, schema) in stated.items()]
    template = environment().from_string(chatml.HERMES_TEMPLATE)
    written = [
        len(template.render(messages=[{"role": "user", "content": "x"}], tools=each).encode())
        for each in (None, [{"type": "function", "function": function} for function in functions])
    ]
    assert bounds[0] is not None and bounds[1] is not None
    assert written[1] - written[0] <= bounds[1].prompt - bounds[0].prompt


def test_an_inquiry_of_the_desk_may_use_its_bytes_and_no_more_than_its_model_writes() -> None:
    request = pb.ParseOtcInquiryRequest(request=otc.ParseOtcInquiryRequest(tenant="bank-a", text="茅台"))
    unpacked = CODECS["ParseOtcInquiry"].unpack(request.SerializeToString())
    assert unpacked.tokens == TokenCount(len(unpacked.body) + 128, 192)
