"""A model that somebody else runs: its folder holds tokenizer, template and manifest, and no graph.

Surprising: the digest says nothing of the weights here. It names what the text is made with; which weights answer, `source` says in
words (a repository and its revision, say), and a known answer proves. Our own engine refuses such a folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.llm import manifest as own
from engine.llm.fields import Fields, MalformedManifestError
from engine.llm.manifest import Manifest, Source
from engine.llm.model_files import FILE, TOKENIZER, ModelFiles

PROVIDER = "foreign"


@dataclass(frozen=True, slots=True)
class ForeignManifest(ModelFiles):
    """Version 1 without a graph. `architecture` is a word for people; the rest as in `Manifest`."""

    name: str
    architecture: str
    files: dict[str, str]
    vocabulary: int
    max_position: int
    end_ids: tuple[int, ...]
    bos_id: int | None
    template: str | None
    tool_format: str | None
    source: Source
    licence: str
    max_len: int
    provider: str = PROVIDER
    version: int = 1


TextManifest = Manifest | ForeignManifest


def read(folder: Path) -> TextManifest:
    """Return the manifest of a folder, whoever runs the model. Raises MalformedManifestError."""
    return parse(own.document(folder))


def parse(content: bytes) -> TextManifest:
    """Return what `content` says, of either kind by its provider. Raises MalformedManifestError naming the field."""
    top = Fields.of_json(content)
    if top.value("provider") != PROVIDER:
        return own.parse(content)
    if (version := top.integer("version", 1)) != 1:
        raise MalformedManifestError("version", f"{version} is not known here: 1 is")
    manifest = ForeignManifest(
        name=top.text("name", own.NAME),
        architecture=top.text("architecture", own.NAME),
        files=_files(top.child("files")),
        vocabulary=top.integer("vocabulary", 1),
        max_position=top.integer("max_position", 1),
        end_ids=tuple(top.integers("end_ids", 0)),
        bos_id=top.integer("bos_id", 0) if top.present("bos_id") else None,
        template=top.text("template", own.NAME) if top.present("template") else None,
        tool_format=top.one_of("tool_format", "hermes") if top.present("tool_format") else None,
        source=own.source_of(top.child("source")),
        licence=top.text("licence"),
        max_len=top.integer("max_len", 1),
        provider=top.one_of("provider", PROVIDER),
    )
    top.done()
    own.agree(manifest)
    return manifest


def _files(fields: Fields) -> dict[str, str]:
    files = {name: fields.text(name, own.DIGEST) for name in fields.names if fields.is_named(name, own.NAME)}
    if TOKENIZER not in files:
        raise MalformedManifestError(f"files.{TOKENIZER}", "missing")
    if own.MODEL in files:
        raise MalformedManifestError(f"files.{own.MODEL}", "a foreign model has no graph here")
    fields.done()
    return files


def write(manifest: ForeignManifest, folder: Path) -> None:
    """Write `manifest.json`, for people to read too. Raises MalformedManifestError when it could not be read again."""
    content: dict[str, Any] = asdict(manifest)
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    if parse(text.encode()) != manifest:
        raise MalformedManifestError("", "what was written reads differently")
    (folder / FILE).write_text(text, encoding="utf-8")
