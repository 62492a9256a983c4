"""The manifest of an encoder: read as it was written, strict, and an identity that covers all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from encoder import tiny
from engine.encoder import manifest as manifests
from engine.encoder.manifest import Manifest, Prefixes
from engine.llm.fields import MalformedManifestError
from engine.llm.model_files import FILE, WrongFileError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("models"))


@pytest.fixture
def manifest(folder: Path) -> Manifest:
    return manifests.read(folder)


def test_it_is_read_as_it_was_written(folder: Path, manifest: Manifest, tmp_path: Path) -> None:
    manifests.write(manifest, tmp_path)
    assert manifests.read(tmp_path) == manifest
    assert folder.name == manifest.folder_name
    manifest.verify(folder)


def test_prefixes_and_pooling_are_part_of_the_identity(manifest: Manifest) -> None:
    others = [
        replace(manifest, prefixes=Prefixes("查询: ", "passage: ")),
        replace(manifest, graph=replace(manifest.graph, pooling="mean")),
        replace(manifest, max_tokens=64),
    ]
    assert len({manifest.digest, *(other.digest for other in others)}) == 4


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2), ("dimension", 0), ("max_tokens", 4), ("max_tokens", 10**6), ("pad_id", 10**6), ("graph.pooling", "max"),
        ("graph.ids", ""), ("files", {}), ("prefixes.query", 3), ("unknown", 1), ("name", "../x"), ("graph.types", True),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(manifest: Manifest, folder: Path, path: str, value: object) -> None:
    document = json.loads((folder / FILE).read_bytes())
    target: Any = document
    *outer, last = path.split(".")
    for name in outer:
        target = target[name]
    target[last] = value
    with pytest.raises(MalformedManifestError) as caught:
        manifests.parse(json.dumps(document).encode())
    assert caught.value.field.startswith(path)


def test_a_file_of_other_bytes_is_refused(folder: Path, manifest: Manifest, tmp_path: Path) -> None:
    for name in manifest.files:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(WrongFileError, match=r"tokenizer\.json"):
        manifest.verify(tmp_path)
