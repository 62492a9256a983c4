"""Any encoder that is ONNX already: taken as it is, served by a manifest, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from encoder import __main__ as command
from encoder import tiny
from encoder.errors import EncoderError
from encoder.foreign import Choices, take
from engine.encoder import manifest as manifests
from engine.encoder.manifest import MODEL
from engine.encoder.session import EncoderSession
from engine.llm.model_files import TOKENIZER


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder as others publish them: no manifest, usual names, weights beside the graph."""
    ours, folder = tiny.make(tmp_path / "ours"), tmp_path / "某 encoder"
    (folder / "onnx").mkdir(parents=True)
    model = onnx.load(ours / MODEL)
    for node in model.graph.node:
        node.input[:] = [{"ids": "input_ids", "mask": "attention_mask"}.get(name, name) for name in node.input]
    for each, name in zip(model.graph.input, ("input_ids", "attention_mask"), strict=True):
        each.name = name
    onnx.save(model, folder / "onnx" / MODEL, save_as_external_data=True, location="weights.bin", size_threshold=64)
    (folder / TOKENIZER).write_bytes((ours / TOKENIZER).read_bytes())
    return folder


def test_it_gives_the_vectors_that_it_gave(theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "models"
    options = ["--query-prefix", "query: ", "--passage-prefix", "passage: ", "--max-tokens", "128", "--licence", "MIT", "--default"]
    assert command.main(["--from", str(theirs), "--root", str(root), *options]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert (root / "encoder").resolve() == folder
    manifest = manifests.read(folder)
    assert (manifest.graph.ids, manifest.graph.pooling, manifest.dimension, manifest.pad_id) == ("input_ids", "none", tiny.HIDDEN, 1)
    assert sorted(manifest.files) == [MODEL, TOKENIZER, "weights.bin"]
    ours = next((tmp_path / "ours").iterdir())
    row = [np.array([0, 20, 21, 2])]
    found, wanted = (EncoderSession(each, manifests.read(each)).encode(row) for each in (folder, ours))
    np.testing.assert_array_equal(found, wanted)


def test_what_changes_vectors_changes_the_identity(theirs: Path, tmp_path: Path) -> None:
    folders = {take(theirs, tmp_path / "m", Choices(max_tokens=128, query_prefix=prefix)).name for prefix in ("", "query: ")}
    assert len(folders) == 2


def test_what_cannot_be_served_is_refused(theirs: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no output pooled"):
        take(theirs, tmp_path / "m", Choices(output="pooled"))
    with pytest.raises(EncoderError, match="512 pieces"):
        take(theirs, tmp_path / "m", Choices(max_tokens=512))
    with pytest.raises(EncoderError, match="line 1"):
        (theirs / TOKENIZER).write_text('{"a model": 1}')
        take(theirs, tmp_path / "m", Choices())
    (theirs / "onnx" / MODEL).unlink()
    with pytest.raises(EncoderError, match=r"no model\.onnx"):
        take(theirs, tmp_path / "m", Choices())
    assert not list((tmp_path / "m").glob("*"))
