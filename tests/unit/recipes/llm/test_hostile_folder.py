"""A folder is not trusted: whatever stands in its files, an error that names file and field, and never another one."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine.llm import manifest as manifests
from llm import hf_folder
from llm.__main__ import main
from llm.convert import Choices, convert
from llm.errors import MalformedModelError, ModelError, UnsupportedModelError
from llm.safetensors_file import SafetensorsFile
from safetensors.numpy import save_file

from .test_reference import FOLDER

MOST_BYTES = 40 << 20


def header(content: bytes, data: bytes = b"") -> bytes:
    return len(content).to_bytes(8, "little") + content + data


def entry(**changes: Any) -> bytes:
    return header(json.dumps({"t": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}).encode(), b"\0" * 8)


FILES: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "header", "0 bytes of header in a file of 0"),
    "seven bytes": (b"\0" * 7, "header", "in a file of 7"),
    "a header of 2^63 bytes": (b"\xff" * 8 + b"{}", "header", "in a file of 10"),
    "a header longer than the file": ((100).to_bytes(8, "little") + b"{}", "header", "100 bytes of header"),
    "no JSON": (header(b"{'a': 1}"), "header", "no JSON"),
    "a list": (header(b"[]"), "header", "no JSON object"),
    "no UTF-8": (header(b"\xff\xfe"), "header", "no JSON"),
    "deep": (header(b"[" * 100_000), "header", "no JSON"),
    "a name twice": (header(b'{"t": {}, "t": {}}'), "header", "stands twice"),
    "an entry that is none": (header(b'{"t": 1}'), "tensor t", "not dtype, shape and data_offsets"),
    "another field": (entry(more=1), "tensor t", "not dtype, shape and data_offsets"),
    "negative": (entry(shape=[-2]), "tensor t", "whole numbers"),
    "an axis of 2^63": (entry(shape=[1 << 63]), "tensor t", "whole numbers"),
    "2^80 numbers": (entry(shape=[1 << 40, 1 << 40]), "tensor t", "truncated"),
    "true": (entry(shape=[True, 2]), "tensor t", "whole numbers"),
    "a shape that is text": (entry(shape="2"), "tensor t", "whole numbers"),
    "nine axes": (entry(shape=[1] * 9), "tensor t", "whole numbers"),
    "three offsets": (entry(data_offsets=[0, 4, 8]), "tensor t", "whole numbers"),
    "backwards": (entry(data_offsets=[8, 0]), "tensor t", "truncated"),
    "beyond the end": (entry(shape=[4], data_offsets=[0, 16]), "tensor t", "truncated"),
    "another length": (entry(shape=[1]), "tensor t", "truncated"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_named_with_its_place(tmp_path: Path, name: str) -> None:
    content, field, message = FILES[name]
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(MalformedModelError, match=message) as refused:
        SafetensorsFile(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (refused.value.field, refused.value.path) == (field, path)
    assert peak < MOST_BYTES


@pytest.mark.parametrize("kind", ["F64", "I64", "U8", "F8_E4M3", "BOOL", 7, None])
def test_other_number_types_are_refused_by_name(tmp_path: Path, kind: object) -> None:
    (tmp_path / "model.safetensors").write_bytes(entry(dtype=kind))
    with pytest.raises(UnsupportedModelError, match=f"tensor t: type {kind}: F32, F16 and BF16 are converted"):
        SafetensorsFile(tmp_path / "model.safetensors")


def test_values_are_those_that_were_written(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    save_file({"a": values, "b": values.astype(np.float16)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    file = SafetensorsFile(tmp_path / "model.safetensors")
    assert np.array_equal(file.read("a"), values)
    assert np.array_equal(file.read("b"), values.astype(np.float16).astype(np.float32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound one of three shards and an index, to be spoilt."""
    return Path(shutil.copytree(FOLDER / "llama", tmp_path / "model"))


def changed(folder: Path, name: str, **changes: Any) -> None:
    document = json.loads((folder / name).read_text())
    for field, value in changes.items():
        document.pop(field, None)
        if value is not None:
            document[field] = value
    (folder / name).write_text(json.dumps(document))


