"""Why a boosted-tree model scored a row as it did: contributions along decision paths.

Each step from a node to its child moves the expected log-odds; the move belongs to the feature that was tested (Saabas 2014; exact for
the sum: bias plus contributions is the raw score). A row costs microseconds where exact Shapley values cost hundreds. The trees come from
LightGBM's own text format, version v4, which keeps the expected value of inner nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from meshkit.errors import InvalidArgument
from numpy.typing import NDArray

_NEEDED = ("split_feature", "threshold", "left_child", "right_child", "leaf_value", "internal_value")


@dataclass(frozen=True, slots=True)
class TreePaths:
    """All trees side by side, padded; leaves point to themselves. Arrays are (trees, nodes)."""

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]
    depth: int

    @classmethod
    def parse(cls, text: str) -> TreePaths:
        """Read a LightGBM text model. Raises InvalidArgument when it is something else or has categorical splits."""
        trees = [_parse_tree(block) for block in text.split("\nTree=")[1:]]
        if not trees:
            raise InvalidArgument("no trees in the model text", reason="MODEL_MALFORMED")
        size = max(len(tree[4]) for tree in trees)
        columns = [np.stack([np.pad(tree[i], (0, size - len(tree[i]))) for tree in trees]) for i in range(5)]
        return cls(
            feature=columns[0].astype(np.int32),
            threshold=columns[1].astype(np.float64),
            left=columns[2].astype(np.int32),
            right=columns[3].astype(np.int32),
            value=columns[4].astype(np.float64),
            depth=max(_depth(tree[2], tree[3]) for tree in trees),
        )

    def contributions(self, rows: NDArray[np.float32], features: int) -> NDArray[np.float64]:
        """Return (n, features + 1) contributions in log-odds; the last column is the bias."""
        n = len(rows)
        trees = np.arange(len(self.feature))[None, :]
        at = np.zeros((n, len(self.feature)), dtype=np.int32)  # (n, trees) current node
        result = np.zeros((n, features + 1))
        result[:, features] = self.value[:, 0].sum()
        row_index = np.broadcast_to(np.arange(n)[:, None], at.shape)
        wide = rows.astype(np.float64)
        for _ in range(self.depth):
            tested = self.feature[trees, at]
            goes_left = wide[row_index, tested] <= self.threshold[trees, at]
            child = np.where(goes_left, self.left[trees, at], self.right[trees, at])
            np.add.at(result, (row_index, tested), self.value[trees, child] - self.value[trees, at])
            at = child
        return result


def _parse_tree(block: str) -> tuple[NDArray[Any], ...]:
    """Return feature, threshold, left, right, value of one tree; inner nodes first, then leaves."""
    fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    if int(fields.get("num_cat", "0")):
        raise InvalidArgument("categorical splits are not supported", reason="MODEL_MALFORMED")
    leaves = np.array([float(x) for x in fields["leaf_value"].split()])
    if "split_feature" not in fields or not fields["split_feature"].strip():
        own = np.arange(len(leaves))
        return np.zeros(len(leaves)), np.zeros(len(leaves)), own, own, leaves
    missing = [name for name in _NEEDED if name not in fields]
    if missing:
        raise InvalidArgument(f"model text lacks {missing}", reason="MODEL_MALFORMED")
    columns = {name: np.array([float(x) for x in fields[name].split()]) for name in _NEEDED}
    inner = len(columns["split_feature"])

    def place(child: NDArray[np.float64]) -> NDArray[Any]:
        return np.where(child >= 0, child, inner + (-child - 1))

    own = inner + np.arange(len(leaves))
    return (
        np.concatenate([columns["split_feature"], np.zeros(len(leaves))]),
        np.concatenate([columns["threshold"], np.zeros(len(leaves))]),
        np.concatenate([place(columns["left_child"]), own]),
        np.concatenate([place(columns["right_child"]), own]),
        np.concatenate([columns["internal_value"], leaves]),
    )


def _depth(left: NDArray[Any], right: NDArray[Any]) -> int:
    deepest, stack = 0, [(0, 0)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend((child, depth + 1) for child in {int(left[node]), int(right[node])} - {node})
    return deepest
