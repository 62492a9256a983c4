"""The tiny model that other tests stand on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from engine.llm import manifest as manifests
from engine.llm.model_files import WrongFileError
from llm import tiny
from llm.folder import write
from tokenizers import Tokenizer

from .rows import Rows


def test_the_same_arguments_make_the_same_model(tmp_path: Path) -> None:
    first = tiny.make(tmp_path / "a", tiny.Tiny(seed=3))
    assert tiny.make(tmp_path / "b", tiny.Tiny(seed=3)).name == first.name
    assert tiny.make(tmp_path / "b", tiny.Tiny(seed=4)).name != first.name
    assert [path.name for path in sorted((tmp_path / "a").iterdir())] == [first.name], "something was left behind"


def test_a_model_is_named_by_its_manifest_and_holds_what_that_names(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    manifest = manifests.read(folder)
    manifest.verify(folder)
    assert folder.name == manifest.digest[:16]
    assert manifest.content(folder, "tokenizer.json") == (folder / "tokenizer.json").read_bytes()
    (folder / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(WrongFileError, match=r"tokenizer\.json has SHA-256"):
        manifest.verify(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(WrongFileError, match=r"model\.onnx cannot be read"):
        manifest.content(folder, "model.onnx")


def test_any_text_has_tokens_and_comes_back(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tiny.make(tmp_path) / "tokenizer.json"))
    for text in ("", " a  b\n\t", "客户的付款：￥1,200。", "🙂👩‍👩‍👧", "<|im_start|>user\nx<|im_end|>\n", "\x00\x7f"):
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
    assert [tokenizer.token_to_id(each) for each in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")] == [0, 1, 2]


def test_what_a_killed_conversion_left_is_removed_a_day_later(tmp_path: Path) -> None:
    for name, age_s in ((".model-old", 90_000), (".model-new", 60)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.onnx").write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    made = tiny.make(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".model-new", made.name}


@pytest.mark.parametrize("weights", ["fp32", "int4"])
def test_weights_in_a_file_of_their_own_give_the_same_logits(tmp_path: Path, weights: str) -> None:
    small = tiny.Tiny(weights=weights)
    whole = tiny.make(tmp_path, small)
    weight = tiny.random_weights(small.architecture(), small.weights, small.seed)
    apart = write(tmp_path, small.architecture(), weight, tiny.facts(small), one_file_bytes=0)
    assert set(manifests.read(apart).files) == {"chat_template.jinja", "model.onnx", "model.onnx.data", "tokenizer.json"}
    assert set(manifests.read(whole).files) == {"chat_template.jinja", "model.onnx", "tokenizer.json"}
    prompt = [([5, 6, 7, 8], 0)]
    assert (Rows(apart, 1).step(prompt) == Rows(whole, 1).step(prompt)).all()


def test_the_command_prints_where_the_model_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.main(["--root", str(tmp_path), "--family", "qwen3", "--layers", "1"])
    manifest = manifests.read(Path(capsys.readouterr().out.strip()))
    assert (manifest.architecture, manifest.layout.layers) == ("qwen3", 1)
