"""GGUF files of every family and kind: their values are those that gguf's own code unpacks, their answers those of the same model."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from engine.llm import manifest as manifests
from engine.llm.manifest import Scaling
from llm import gguf_model, hf_folder
from llm.convert import Choices, convert
from llm.errors import UnsupportedModelError
from tokenizers import Tokenizer

from .gguf_written import KINDS, names, permuted, write
from .rows import Rows, greedy
from .test_reference import FOLDER, expected

FAMILIES = ("llama", "qwen2", "qwen3")
KEPT = {"F32": "fp32", "F16": "fp32", "Q8_0": "int8", "Q4_0": "int4", "Q4_1": "q4_1"}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_that_gguf_unpacks(tmp_path: Path, name: str, kind: str) -> None:
    path = write(tmp_path / "model.gguf", FOLDER / name, kind)
    found, tensors = gguf_model.read(path), {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    a = found.architecture
    for ours, theirs in names(a).items():
        values = found.weight(ours).dense()
        unpacked = gguf.quants.dequantize(tensors[theirs].data, tensors[theirs].tensor_type).reshape(values.shape)
        for part, heads in (("q_proj.weight", a.heads), ("k_proj.weight", a.kv_heads)):
            if name == "llama" and part in ours:
                values = permuted(values, heads)
        assert np.array_equal(values, unpacked), ours


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_packed_form_says_what_the_unpacked_form_says(tmp_path: Path, name: str, kind: str) -> None:
    path = write(tmp_path / "model.gguf", FOLDER / name, kind)
    packed, whole = convert(path, tmp_path), convert(path, tmp_path, Choices(quantise="fp32"))
    assert manifests.read(packed).quantisation == manifests.Quantisation(KEPT[kind], 0, 32)
    prompts = expected(name)["prompts"].tolist()
    steps = [(prompt, 0) for prompt in prompts]
    assert np.allclose(Rows(packed, 2).step(steps), Rows(whole, 2).step(steps), atol=2e-4)
    assert greedy(Rows(packed, 2), prompts, 8) == greedy(Rows(whole, 2), prompts, 8)


@pytest.mark.parametrize("name", ["llama", "llama_linear", "qwen2", "qwen3"])
def test_a_file_of_whole_floats_is_the_model_of_hugging_face(tmp_path: Path, name: str) -> None:
    folder, said = convert(write(tmp_path / "model.gguf", FOLDER / name, "F32"), tmp_path), expected(name)
    logits = Rows(folder, 2).step([(prompt, 0) for prompt in said["prompts"].tolist()])
    assert np.allclose(logits, said["logits"], atol=2e-4)
    assert hf_folder.read(FOLDER / name).architecture == gguf_model.read(tmp_path / "model.gguf").architecture


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_1"])
def test_rounded_activations_are_near(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "model.gguf", FOLDER / "llama", kind)
    steps = [(prompt, 0) for prompt in expected("llama")["prompts"].tolist()]
    whole = Rows(convert(path, tmp_path), 2).step(steps)
    near = Rows(convert(path, tmp_path, Choices(accuracy_level=4)), 2).step(steps)
    assert not np.array_equal(near, whole)
    assert np.abs(near - whole).max() < 1.0 < whole.std() * 3


def test_frequencies_that_were_published_are_known_by_their_numbers(tmp_path: Path) -> None:
    def stretch(writer: gguf.GGUFWriter) -> None:
        plain = gguf_model.stretched(manifests.Rope(10000.0, None), 16)
        known = gguf_model.stretched(manifests.Rope(10000.0, Scaling("llama3", 32.0, 1.0, 4.0, 8192)), 16)
        writer.add_tensor("rope_freqs.weight", (plain / known).astype(np.float32))

    path = write(tmp_path / "model.gguf", FOLDER / "llama", "F32", stretch)
    assert gguf_model.read(path).architecture.rope.scaling == Scaling("llama3", 32.0, 1.0, 4.0, 8192)
    with pytest.raises(UnsupportedModelError, match=r"rope_freqs\.weight: no scaling"):
        gguf_model.read(write(tmp_path / "other.gguf", FOLDER / "llama3", "F32"))


@pytest.mark.parametrize(
    ("pre", "pieces"),
    [
        ("gpt-2", ["1234", "Ġabc"]),
        ("smollm", ["1", "2", "3", "4", "Ġabc"]),
        ("qwen2", ["1", "2", "3", "4", "Ġabc"]),
        ("llama-bpe", ["123", "4", "Ġabc"]),
    ],
)
def test_text_is_cut_as_the_file_says(tmp_path: Path, pre: str, pieces: list[str]) -> None:
    path = write(tmp_path / "model.gguf", FOLDER / "llama", "F32", pre=pre)
    tokenizer = Tokenizer.from_str(gguf_model.read(path).tokenizer.decode())
    assert [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str("1234 abc")] == pieces
    for text in ("客户的付款：￥1,200。", "🙂👩‍👩‍👧", "I'll don't", "a  b\n\n\tc"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_the_manifest_says_what_the_file_says(tmp_path: Path) -> None:
    manifest = manifests.read(convert(write(tmp_path / "model.gguf", FOLDER / "qwen2", "Q4_0"), tmp_path))
    assert (manifest.name, manifest.licence, manifest.source.name) == ("tiny-of-a-test", "apache-2.0", "model.gguf")
    assert (manifest.end_ids, manifest.bos_id, manifest.template) == ((2, 0), None, "chat_template.jinja")
