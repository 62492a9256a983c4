"""The graph: what 8-bit numbers change, and what they must not do on processors that add two products in 16 bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from encoder import calibrate, graph, ranges, tiny
from encoder.packed_file import F32, Packed
from encoder.ranges import PLACES, Range
from onnx import numpy_helper

TEXTS = ("the bank approves the payment", "银行批准付款", "保险 the payment 12%", "query: passage: a-b")


@pytest.fixture(scope="module")
def packed() -> Packed:
    return tiny.tiny()


def built(packed: Packed, reach: ranges.Ranges | None) -> bytes:
    return graph.build(packed, packed.matrix("emb.word", len(packed.pieces), packed.hidden), reach)


def vectors(model: bytes, rows: list[list[int]]) -> F32:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = [session.run(None, {graph.IDS: np.array([row]), graph.MASK: np.ones((1, len(row)), np.int64)})[0][0] for row in rows]
    return np.array(found, np.float32)


def test_eight_bits_change_little(packed: Packed) -> None:
    random = np.random.default_rng(3)
    rows = [random.integers(4, 100, length).tolist() for length in (2, 9, 40, 127)]
    exact, rounded = vectors(built(packed, None), rows), vectors(built(packed, calibrate.measure(packed, TEXTS)), rows)
    assert (exact * rounded).sum(axis=1).min() > 0.98
    assert np.linalg.norm(exact, axis=1) == pytest.approx(np.ones(4), abs=1e-5)


def test_channels_that_are_divided_count_as_before(packed: Packed) -> None:
    reach = {place: replace(each, divisors=dict.fromkeys(range(0, 64, 2), 4.0)) for place, each in calibrate.measure(packed, TEXTS).items()}
    rows = [[0, 20, 30, 40, 2], [0, *range(5, 60), 2]]
    exact, rounded = vectors(built(packed, None), rows), vectors(built(packed, reach), rows)
    assert (exact * rounded).sum(axis=1).min() > 0.98


def test_floats_are_those_of_the_formulas(packed: Packed) -> None:
    row = [0, 20, 30, 40, 2]
    np.testing.assert_allclose(vectors(built(packed, None), [row])[0], by_hand(packed, row), atol=2e-5)


def by_hand(p: Packed, row: list[int]) -> F32:
    """BERT's own formulas (Devlin and others, 2019), in numpy."""

    def normal(x: F32, name: str) -> F32:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + p.epsilon)
        return x * p.floats(f"{name}.w", p.hidden) + p.floats(f"{name}.b", p.hidden)

    def product(x: F32, name: str, out: int, width: int) -> F32:
        return x @ p.matrix(f"{name}.w", out, width).dense().T + p.floats(f"{name}.b", out)

    def heads(x: F32) -> F32:
        return x.reshape(len(row), p.heads, -1).transpose(1, 0, 2)

    words = p.matrix("emb.word", len(p.pieces), p.hidden).dense()[row]
    x = normal(words + p.floats("emb.pos", p.max_positions, p.hidden)[: len(row)] + p.floats("emb.type", 2, p.hidden)[0], "emb.ln")
    for at in (f"l{layer}" for layer in range(p.layers)):
        q, k, v = (heads(product(x, f"{at}.{each}", p.hidden, p.hidden)) for each in "qkv")
        weights = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(p.hidden / p.heads))
        seen = (weights / weights.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(row), -1)
        x = normal(x + product(seen, f"{at}.ao", p.hidden, p.hidden), f"{at}.aln")
        wide = product(x, f"{at}.fi", p.feed_forward, p.hidden)
        erf = np.vectorize(__import__("math").erf)(wide / np.sqrt(2)).astype(np.float32)
        x = normal(x + product(wide * (1 + erf) / 2, f"{at}.fo", p.hidden, p.feed_forward), f"{at}.oln")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_no_two_products_pass_sixteen_bits(packed: Packed) -> None:
    model = onnx.load_from_string(built(packed, calibrate.measure(packed, TEXTS)))
    weights = [
        numpy_helper.to_array(each) for each in model.graph.initializer if each.data_type == onnx.TensorProto.INT8 and len(each.dims) == 2
    ]
    assert len(weights) == 4 * packed.layers
    assert max(int(np.abs(each.astype(int)).max()) for each in weights) * 255 * 2 < 1 << 15


def test_measured_ranges_are_there_for_every_product_of_the_shipped_model() -> None:
    found = ranges.load()
    assert set(found) == {f"l{layer}.{place}" for layer in range(12) for place in PLACES}
    assert all(each.least < each.most for each in found.values())


def test_ranges_are_read_as_they_were_written(tmp_path: object) -> None:
    reach = {"l0.in": Range(-1.5, 2.0, {3: 1.2}), "l0.att": Range(0.0, 1.0, {})}
    ranges.save(reach, tmp_path / "r.json")  # type: ignore[operator]
    assert ranges.load(tmp_path / "r.json") == reach  # type: ignore[operator]
