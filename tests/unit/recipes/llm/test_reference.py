"""Converted models compute what Hugging Face's own code computed with the same files (`make reference` wrote them and its answers)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from engine.llm import manifest as manifests
from llm import hf_folder
from llm.convert import Choices, convert

from .rows import Rows, greedy

FOLDER = Path(__file__).parent / "reference"
NAMES = ("llama", "llama3", "llama_linear", "qwen2", "qwen3")


def expected(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / name / "expected.npz") as content:
        return dict(content)


def test_every_reference_is_compared() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(NAMES)
    assert all(sum(file.stat().st_size for file in (FOLDER / name).iterdir()) < 300_000 for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_hugging_face(tmp_path: Path, name: str) -> None:
    folder, said = convert(FOLDER / name, tmp_path), expected(name)
    prompts = said["prompts"].tolist()
    rows = Rows(folder, len(prompts))
    assert np.allclose(rows.step([(prompt, 0) for prompt in prompts]), said["logits"], atol=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_greedy_tokens_are_those_of_hugging_face(tmp_path: Path, name: str) -> None:
    folder, said = convert(FOLDER / name, tmp_path), expected(name)
    assert greedy(Rows(folder, 2), said["prompts"].tolist(), said["greedy"].shape[1]) == said["greedy"].tolist()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("llama", "tensor"), ("llama3", "scaling"), ("llama_linear", "scaling"), ("qwen2", "bias"), ("qwen3", "norm"),
    ],
)  # fmt: skip
def test_what_makes_the_difference_is_seen(tmp_path: Path, name: str, change: str) -> None:
    """Each of these left out or exchanged gives other logits: the comparison above would see it."""
    found, said = hf_folder.read(FOLDER / name), expected(name)
    copy = tmp_path / "copy"
    shutil.copytree(FOLDER / name, copy)
    if change == "scaling":
        document = json.loads((copy / "config.json").read_text())
        document["rope_parameters"]["factor"] *= 2
        (copy / "config.json").write_text(json.dumps(document))
    else:
        wanted = {"tensor": "layers.1.self_attn.k_proj.weight", "bias": "layers.1.self_attn.k_proj.bias", "norm": "q_norm.weight"}[change]
        for path in copy.glob("*.safetensors"):
            if any(wanted in tensor for tensor in hf_folder.SafetensorsFile(path).shapes):
                _flip(path, wanted)
    logits = Rows(convert(copy, tmp_path), 2).step([(prompt, 0) for prompt in said["prompts"].tolist()])
    assert not np.allclose(logits, said["logits"], atol=2e-3)
    assert found.architecture.family == json.loads((copy / "config.json").read_text())["model_type"]


def _flip(path: Path, wanted: str) -> None:
    """Turn the sign of every number of the tensors of that name."""
    content = bytearray(path.read_bytes())
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    for name, entry in header.items():
        if wanted in name:
            begin, end = (8 + int.from_bytes(content[:8], "little") + each for each in entry["data_offsets"])
            width = {"F32": 4, "F16": 2, "BF16": 2}[entry["dtype"]]
            for at in range(begin + width - 1, end, width):
                content[at] ^= 0x80
    path.write_bytes(content)


def test_the_manifest_says_what_was_converted(tmp_path: Path) -> None:
    manifest = manifests.read(convert(FOLDER / "qwen3", tmp_path, Choices(max_len=128, licence="MIT", name="small")))
    assert (manifest.architecture, manifest.vocabulary, manifest.max_position, manifest.max_len) == ("qwen3", 320, 256, 128)
    assert (manifest.end_ids, manifest.bos_id, manifest.licence, manifest.name) == ((2, 0), None, "MIT", "small")
    assert (manifest.layout.head_dim, manifest.layout.hidden, manifest.quantisation.weights) == (32, 64, "fp32")
    assert manifests.read(convert(FOLDER / "llama3", tmp_path)).layout.rope.scaling == manifests.Scaling("llama3", 8.0, 1.0, 4.0, 32)


def test_settings_at_the_top_and_an_older_name_say_the_same(tmp_path: Path) -> None:
    copy = tmp_path / "llama3"
    shutil.copytree(FOLDER / "llama3", copy)
    document = json.loads((copy / "config.json").read_text())
    inner = document.pop("rope_parameters")
    document["rope_theta"] = inner.pop("rope_theta")
    inner["type"] = inner.pop("rope_type")
    (copy / "config.json").write_text(json.dumps(document | {"rope_scaling": inner}))
    assert hf_folder.read(copy).architecture == hf_folder.read(FOLDER / "llama3").architecture


@pytest.mark.parametrize("quantise", [None, "int4"])
@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3"])
def test_graphs_for_cuda_have_caches_of_sixteen_bits(tmp_path: Path, name: str, quantise: str | None) -> None:
    """ONNX Runtime's own processor code runs them here: the same graph, near the same answers."""
    folder = convert(FOLDER / name, tmp_path, Choices(provider="cuda", quantise=quantise, accuracy_level=0))
    manifest, said = manifests.read(folder), expected(name)
    assert (manifest.provider, manifest.layout.dtype) == ("cuda", "float16")
    assert manifest.layout.token_bytes == 2 * 2 * 2 * manifest.layout.head_dim * 2
    steps = [(prompt, 0) for prompt in said["prompts"].tolist()]
    rows, whole = Rows(folder, 2), Rows(convert(FOLDER / name, tmp_path, Choices(quantise=quantise, accuracy_level=0)), 2)
    assert {cache.dtype for cache in rows.caches} == {np.dtype(np.float16)}
    assert np.abs(rows.step(steps) - whole.step(steps)).max() < 0.1


@pytest.mark.parametrize("accuracy_level", [0, 4])
@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3"])
def test_four_bits_are_near(tmp_path: Path, name: str, accuracy_level: int) -> None:
    """As near as 4 bits can be: the same model with its rounded weights unpacked says what the packed one says."""
    folder, said = convert(FOLDER / name, tmp_path, Choices(quantise="int4", accuracy_level=accuracy_level)), expected(name)
    logits = Rows(folder, 2).step([(prompt, 0) for prompt in said["prompts"].tolist()])
    assert manifests.read(folder).quantisation == manifests.Quantisation("int4", accuracy_level, 32)
    assert 0.5 < np.corrcoef(logits.reshape(-1), said["logits"].reshape(-1))[0, 1] < 0.9999