UNSUPPORTED: dict[str, dict[str, Any]] = {
    "model_type: mistral": {"model_type": "mistral"},
    "model_type: None": {"model_type": None},
    "rope_parameters.rope_type: yarn": {"rope_parameters": {"rope_type": "yarn", "factor": 4.0}},
    "rope_scaling.rope_type: yarn": {"rope_parameters": None, "rope_scaling": {"type": "yarn", "factor": 4.0}},
    "rope_parameters.rope_type: dynamic": {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}},
    "rope_parameters.rope_type: longrope": {"rope_parameters": {"rope_type": "longrope"}},
    "rope_parameters.rope_type: spiral": {"rope_parameters": {"rope_type": "spiral"}},
    "partial_rotary_factor: 0.5": {"partial_rotary_factor": 0.5},
    "use_sliding_window: sliding windows": {"use_sliding_window": True, "sliding_window": 128},
    "layer_types: ['sliding_attention']": {"layer_types": ["sliding_attention"]},
    "attention_bias: biases": {"attention_bias": True},
    "mlp_bias: biases": {"mlp_bias": True},
    "quantization_config: weights that are packed": {"quantization_config": {"quant_method": "gptq"}},
    "hidden_act: gelu": {"hidden_act": "gelu"},
    "head_dim: 24": {"head_dim": 24},
    "rope_interleaved: True": {"rope_interleaved": True},
}


@pytest.mark.parametrize("message", UNSUPPORTED)
def test_what_is_not_converted_is_refused_by_name(folder: Path, message: str) -> None:
    changed(folder, "config.json", **UNSUPPORTED[message])
    with pytest.raises(UnsupportedModelError) as refused:
        hf_folder.read(folder)
    assert f"config.json: {message}" in str(refused.value)


MALFORMED: dict[str, dict[str, Any]] = {
    "hidden_size: None is no whole number": {"hidden_size": None},
    "num_hidden_layers: 2.0 is no whole number": {"num_hidden_layers": 2.0},
    "layers: 1000000 is not from 1": {"num_hidden_layers": 1_000_000},
    "num_attention_heads: 0": {"num_attention_heads": 0},
    "kv_heads: 4 heads do not divide among 3": {"num_key_value_heads": 3},
    "vocabulary: 1099511627776 is not from 1": {"vocab_size": 1 << 40},
    "hidden: -64 is not from 1": {"hidden_size": -64, "head_dim": 16},
    "rms_norm_eps: nan is no number": {"rms_norm_eps": float("nan")},
    "rope_theta: 0.5 is not above 1": {"rope_parameters": {"rope_theta": 0.5}},
    "rope_parameters: no JSON object": {"rope_parameters": "llama3"},
    "factor: None is no number above 0": {"rope_parameters": {"rope_type": "linear"}},
    "high_freq_factor: 1.0 is not above 1.0": {
        "rope_parameters": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 1}
    },
    "eos_token_id: 320 is not in the vocabulary": {"eos_token_id": 320},
}


@pytest.mark.parametrize("message", MALFORMED)
def test_what_contradicts_itself_is_named(folder: Path, message: str) -> None:
    (folder / "generation_config.json").unlink()
    changed(folder, "config.json", **MALFORMED[message])
    with pytest.raises(MalformedModelError) as refused:
        hf_folder.read(folder)
    assert f"config.json: {message}" in str(refused.value)


VALUES = (None, True, -1, 0, 1, 3, 2**70, 1e308, -0.5, float("nan"), float("inf"), "", "x", [], ["x"], {}, {"a": 1}, [[]])


def test_any_value_in_any_setting_is_read_or_refused(folder: Path) -> None:
    sound = json.loads((folder / "config.json").read_text())
    refused = 0
    for name in [*sound, "rope_scaling", "layer_types", "sliding_window"]:
        for value in VALUES:
            (folder / "config.json").write_text(json.dumps(sound | {name: value}))
            try:
                hf_folder.read(folder)
            except ModelError:
                refused += 1
    assert refused > 100


def spoil(path: str, change: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: change(folder / path)


SHARD, INDEX = "model-00002-of-00004.safetensors", "model.safetensors.index.json"
FOLDERS: dict[str, tuple[Callable[[Path], object], type[ModelError]]] = {
    "config.json: missing": (spoil("config.json", Path.unlink), MalformedModelError),
    "config.json: no JSON": (spoil("config.json", lambda path: path.write_text("{")), MalformedModelError),
    "tokenizer.json: missing": (spoil("tokenizer.json", Path.unlink), UnsupportedModelError),
    "tokenizer.json: no tokenizer": (spoil("tokenizer.json", lambda path: path.write_text("{}")), MalformedModelError),
    f"{SHARD}: missing, and the index names it": (spoil(SHARD, Path.unlink), MalformedModelError),
    f"{SHARD}: header": (spoil(SHARD, lambda path: path.write_bytes(path.read_bytes()[:100])), MalformedModelError),
    f"{INDEX}: weight_map: ../model.safetensors is not the name": (
        lambda folder: changed(folder, INDEX, weight_map={"a": "../model.safetensors"}), MalformedModelError,
    ),
    f"{INDEX}: weight_map: 7 is not the name": (lambda folder: changed(folder, INDEX, weight_map={"a": 7}), MalformedModelError),
    f"{INDEX}: weight_map: empty": (lambda folder: changed(folder, INDEX, weight_map={}), MalformedModelError),
    f"{SHARD}: tensor a: missing, and the index says": (
        lambda folder: changed(folder, INDEX, weight_map={"a": SHARD}), MalformedModelError,
    ),
    "model.safetensors: missing": (spoil(INDEX, Path.unlink), UnsupportedModelError),
}  # fmt: skip


@pytest.mark.parametrize("message", FOLDERS)
def test_a_spoilt_folder_is_named_with_its_place(folder: Path, message: str) -> None:
    change, kind = FOLDERS[message]
    change(folder)
    with pytest.raises(kind) as refused:
        hf_folder.read(folder)
    assert message in str(refused.value)


def tokenizer(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / "tokenizer.json").read_text())
    change(document)
    (folder / "tokenizer.json").write_text(json.dumps(document))


