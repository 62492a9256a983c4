"""A Hugging Face folder as a checkpoint: config.json, safetensors (one file or shards), tokenizer.json, the chat template.

A setting that would change the answers and is not converted is refused by its name; one that only says how somebody trained is passed by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.llm.manifest import Rope, Scaling

from llm import tokenizer as tokenizers
from llm.architecture import Architecture
from llm.checkpoint import MOST_POSITIONS, Checkpoint, check_sizes, check_tensors, end_ids
from llm.errors import MalformedModelError, UnsupportedModelError
from llm.products import Dense
from llm.safetensors_file import SafetensorsFile

CONFIG, INDEX, WEIGHTS = "config.json", "model.safetensors.index.json", "model.safetensors"
_MOST_JSON_BYTES = 32 << 20
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors")
_REFUSED = {
    "quantization_config": "weights that are packed already",
    "attention_bias": "biases of the attention",
    "mlp_bias": "biases of the feed-forward part",
    "use_sliding_window": "sliding windows",
    "num_local_experts": "experts",
    "num_experts": "experts",
}
_ROTARY = re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq")
"""Old files hold the frequencies, which follow from the configuration."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object of the folder; a value is taken by its type."""

    path: Path
    values: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Document:
        """Raises MalformedModelError."""
        if not path.is_file():
            raise MalformedModelError(path, "", "missing")
        if path.stat().st_size > _MOST_JSON_BYTES:
            raise MalformedModelError(path, "", f"larger than {_MOST_JSON_BYTES} bytes")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise MalformedModelError(path, "", f"no JSON: {str(error)[:200]}") from error
        if not isinstance(values, dict):
            raise MalformedModelError(path, "", "no JSON object")
        return cls(path, values)

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.values.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int):
            raise MalformedModelError(self.path, name, f"{str(value)[:40]} is no whole number")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        value = self.values.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise MalformedModelError(self.path, name, f"{str(value)[:40]} is no number above 0")
        return float(value)

    def inner(self, name: str) -> Document:
        value = self.values[name]
        if not isinstance(value, dict):
            raise MalformedModelError(self.path, name, "no JSON object")
        return Document(self.path, value)


def read(folder: Path) -> Checkpoint:
    """Return the checkpoint in a folder. Raises MalformedModelError, UnsupportedModelError, OSError."""
    config = Document.read(folder / CONFIG)
    architecture = _architecture(config)
    check_sizes(config.path, architecture)
    files = _weight_files(folder)
    found = {name: file for file in files for name in file.shapes if not _passed_by(name, architecture)}
    check_tensors(files[0].path, architecture, {name: file.shapes[name] for name, file in found.items()})
    tokenizer = tokenizers.of_file(folder / "tokenizer.json")
    added, template = tokenizers.added_tokens(tokenizer), template_of(folder)
    return Checkpoint(
        name=folder.resolve().name,
        architecture=architecture,
        weight=lambda name: Dense(found[name].read(name)),
        weights="fp32",
        tokenizer=tokenizers.written(folder / "tokenizer.json", tokenizer, architecture.vocabulary),
        template=template,
        end_ids=end_ids_of(folder, config, added, architecture.vocabulary),
        bos_id=bos_id_of(folder, config, template, architecture.vocabulary),
        licence=licence_of(folder),
        files=tuple(_used(folder, files)),
    )


