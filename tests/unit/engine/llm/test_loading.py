"""A model is opened as its manifest names it, or not at all."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from engine.llm import manifest as manifests
from engine.llm.loading import WrongProviderError, load
from engine.llm.model_files import WrongFileError
from llm import tiny


def test_what_is_opened_is_what_was_checked(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    loaded = load(folder, threads=1)
    assert (loaded.manifest.digest[:16], loaded.device, loaded.threads) == (folder.name, "cpu", 1)
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0")
    with pytest.raises(WrongFileError, match=r"model\.onnx"):
        load(folder)


def test_weights_in_a_second_file_are_found(tmp_path: Path) -> None:
    asked = tiny.Tiny()
    folder = tiny.folder.write(
        tmp_path, asked.architecture(), tiny.random_weights(asked.architecture(), "fp32", 1), tiny.facts(asked), one_file_bytes=1000
    )
    assert manifests.MODEL_DATA in load(folder, threads=1).manifest.files
    (folder / manifests.MODEL_DATA).write_bytes(b"")
    with pytest.raises(WrongFileError, match="data"):
        load(folder)


def test_a_model_for_another_device_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WrongProviderError, match="cuda"):
        load(tiny.make(tmp_path, tiny.Tiny(provider="cuda")))


def test_a_graph_that_this_runtime_does_not_know_is_refused_by_name(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    (folder / "model.onnx").write_bytes(b"of a later version")
    manifest = manifests.read(folder)
    files = {**manifest.files, "model.onnx": sha256(b"of a later version").hexdigest()}
    manifests.write(replace(manifest, files=files), folder)
    with pytest.raises(WrongProviderError, match="refuses tiny on cpu"):
        load(folder)


def test_threads_wait_awake_for_a_moment_and_then_sleep(tmp_path: Path) -> None:
    """Rule "Two cores": awake for good they would take whole cores from others while nothing is asked."""
    options = load(tiny.make(tmp_path), threads=2).session.get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.get_session_config_entry("session.intra_op.spin_duration_us") == "50"