def instead_of_the_last(model: dict[str, Any], token: str) -> None:
    made = "".join(model["merges"].pop())
    model["vocab"][token] = model["vocab"].pop(made)


TOKENIZERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "model: WordLevel": lambda it: it.update(model={"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}),
    "model: BPE with byte fallback": lambda it: it["model"].update(byte_fallback=True),
    "decoder: None": lambda it: it.update(decoder=None),
    "normalizer: Lowercase": lambda it: it.update(normalizer={"type": "Lowercase"}),
    "pre_tokenizer: without ByteLevel": lambda it: it.update(pre_tokenizer={"type": "Whitespace"}),
    "model.vocab: '▁the' does not stand for bytes": lambda it: instead_of_the_last(it["model"], "▁the"),
    "model.vocab: two tokens have one id": lambda it: it["model"]["vocab"].update({"zzzz": 319}),
    "model.vocab: id 320": lambda it: it["model"]["vocab"].update({"zzzz": 320}),
}


@pytest.mark.parametrize("message", TOKENIZERS)
def test_a_tokenizer_that_is_not_known_is_refused_by_name(folder: Path, message: str) -> None:
    tokenizer(folder, TOKENIZERS[message])
    with pytest.raises(ModelError) as refused:
        hf_folder.read(folder)
    assert f"tokenizer.json: {message}" in str(refused.value)


def test_a_tokenizer_cuts_nothing_short_and_pads_nothing(folder: Path) -> None:
    truncation = {"max_length": 4, "stride": 0, "strategy": "LongestFirst", "direction": "Right"}
    tokenizer(folder, lambda it: it.update(truncation=truncation))
    document = json.loads(hf_folder.read(folder).tokenizer)
    assert (document["truncation"], document["padding"]) == (None, None)


def test_the_command_says_in_one_line_why_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(folder, "config.json", model_type="mamba")
    root = folder.parent / "out"
    assert main(["--from", str(folder), "--root", str(root)]) == 1
    assert main(["--from", str(folder / "nowhere"), "--root", str(root)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == "config.json: model_type: mamba: llama, qwen2 and qwen3 are converted"
    assert len(said.err.splitlines()) == 2


def test_the_command_prints_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = folder.parent / "out"
    assert main(["--from", str(folder), "--root", str(root), "--quantise", "int4", "--max-len", "128"]) == 0
    assert [str(path) for path in root.iterdir()] == [capsys.readouterr().out.strip()]


def test_a_folder_may_have_any_name_and_says_how_far_it_is(folder: Path) -> None:
    chinese = folder.rename(folder.parent / "我的 模型")
    said: list[tuple[str, int, int]] = []
    manifest = manifests.read(convert(chinese, folder.parent / "出", progress=lambda *each: said.append(each)))
    assert (manifest.name, manifest.source.name) == ("model", "我的 模型")
    assert [done for _, done, _ in said] == list(range(1, len(said) + 1))
    assert {count for _, _, count in said} == {len(said)}


def test_a_width_that_is_no_block_is_refused(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(FOLDER / "llama_linear", tmp_path / "model"))
    file = SafetensorsFile(copy / "model.safetensors")
    values = {name: file.read(name) for name in file.shapes}
    for name, value in values.items():
        if "mlp" in name:
            values[name] = np.ascontiguousarray(value[:48] if "down" not in name else value[:, :48])
    save_file(values, copy / "model.safetensors")
    changed(copy, "config.json", intermediate_size=48)
    assert convert(copy, tmp_path / "out").is_dir()
    with pytest.raises(UnsupportedModelError, match="intermediate_size: 48 is no multiple of 32"):
        convert(copy, tmp_path / "out", Choices(quantise="int4"))