def _architecture(config: Document) -> Architecture:
    family = config.values.get("model_type")
    if family not in ("llama", "qwen2", "qwen3"):
        raise UnsupportedModelError(config.path, "model_type", f"{str(family)[:40]}: llama, qwen2 and qwen3 are converted")
    for name, what in _REFUSED.items():
        if config.values.get(name):
            raise UnsupportedModelError(config.path, name, f"{what} are not converted")
    for name, known in (("hidden_act", "silu"), ("partial_rotary_factor", 1.0), ("rope_interleaved", False)):
        if (value := config.values.get(name, known)) != known:
            raise UnsupportedModelError(config.path, name, f"{str(value)[:40]}: {known} is converted")
    kinds = config.values.get("layer_types") or []
    named = sorted(set(map(str, kinds))) if isinstance(kinds, list) else [str(kinds)]
    if named not in ([], ["full_attention"]):
        raise UnsupportedModelError(config.path, "layer_types", f"{named[:4]}: full_attention is converted")
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    if heads < 1:
        raise MalformedModelError(config.path, "num_attention_heads", f"{heads}")
    return Architecture(
        family=family,
        layers=config.integer("num_hidden_layers"),
        hidden=hidden,
        intermediate=config.integer("intermediate_size"),
        heads=heads,
        kv_heads=config.integer("num_key_value_heads", heads),
        head_dim=config.integer("head_dim", hidden // heads),
        vocabulary=config.integer("vocab_size"),
        max_position=min(config.integer("max_position_embeddings"), MOST_POSITIONS),
        rope=_rope(config),
        norm_epsilon=config.number("rms_norm_eps", 1e-6),
        tied=config.values.get("tie_word_embeddings", False) is True,
    )


def _rope(config: Document) -> Rope:
    """The settings stand in `rope_parameters`, or at the top with `rope_scaling` beside them."""
    name = next((name for name in ("rope_parameters", "rope_scaling") if config.values.get(name)), None)
    inner = config.inner(name) if name else Document(config.path, {})
    theta = inner.number("rope_theta", config.number("rope_theta", 10000.0))
    if theta <= 1:
        raise MalformedModelError(config.path, "rope_theta", f"{theta} is not above 1")
    if (part := inner.values.get("partial_rotary_factor", 1.0)) != 1:
        raise UnsupportedModelError(config.path, "partial_rotary_factor", f"{str(part)[:40]}: 1 is converted")
    match inner.values.get("rope_type", inner.values.get("type", "default")):
        case "default":
            return Rope(theta, None)
        case "linear":
            return Rope(theta, Scaling("linear", inner.number("factor")))
        case "llama3":
            low, high = inner.number("low_freq_factor"), inner.number("high_freq_factor")
            if high <= low:
                raise MalformedModelError(config.path, "high_freq_factor", f"{high} is not above {low}")
            original = inner.integer("original_max_position_embeddings")
            if original < 1:
                raise MalformedModelError(config.path, "original_max_position_embeddings", f"{original}")
            return Rope(theta, Scaling("llama3", inner.number("factor"), low, high, original))
        case other:
            raise UnsupportedModelError(config.path, f"{name}.rope_type", f"{str(other)[:40]}: default, linear and llama3 are converted")


def _weight_files(folder: Path) -> list[SafetensorsFile]:
    """The files, each tensor in one of them and, with an index, where it says."""
    if not (folder / INDEX).is_file():
        if not (folder / WEIGHTS).is_file():
            other = next((path.name for path in sorted(folder.glob("*.bin"))), None)
            raise UnsupportedModelError(folder / WEIGHTS, "", f"missing{f', and {other} is not converted' if other else ''}")
        return [SafetensorsFile(folder / WEIGHTS)]
    index = Document.read(folder / INDEX)
    places: Mapping[str, Any] = index.inner("weight_map").values if "weight_map" in index.values else {}
    if foreign := next((name for name in places.values() if not isinstance(name, str) or not _PLAIN.fullmatch(name)), None):
        raise MalformedModelError(index.path, "weight_map", f"{str(foreign)[:80]} is not the name of a file beside it")
    files = {name: _shard(folder / name) for name in sorted(set(places.values()))}
    for tensor, name in places.items():
        if tensor not in files[name].shapes:
            raise MalformedModelError(folder / name, f"tensor {tensor[:200]}", "missing, and the index says it is here")
    for name, file in files.items():
        if astray := next((tensor for tensor in file.shapes if places.get(tensor) != name), None):
            raise MalformedModelError(folder / name, f"tensor {astray[:200]}", "here, and not by the index")
    if not files:
        raise MalformedModelError(index.path, "weight_map", "empty")
    return list(files.values())


def _shard(path: Path) -> SafetensorsFile:
    if not path.is_file():
        raise MalformedModelError(path, "", "missing, and the index names it")
    return SafetensorsFile(path)


def _passed_by(name: str, architecture: Architecture) -> bool:
    return bool(_ROTARY.fullmatch(name)) or (architecture.tied and name == "lm_head.weight")


def template_of(folder: Path) -> str | None:
    if (path := folder / "chat_template.jinja").is_file():
        if path.stat().st_size > _MOST_JSON_BYTES:
            raise MalformedModelError(path, "", f"larger than {_MOST_JSON_BYTES} bytes")
        return path.read_text(encoding="utf-8")
    value = _optional(folder, "tokenizer_config.json").values.get("chat_template")
    if isinstance(value, list):
        value = next((each.get("template") for each in value if isinstance(each, dict) and each.get("name") == "default"), None)
    return value if isinstance(value, str) else None


def end_ids_of(folder: Path, config: Document, added: Mapping[str, int], vocabulary: int) -> tuple[int, ...]:
    for document in (_optional(folder, "generation_config.json"), config):
        value = document.values.get("eos_token_id")
        declared = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(each, int) and not isinstance(each, bool) and 0 <= each < vocabulary for each in declared):
            raise MalformedModelError(document.path, "eos_token_id", f"{str(value)[:80]} is not in the vocabulary")
        if declared:
            return end_ids(declared, added)
    if found := end_ids([], added):
        return found
    raise MalformedModelError(config.path, "eos_token_id", "missing: nothing would end an answer")


def bos_id_of(folder: Path, config: Document, template: str | None, vocabulary: int) -> int | None:
    """The first token, when the tokenizer or the template puts one there."""
    wanted = _optional(folder, "tokenizer_config.json").values.get("add_bos_token") is True or "bos_token" in (template or "")
    value = config.values.get("bos_token_id") if wanted else None
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < vocabulary):
        raise MalformedModelError(config.path, "bos_token_id", f"{str(value)[:40]} is not in the vocabulary")
    return value


def licence_of(folder: Path) -> str:
    """What the model card's head says; `unknown` when it says nothing."""
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8", errors="replace")[:65536] if path.is_file() else ""
    head = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license: *([A-Za-z0-9._+-]{1,60}) *$", head[1], re.MULTILINE) if head else None
    return found[1] if found else "unknown"


def _optional(folder: Path, name: str) -> Document:
    return Document.read(folder / name) if (folder / name).is_file() else Document(folder / name, {})


def _used(folder: Path, files: list[SafetensorsFile]) -> Iterator[Path]:
    yield from (path for name in (CONFIG, "tokenizer.json") if (path := folder / name).is_file())
    yield from (file.path for file in files)
