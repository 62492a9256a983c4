"""The bytes of a direct message are aiokafka's own, and so is what is read of the answer."""

from io import BytesIO

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from meshkit.events.direct import _Produce, _Response

PLACE = TopicPartition("finmesh.审计", 3)


def test_request() -> None:
    theirs = ProduceRequest_v7(None, -1, 5_000, [(PLACE.topic, [(3, b"batch")])])
    ours = _Produce(PLACE, b"batch", -1, 5_000).prepare({0: (3, 13)})
    assert ours.encode() == theirs.encode()
    assert ours.build_request_header(77, "风控").encode() == theirs.build_request_header(77, "风控").encode()


@pytest.mark.parametrize("error", [0, 6, 46])
def test_answer(error: int) -> None:
    theirs = ProduceResponse_v7([(PLACE.topic, [(3, error, 1 << 40, -1, 12)])], 0)
    answer = _Response.decode(BytesIO(theirs.encode()))
    assert answer == (error, 1 << 40, -1, 12)
    assert _Produce(PLACE, b"", -1, 1).parse_response_header(BytesIO(b"\x00\x00\x00\x4d")).correlation_id == 77


@pytest.mark.parametrize("topics", [[], [("a", []), ("b", [])], [("a", [(1, 0, 0, 0, 0), (2, 0, 0, 0, 0)])]])
def test_an_answer_of_other_batches_is_none(topics: list[object]) -> None:
    with pytest.raises((KafkaError, ValueError)):
        _Response.decode(BytesIO(ProduceResponse_v7(topics, 0).encode() + bytes(40)))


@pytest.mark.parametrize("versions", [{}, {0: (0, 6)}, {0: (8, 13)}])
def test_a_broker_of_other_versions_is_the_sender_s_matter(versions: dict[int, tuple[int, int]]) -> None:
    with pytest.raises(KafkaError):
        _Produce(PLACE, b"", -1, 1).prepare(versions)
