"""Which model answered is asked of Triton, over a real socket: one that is not ours is not used, alarms, and its stand-in is flagged."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from meshkit.rpc.server import MeshServer
from meshkit.testing.serving import serving
from meshkit.triton.client import TritonClient
from risk_scoring.adapters.onnx_model import OnnxModel
from risk_scoring.adapters.triton_model import TritonModel
from risk_scoring.domain.decision import MODEL_IN_PROCESS
from risk_scoring.domain.features import COUNT
from risk_scoring.steps.score import Scorer
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.protocol.desks import Health, model_files
from tests.protocol.mutants import assert_fails_without, swapped

OURS = model_files()
ROWS = np.zeros((3, COUNT), dtype=np.float32)
FOREIGN_SCORE = 0.75
Output = tuple[str, str, list[int], bytes]


def scored(rows: int = 3) -> Output:
    """Scores that our model never gives."""
    return "PROBABILITY", "FP32", [rows], np.full(rows, FOREIGN_SCORE, dtype=np.float32).tobytes()


def named(sha256: bytes = OURS.sha256, datatype: str = "UINT8", shape: tuple[int, ...] = (32,)) -> Output:
    """The model's name for itself."""
    return "MODEL_SHA256", datatype, list(shape), sha256


class Triton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """A neighbour that answers what a test says."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.cut = 0  # raw contents left out

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        response = service_pb2.ModelInferResponse(model_name=request.model_name, model_version=request.model_version)
        for name, datatype, shape, raw in self.outputs[: len(self.outputs) - self.cut]:
            response.outputs.add(name=name, datatype=datatype, shape=shape)
            response.raw_output_contents.append(raw)
        for name, datatype, shape, _ in self.outputs[len(self.outputs) - self.cut :]:
            response.outputs.add(name=name, datatype=datatype, shape=shape)
        return response


WRONG: dict[str, tuple[list[Output], int, str]] = {
    "another model": ([scored(), named(b"\x00" * 32)], 0, "MODEL_NOT_OURS"),
    "one bit differs": ([scored(), named(OURS.sha256[:-1] + bytes([OURS.sha256[-1] ^ 1]))], 0, "MODEL_NOT_OURS"),
    "no name": ([scored()], 0, "MODEL_NOT_OURS"),
    "a short name": ([scored(), named(OURS.sha256[:31], shape=(31,))], 0, "MODEL_NOT_OURS"),
    "an empty name": ([scored(), named(b"", shape=(0,))], 0, "MODEL_NOT_OURS"),
    "a name a row": ([scored(), named(OURS.sha256 * 3, shape=(3, 32))], 0, "MODEL_NOT_OURS"),
    "another shape": ([scored(), named(shape=(1, 32))], 0, "MODEL_NOT_OURS"),
    "another type": ([scored(), named(datatype="INT8")], 0, "MODEL_NOT_OURS"),
    "text": ([scored(), named(datatype="BYTES", shape=(1,))], 0, "MODEL_SHAPE"),
    "a type that nobody knows": ([scored(), named(datatype="")], 0, "MODEL_SHAPE"),
    "less bytes than said": ([scored(), named(OURS.sha256[:16])], 0, "MODEL_SHAPE"),
    "no bytes at all": ([scored(), named()], 1, "MODEL_SHAPE"),
    "no scores": ([named()], 0, "MODEL_SHAPE"),
    "scores for others": ([scored(2), named()], 0, "MODEL_SHAPE"),
    "nothing": ([], 0, "MODEL_NOT_OURS"),
}


@pytest.fixture
async def triton() -> Any:
    neighbour = Triton()
    server = MeshServer("127.0.0.1:0")
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(neighbour, server)
    async with serving(server), TritonClient(server.address) as client:
        health = Health()
        yield neighbour, Scorer(TritonModel(client, OURS), OnnxModel(OURS), health, 2.0), health  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", WRONG)
async def test_an_answer_that_is_not_proven_ours_is_not_used(triton: Any, wrong: str) -> None:
    neighbour, scorer, health = triton
    neighbour.outputs, neighbour.cut, reason = WRONG[wrong]
    scores = await scorer.score(ROWS)
    assert FOREIGN_SCORE not in scores.values
    assert scores.degradations == (MODEL_IN_PROCESS,) and scores.model_sha256 == OURS.sha256
    assert health.missing == {"triton": reason}


async def test_it_is_used_again_as_soon_as_it_is_ours(triton: Any) -> None:
    neighbour, scorer, health = triton
    neighbour.outputs = [scored(), named(b"\x01" * 32)]
    assert (await scorer.score(ROWS)).degradations
    neighbour.outputs = [scored(), named()]
    scores = await scorer.score(ROWS)
    assert scores.values.tolist() == [FOREIGN_SCORE] * 3 and not scores.degradations
    assert scores.model_sha256 == OURS.sha256 and not health.missing


async def test_nothing_but_the_name_tells_models_apart(triton: Any) -> None:
    neighbour, scorer, _ = triton
    neighbour.outputs = [scored(), named(b"\x02" * 32)]

    async def check() -> None:
        assert (await scorer.score(ROWS)).degradations == (MODEL_IN_PROCESS,)

    async def believing(self: TritonModel, vectors: Any, timeout_s: float) -> Any:
        answer = await self._client.infer("fraud", self.version, {"FEATURES": vectors}, timeout_s)
        return answer["PROBABILITY"].astype(np.float64)

    checked: Callable[[], Any] = check
    await assert_fails_without("D5", checked, swapped(TritonModel, "score", believing))
