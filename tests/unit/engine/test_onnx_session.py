from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from engine.onnx_session import OnnxSession
from onnx import TensorProto, helper


def _linear(weights: list[float]) -> bytes:
    """A graph (N, F) to (N,): the weighted sum of a row."""
    count = len(weights)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["column"]), helper.make_node("Reshape", ["column", "flat"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", count])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
        [helper.make_tensor("w", TensorProto.FLOAT, [count, 1], weights), helper.make_tensor("flat", TensorProto.INT64, [1], [-1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def test_rows_are_scored_from_bytes_and_from_a_file(tmp_path: Path) -> None:
    rows = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
    (tmp_path / "model.onnx").write_bytes(_linear([1.0, 10.0]))
    for session in (OnnxSession(_linear([1.0, 10.0])), OnnxSession(tmp_path / "model.onnx")):
        scores = session.run(rows)
        assert scores.tolist() == [21.0, 43.0, 65.0]
        assert scores.dtype == np.float32
        assert session.features == 2
        assert session.sha256 == sha256(_linear([1.0, 10.0])).digest()


def test_the_digest_is_of_the_bytes_that_the_session_was_made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is swapped between its reading and the making of the session: the digest goes with what answers."""
    file, genuine = tmp_path / "model.onnx", ort.InferenceSession
    file.write_bytes(_linear([1.0]))

    def swapped(*arguments, **named):
        file.write_bytes(_linear([2.0]))
        return genuine(*arguments, **named)

    monkeypatch.setattr(ort, "InferenceSession", swapped)
    session = OnnxSession(file)
    answers = {sha256(_linear([weight])).digest(): weight for weight in (1.0, 2.0)}
    assert session.run(np.array([[1.0]], dtype=np.float32)).tolist() == [answers[session.sha256]]


def test_outputs_are_copies_that_a_later_run_leaves_alone() -> None:
    session = OnnxSession(_linear([1.0]))
    first = session.run(np.array([[1.0]], dtype=np.float32))
    session.run(np.array([[9.0]], dtype=np.float32))
    assert first.tolist() == [1.0]
    assert first.flags.owndata
    assert first.flags.writeable


def test_an_empty_batch_and_a_strided_one_are_fine() -> None:
    session = OnnxSession(_linear([1.0, 10.0]))
    assert session.run(np.empty((0, 2), dtype=np.float32)).shape == (0,)
    wide = np.arange(8, dtype=np.float32).reshape(2, 4)
    assert session.run(wide[:, ::2]).tolist() == [20.0, 64.0]


@pytest.mark.parametrize("wrong", [np.zeros((2, 3), np.float32), np.zeros(2, np.float32), np.zeros((2, 2), np.float64)])
def test_other_shapes_and_types_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        OnnxSession(_linear([1.0, 10.0])).run(wrong)


def test_a_graph_with_another_signature_is_refused() -> None:
    model = onnx.load_from_string(_linear([1.0]))
    model.graph.output.append(helper.make_tensor_value_info("column", TensorProto.FLOAT, ["N", 1]))
    with pytest.raises(ValueError, match="one float input"):
        OnnxSession(model.SerializeToString())
