"""What an encoder is: `manifest.json`, version 1, in the folder with its graph and its tokenizer.

Any ONNX encoder can be served by one. Surprising: the manifest's own digest is the encoder's identity, and vectors of two identities are
never compared; it covers the prefixes as well, since they change vectors as much as weights do.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.llm.fields import Fields, MalformedManifestError
from engine.llm.manifest import DIGEST, NAME, Source, document, source_of
from engine.llm.model_files import FILE, TOKENIZER, DigestedFiles

MODEL = "model.onnx"
LONGEST_TOKENS = 8_192
MEAN, FIRST, WHOLE = "mean", "first", "none"


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What goes before a question and before a passage; both may be empty."""

    query: str
    passage: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Names of the graph's inputs, (n, s) int64, and of the output that is used.

    ``types``: of the input that tells two texts apart, which gets zeros; none where the graph has none. ``pooling``: how vectors are made
    of the output: over the pieces of a text (`mean`), from the first (`first`), or they are the output (`none`).
    """

    ids: str
    mask: str
    types: str | None
    output: str
    pooling: str


@dataclass(frozen=True, slots=True)
class Manifest(DigestedFiles):
    """Version 1. ``max_tokens``: of a text with its prefix, begin and end; ``pad_id`` fills shorter rows and is masked."""

    name: str
    files: dict[str, str]
    dimension: int
    vocabulary: int
    max_tokens: int
    pad_id: int
    prefixes: Prefixes
    graph: Graph
    source: Source
    licence: str
    version: int = 1


def read(folder: Path) -> Manifest:
    """Return the manifest of an encoder's folder; its files are not looked at (`verify`). Raises MalformedManifestError."""
    return parse(document(folder))


def parse(content: bytes) -> Manifest:
    """Return what ``content`` says. Raises MalformedManifestError naming the field."""
    top = Fields.of_json(content)
    if (version := top.integer("version", 1)) != 1:
        raise MalformedManifestError("version", f"{version} is not known here: 1 is")
    manifest = Manifest(
        name=top.text("name", NAME),
        files=_files(top.child("files")),
        dimension=top.integer("dimension", 1, 65_536),
        vocabulary=top.integer("vocabulary", 1),
        max_tokens=top.integer("max_tokens", 8, LONGEST_TOKENS),
        pad_id=top.integer("pad_id", 0),
        prefixes=_prefixes(top.child("prefixes")),
        graph=_graph(top.child("graph")),
        source=source_of(top.child("source")),
        licence=top.text("licence"),
    )
    top.done()
    if manifest.pad_id >= manifest.vocabulary:
        raise MalformedManifestError("pad_id", f"above the vocabulary of {manifest.vocabulary}")
    return manifest


def write(manifest: Manifest, folder: Path) -> None:
    """Write `manifest.json`, for people to read too. Raises MalformedManifestError when it could not be read again."""
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if parse(text.encode()) != manifest:
        raise MalformedManifestError("", "what was written reads differently")
    (folder / FILE).write_text(text, encoding="utf-8")


def _files(fields: Fields) -> dict[str, str]:
    files = {name: fields.text(name, DIGEST) for name in fields.names if fields.is_named(name, NAME)}
    for name in (MODEL, TOKENIZER):
        if name not in files:
            raise MalformedManifestError(f"files.{name}", "missing")
    if FILE in files:
        raise MalformedManifestError(f"files.{FILE}", "cannot hold its own digest")
    fields.done()
    return files


def _prefixes(fields: Fields) -> Prefixes:
    prefixes = Prefixes(query=fields.text("query", may_be_empty=True), passage=fields.text("passage", may_be_empty=True))
    fields.done()
    return prefixes


def _graph(fields: Fields) -> Graph:
    graph = Graph(
        ids=fields.text("ids", NAME),
        mask=fields.text("mask", NAME),
        types=fields.text("types", NAME) if fields.present("types") else None,
        output=fields.text("output", NAME),
        pooling=fields.one_of("pooling", MEAN, FIRST, WHOLE),
    )
    fields.done()
    return graph
