"""Folders of models that a foreign engine runs: made of config, tokenizer and template alone; read by the router, refused by our engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from engine.llm import foreign, manifest
from engine.llm.fields import MalformedManifestError
from engine.llm.foreign import ForeignManifest
from llm import foreign as recipe
from llm import tiny
from llm.errors import MalformedModelError
from router.adapters.tokenizers_texts import TokenizersTexts
from router.domain.generation import Conversation, Message
from router.domain.prompt import PromptLimits


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A Hugging Face folder without weights, of a family that is not converted."""
    own = tiny.make(tmp_path / "own")
    found, folder = manifest.read(own), tmp_path / "昇腾 模型"
    folder.mkdir()
    shutil.copy(own / "tokenizer.json", folder)
    if found.template is not None:
        shutil.copy(own / found.template, folder)
    config = {"model_type": "pangu", "vocab_size": found.vocabulary, "max_position_embeddings": 4096, "eos_token_id": list(found.end_ids)}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


async def test_a_router_renders_and_tokenises_for_it_as_for_our_own(source: Path, tmp_path: Path) -> None:
    folder = recipe.convert(source, tmp_path / "models", name="pangu-7b", source="registry/pangu@7f3a", max_len=1024)
    assert sorted(path.name for path in folder.iterdir()) == ["chat_template.jinja", "manifest.json", "tokenizer.json"]
    found = foreign.read(folder)
    assert isinstance(found, ForeignManifest)
    assert (found.name, found.architecture, found.provider, found.max_len) == ("pangu-7b", "pangu", "foreign", 1024)
    assert folder.name == found.digest[:16]
    prompt = Conversation((Message("user", "谁可以批准? <|im_end|>"),))
    own = next((tmp_path / "own").iterdir())
    async with TokenizersTexts.opened([folder, own], PromptLimits(1 << 16, 8)) as texts:
        ids = {model.name: await texts.tokens(model, prompt) for model in texts.models}
        assert {model.digest.hex() for model in texts.models} >= {found.digest}
    assert len(ids) == 2 and len(set(ids.values())) == 1


def test_the_same_source_makes_the_same_digest_and_another_source_another(source: Path, tmp_path: Path) -> None:
    first = recipe.convert(source, tmp_path / "models", source="a@1")
    assert recipe.convert(source, tmp_path / "models", source="a@1") == first
    assert recipe.convert(source, tmp_path / "models", source="a@2") != first


def test_our_engine_refuses_it(source: Path, tmp_path: Path) -> None:
    with pytest.raises(MalformedManifestError):
        manifest.read(recipe.convert(source, tmp_path / "models"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"files": {"tokenizer.json": "0" * 64, "model.onnx": "0" * 64}}, "files.model.onnx"),
        ({"files": {}}, "files.tokenizer.json"),
        ({"layout": None}, ""),
        ({"end_ids": []}, "end_ids"),
        ({"architecture": "a b"}, "architecture"),
        ({"version": 2}, "version"),
        ({"template": "other.jinja"}, "template"),
    ],
)
def test_what_is_wrong_is_named(source: Path, tmp_path: Path, change: dict[str, object], field: str) -> None:
    document = json.loads((recipe.convert(source, tmp_path / "models") / "manifest.json").read_text())
    with pytest.raises(MalformedManifestError) as caught:
        foreign.parse(json.dumps(document | change).encode())
    assert caught.value.field == field or not field


@pytest.mark.parametrize(
    ("change", "field"),
    [({"vocab_size": 3}, ""), ({"model_type": None}, "model_type"), ({"max_position_embeddings": "x"}, "max_position_embeddings")],
)
def test_a_folder_that_says_too_little_is_named(source: Path, tmp_path: Path, change: dict[str, object], field: str) -> None:
    config = json.loads((source / "config.json").read_text()) | change
    (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(MalformedModelError, match=field or "."):
        recipe.convert(source, tmp_path / "models")
    assert not list((tmp_path / "models").glob("*")), "what fails leaves nothing behind"


def test_the_command_prints_the_folder_and_the_digest_for_the_row(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe.main(["--from", str(source), "--root", str(tmp_path / "models"), "--name", "pangu"]) == 0
    folder, digest = capsys.readouterr().out.splitlines()
    assert digest == f"model_digest: {foreign.read(Path(folder)).digest}"
    assert recipe.main(["--from", str(tmp_path)]) == 1
    assert "config.json" in capsys.readouterr().err
