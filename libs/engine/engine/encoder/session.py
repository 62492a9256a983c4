"""The graph of an encoder behind one method: word pieces in, vectors of length 1 out.

Surprising: its threads sleep when they have nothing to do (`allow_spinning` 0), because on few cores a thread that spins takes the core
from whoever has work. The graph is loaded by its path, since weights may lie beside it; all files are compared with the manifest first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from engine.encoder.manifest import FIRST, MEAN, MODEL, Manifest

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
_SMALLEST = np.float32(1e-12)


class EncoderSession:
    """Thread-safe, as ONNX Runtime's sessions are. ``sha256``: 32 bytes, the encoder's identity."""

    def __init__(self, folder: Path, manifest: Manifest, *, threads: int = 1) -> None:
        """Raises WrongFileError for a file that is not the manifest's, ValueError for a graph that is not as the manifest says."""
        manifest.verify(folder)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.manifest, self.sha256 = manifest, bytes.fromhex(manifest.digest)
        self._session = ort.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
        graph = manifest.graph
        inputs = {each.name for each in self._session.get_inputs()}
        wanted = {graph.ids, graph.mask} | ({graph.types} if graph.types else set())
        if inputs != wanted:
            raise ValueError(f"the graph has inputs {sorted(inputs)}, the manifest names {sorted(wanted)}")
        if graph.output not in {each.name for each in self._session.get_outputs()}:
            raise ValueError(f"the graph has no output {graph.output}")
        found = self.encode([np.full(2, manifest.pad_id, np.int64)])
        if found.shape != (1, manifest.dimension):
            raise ValueError(f"the graph gives vectors of {found.shape[1:]}, the manifest names {manifest.dimension}")

    def encode(self, rows: list[I64]) -> F32:
        """Return (len(rows), dimension) float32, rows of length 1. Each row: ids of one text, with begin and end."""
        graph, longest = self.manifest.graph, max(len(row) for row in rows)
        ids = np.full((len(rows), longest), self.manifest.pad_id, np.int64)
        mask = np.zeros((len(rows), longest), np.int64)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
            mask[at, : len(row)] = 1
        feed = {graph.ids: ids, graph.mask: mask} | ({graph.types: np.zeros_like(ids)} if graph.types else {})
        (output,) = self._session.run([graph.output], feed)
        vectors = _pooled(np.asarray(output, np.float32), mask, graph.pooling)
        lengths = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _SMALLEST)
        return np.asarray(vectors / lengths, np.float32)


def _pooled(output: F32, mask: I64, pooling: str) -> F32:
    if pooling == MEAN:
        weights = mask.astype(np.float32)
        return np.asarray(np.einsum("ns,nsd->nd", weights, output) / weights.sum(axis=1, keepdims=True), np.float32)
    return output[:, 0] if pooling == FIRST else output
