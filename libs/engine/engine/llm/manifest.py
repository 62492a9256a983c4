"""What a converted model is: `manifest.json`, version 1, in the folder with the files that it names.

Surprising: the manifest's own digest is the model's identity, over canonical JSON, so that white space and the order of fields change
nothing; through `files` it covers every byte of the model. Unknown fields are refused, because an older reader would else run a newer
model wrong. The standard library alone: inside Triton, in the services and in the recipes it is the same reader.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.llm.fields import Fields, MalformedManifestError
from engine.llm.model_files import FILE, TOKENIZER, ModelFiles

MODEL, MODEL_DATA = "model.onnx", "model.onnx.data"
BLOCK_TOKENS = 64
DEFAULT_MAX_LEN = 2048
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the rotary frequencies were stretched: `linear` by a factor, `llama3` by how often a dimension turns in the first context."""

    type: str
    factor: float
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None
    original_max_position: int | None = None


@dataclass(frozen=True, slots=True)
class Rope:
    """The rotary embedding, as it stands in the graph's caches."""

    theta: float
    scaling: Scaling | None


@dataclass(frozen=True, slots=True)
class Layout:
    """What the bytes of keys and values mean; `dtype` is theirs (`float32`, `float16`)."""

    dtype: str
    layers: int
    kv_heads: int
    heads: int
    head_dim: int
    hidden: int
    rope: Rope
    block_tokens: int = BLOCK_TOKENS

    @property
    def token_bytes(self) -> int:
        """Keys and values of one token, all layers."""
        return self.layers * 2 * self.kv_heads * self.head_dim * (2 if self.dtype == "float16" else 4)


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How weights are kept. `accuracy_level` 4: activations are rounded to 8 bits inside each product; 0: they stay as they are."""

    weights: str
    accuracy_level: int
    block: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where the weights came from: the name of a package or folder, and the SHA-256 over its files."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest(ModelFiles):
    """Version 1. `vocabulary` is the width of the logits, which may be more than the tokenizer knows; `end_ids` end a generation."""

    name: str
    architecture: str
    files: dict[str, str]
    layout: Layout
    vocabulary: int
    max_position: int
    end_ids: tuple[int, ...]
    bos_id: int | None
    template: str | None
    tool_format: str | None
    quantisation: Quantisation
    source: Source
    licence: str
    provider: str
    max_len: int = DEFAULT_MAX_LEN
    version: int = 1

    @property
    def layout_digest(self) -> str:
        """BLAKE2b-128, hex, over the layout and how weights are quantised: keys and values of two models fit only when it is equal."""
        facts = {"layout": asdict(self.layout), "quantisation": asdict(self.quantisation)}
        return hashlib.blake2b(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode("ascii"), digest_size=16).hexdigest()


def read(folder: Path) -> Manifest:
    """Return the manifest of a model's folder; its files are not looked at (`verify`). Raises MalformedManifestError."""
    return parse(document(folder))


