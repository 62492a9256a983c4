"""LightGBM trees as an ONNX graph, by hand: one TreeEnsembleRegressor and a sigmoid.

Surprising: LightGBM compares in double precision, ONNX in single. A threshold is therefore rounded DOWN to the next float32; for
float32 features `x <= t` then routes every row as before, so the only difference left is the order of summation (see `PARITY`).
Converters round to nearest.
"""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import onnx
from engine.onnx_session import OnnxSession
from onnx import TensorProto, helper

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
DECIMALS = 6  # scores are rounded so before they are compared with thresholds
PARITY = 2e-6
INPUT, OUTPUT = "FEATURES", "PROBABILITY"
_OPSET, _ML_OPSET, _IR = 17, 3, 9


class ParityError(RuntimeError):
    """The graph does not say what the trees say."""


def to_onnx(booster: lgb.Booster) -> bytes:
    """A graph FEATURES (N, F) float32 to PROBABILITY (N,) float32. Raises ValueError for trees it cannot express."""
    columns = _TreeColumns()
    for number, tree in enumerate(booster.dump_model()["tree_info"]):
        columns.add(number, tree["tree_structure"])
    nodes = [
        helper.make_node("TreeEnsembleRegressor", [INPUT], ["log_odds"], domain="ai.onnx.ml", **columns.attributes()),
        helper.make_node("Sigmoid", ["log_odds"], ["column"]),
        helper.make_node("Reshape", ["column", "flat"], [OUTPUT]),
    ]
    graph = helper.make_graph(
        nodes,
        "fraud",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", booster.num_feature()])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N"])],
        [helper.make_tensor("flat", TensorProto.INT64, [1], [-1])],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="finmesh", ir_version=_IR)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def check_parity(booster: lgb.Booster, graph: bytes, vectors: F32) -> float:
    """Largest difference of rounded scores between trees and graph over `vectors`; raises ParityError above PARITY.

    Also demands that a row's score does not depend on its batch: a replay must give the same bits.
    """
    session = OnnxSession(graph)
    scores = session.run(vectors)
    difference = float(np.abs(rounded(scores) - rounded(np.asarray(booster.predict(vectors)))).max())
    if difference > PARITY:
        raise ParityError(f"scores differ by {difference:.2e}, allowed are {PARITY:.0e}")
    sample = vectors[:: max(len(vectors) // 500, 1)]
    alone = np.concatenate([session.run(row[None, :]) for row in sample])
    if not np.array_equal(rounded(alone), rounded(session.run(sample))):
        raise ParityError("a row's score depends on its batch")
    return difference


def rounded(scores: npt.NDArray[Any]) -> F64:
    """Scores at the stated precision."""
    return np.asarray(np.round(np.asarray(scores, dtype=np.float64), DECIMALS), dtype=np.float64)


class _TreeColumns:
    """Attributes of a TreeEnsembleRegressor, node by node."""

    def __init__(self) -> None:
        self._nodes: dict[str, list[Any]] = {
            name: [] for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
        }
        self._targets: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}

    def add(self, tree: int, root: dict[str, Any]) -> None:
        """Number the nodes of one tree in preorder and append them."""
        pending: list[tuple[dict[str, Any], int, bool]] = [(root, -1, False)]
        count = 0
        first = len(self._nodes["nodeids"])
        while pending:
            node, parent, is_true = pending.pop()
            if parent >= 0:
                self._nodes["truenodeids" if is_true else "falsenodeids"][first + parent] = count
            if "leaf_value" in node:
                self._append(tree, count, 0, "LEAF", 0.0)
                for name, value in zip(self._targets, (tree, count, 0, float(node["leaf_value"])), strict=True):
                    self._targets[name].append(value)
            else:
                if node["decision_type"] != "<=" or node["missing_type"] not in {"None", "NaN"}:
                    raise ValueError(f"a split of type {node['decision_type']} {node['missing_type']} has no place in the graph")
                self._append(tree, count, int(node["split_feature"]), "BRANCH_LEQ", float32_below(float(node["threshold"])))
                pending.append((node["right_child"], count, False))
                pending.append((node["left_child"], count, True))
            count += 1

    def _append(self, tree: int, node: int, feature: int, mode: str, value: float) -> None:
        for name, item in zip(self._nodes, (tree, node, feature, mode, value, 0, 0), strict=True):
            self._nodes[name].append(item)

    def attributes(self) -> dict[str, Any]:
        """Attributes in ONNX's names."""
        attributes: dict[str, Any] = {f"nodes_{name}": values for name, values in self._nodes.items()}
        attributes |= {f"target_{name}": values for name, values in self._targets.items()}
        return attributes | {"n_targets": 1, "aggregate_function": "SUM", "post_transform": "NONE"}


def float32_below(value: float) -> float:
    """The largest float32 that is not above `value`."""
    nearest = np.float32(value)
    return float(nearest if float(nearest) <= value else np.nextafter(nearest, np.float32(-np.inf)))
