"""Wrapping by hand gives the bytes that protobuf would give."""

import pytest
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from gateway.routes import ROUTES
from gateway.translate import Codec, pack
from hypothesis import given
from hypothesis import strategies as st
from meshkit.errors import InvalidArgument

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


@given(st.binary(max_size=300))
def test_any_bytes_give_an_envelope_or_a_typed_refusal(raw: bytes) -> None:
    for codec in CODECS.values():
        try:
            codec.unpack(raw)
        except InvalidArgument as error:
            assert error.reason in ("MALFORMED_MESSAGE", "INVALID_ARGUMENT")