def document(folder: Path) -> bytes:
    """Return what stands in a folder's manifest. Raises MalformedManifestError."""
    try:
        with (folder / FILE).open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise MalformedManifestError("", f"{folder / FILE} cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST_BYTES:
        raise MalformedManifestError("", f"larger than {_LARGEST_BYTES} bytes")
    return content


def parse(content: bytes) -> Manifest:
    """Return what `content` says. Raises MalformedManifestError naming the field."""
    top = Fields.of_json(content)
    if (version := top.integer("version", 1)) != 1:
        raise MalformedManifestError("version", f"{version} is not known here: 1 is")
    manifest = Manifest(
        name=top.text("name", NAME),
        architecture=top.one_of("architecture", "llama", "qwen2", "qwen3"),
        files=_files(top.child("files")),
        layout=_layout(top.child("layout")),
        vocabulary=top.integer("vocabulary", 1),
        max_position=top.integer("max_position", 1),
        end_ids=tuple(top.integers("end_ids", 0)),
        bos_id=top.integer("bos_id", 0) if top.present("bos_id") else None,
        template=top.text("template", NAME) if top.present("template") else None,
        tool_format=top.one_of("tool_format", "hermes") if top.present("tool_format") else None,
        quantisation=_quantisation(top.child("quantisation")),
        source=source_of(top.child("source")),
        licence=top.text("licence"),
        provider=top.one_of("provider", "cpu", "cuda"),
        max_len=top.integer("max_len", 1),
    )
    top.done()
    agree(manifest)
    return manifest


def _files(fields: Fields) -> dict[str, str]:
    files = {name: fields.text(name, DIGEST) for name in fields.names if fields.is_named(name, NAME)}
    for name in (MODEL, TOKENIZER):
        if name not in files:
            raise MalformedManifestError(f"files.{name}", "missing")
    fields.done()
    return files


def _layout(fields: Fields) -> Layout:
    layout = Layout(
        dtype=fields.one_of("dtype", "float32", "float16"),
        layers=fields.integer("layers", 1, 1024),
        kv_heads=fields.integer("kv_heads", 1, 4096),
        heads=fields.integer("heads", 1, 4096),
        head_dim=fields.integer("head_dim", 2, 4096),
        hidden=fields.integer("hidden", 1, 1 << 20),
        rope=_rope(fields.child("rope")),
        block_tokens=fields.integer("block_tokens", 1, 65536),
    )
    fields.done()
    if layout.heads % layout.kv_heads:
        raise MalformedManifestError("layout.kv_heads", f"{layout.heads} heads do not divide among {layout.kv_heads}")
    return layout


def _rope(fields: Fields) -> Rope:
    theta, scaling = fields.number("theta"), None
    if fields.present("scaling"):
        inner = fields.child("scaling")
        scaling = Scaling(
            type=inner.one_of("type", "linear", "llama3"),
            factor=inner.number("factor"),
            low_freq_factor=inner.number("low_freq_factor") if inner.present("low_freq_factor") else None,
            high_freq_factor=inner.number("high_freq_factor") if inner.present("high_freq_factor") else None,
            original_max_position=inner.integer("original_max_position", 1) if inner.present("original_max_position") else None,
        )
        inner.done()
        whole = None not in (scaling.low_freq_factor, scaling.high_freq_factor, scaling.original_max_position)
        if whole != (scaling.type == "llama3"):
            raise MalformedManifestError("layout.rope.scaling", f"{scaling.type} with other factors than its own")
    fields.done()
    return Rope(theta, scaling)


def _quantisation(fields: Fields) -> Quantisation:
    quantisation = Quantisation(
        weights=fields.one_of("weights", "fp32", "int4", "int8", "q4_1"),
        accuracy_level=fields.integer("accuracy_level", 0, 4),
        block=fields.integer("block", 16, 256),
    )
    fields.done()
    if quantisation.accuracy_level not in (0, 4):
        raise MalformedManifestError("quantisation.accuracy_level", f"{quantisation.accuracy_level} is neither 0 nor 4")
    return quantisation


def source_of(fields: Fields) -> Source:
    source = Source(name=fields.text("name"), digest=fields.text("digest", DIGEST))
    fields.done()
    return source


def agree(manifest: ModelFiles) -> None:
    """What each field alone cannot say."""
    if manifest.template is not None and manifest.template not in manifest.files:
        raise MalformedManifestError("template", f"{manifest.template} is not among the files")
    if FILE in manifest.files:
        raise MalformedManifestError(f"files.{FILE}", "cannot hold its own digest")
    if manifest.max_len > manifest.max_position:
        raise MalformedManifestError("max_len", f"{manifest.max_len} is above max_position {manifest.max_position}")
    if not manifest.end_ids:
        raise MalformedManifestError("end_ids", "empty: nothing would end a generation")
    for name, ids in (("end_ids", manifest.end_ids), ("bos_id", () if manifest.bos_id is None else (manifest.bos_id,))):
        if any(each >= manifest.vocabulary for each in ids):
            raise MalformedManifestError(name, f"above the vocabulary of {manifest.vocabulary}")


def write(manifest: Manifest, folder: Path) -> None:
    """Write `manifest.json`, for people to read too. Raises MalformedManifestError when it could not be read again."""
    content: dict[str, Any] = asdict(manifest)
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    if parse(text.encode()) != manifest:
        raise MalformedManifestError("", "what was written reads differently")
    (folder / FILE).write_text(text, encoding="utf-8")
