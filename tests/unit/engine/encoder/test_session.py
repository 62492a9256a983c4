"""Any ONNX encoder behind one method, as its manifest says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from encoder import tiny
from encoder.folder import Facts, write
from engine.encoder import manifest as manifests
from engine.encoder.manifest import MODEL, Graph, Manifest, Prefixes
from engine.encoder.session import EncoderSession
from engine.llm.manifest import Source
from engine.llm.model_files import TOKENIZER, WrongFileError
from onnx import TensorProto, helper

TABLE = np.array([[0, 0], [1, 0], [0, 1], [3, 4], [-1, 1]], np.float32)
ROWS = [np.array([1, 2, 3]), np.array([4])]


def states() -> bytes:
    """A graph of somebody else: states of each piece, no pooling, a third input."""
    table = helper.make_tensor("table", TensorProto.FLOAT, TABLE.shape, TABLE.tobytes(), raw=True)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["found"]),
        helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["types", "last"], ["types.wide"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask.wide"]),
        helper.make_node("Sub", ["mask.wide", "mask.wide"], ["nothing"]),
        helper.make_node("Add", ["found", "types.wide"], ["some"]),
        helper.make_node("Add", ["some", "nothing"], ["last_hidden_state"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "s"]) for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["n", "s", 2])
    last = helper.make_tensor("last", TensorProto.INT64, [1], [-1])
    graph = helper.make_graph(nodes, "states", inputs, [output], [table, last])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


def made(root: Path, pooling: str, dimension: int = 2, output: str = "last_hidden_state", types: str | None = "token_type_ids") -> Path:
    facts = Facts(
        name="states", dimension=dimension, vocabulary=5, max_tokens=16, pad_id=0, prefixes=Prefixes("", ""),
        graph=Graph("input_ids", "attention_mask", types, output, pooling), source=Source("test", "0" * 64), licence="Apache-2.0",
    )  # fmt: skip
    return write(root, {MODEL: states(), TOKENIZER: b"{}"}, facts)


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [4, 5]), ("first", [1, 0])])
def test_states_are_pooled_over_the_pieces_of_each_text(tmp_path: Path, pooling: str, expected: list[int]) -> None:
    folder = made(tmp_path, pooling)
    found = EncoderSession(folder, manifests.read(folder)).encode(ROWS)
    np.testing.assert_allclose(found, [np.array(expected) / np.linalg.norm(expected), np.array([-1, 1]) / np.sqrt(2)], rtol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dimension": 3}, "vectors of"),
        ({"output": "pooled"}, "no output pooled"),
        ({"types": None}, "has inputs"),
        ({"pooling": "none"}, "vectors of"),
    ],
)
def test_a_graph_that_is_not_as_the_manifest_says_is_refused(tmp_path: Path, wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made(tmp_path, **({"pooling": "mean"} | wrong))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir()), "nothing is left of it"


def test_a_text_has_the_same_vector_whatever_is_beside_it(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    manifest: Manifest = manifests.read(folder)
    session = EncoderSession(folder, manifest)
    random = np.random.default_rng(7)
    rows = [random.integers(4, manifest.vocabulary, length) for length in (3, 90, 17, 40, 128, 5, 64)]
    together = session.encode(rows)
    for row, vector in zip(rows, together, strict=True):
        np.testing.assert_allclose(session.encode([row])[0], vector, atol=2e-6)


def test_a_file_that_is_not_the_manifest_s_is_not_loaded(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    wrong = replace(manifests.read(folder), files={MODEL: "0" * 64, TOKENIZER: "0" * 64})
    with pytest.raises(WrongFileError):
        EncoderSession(folder, wrong)
