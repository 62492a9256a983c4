"""Which files decided: the digests in audit records beside those of files that somebody vouches for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from finmesh.audit.v1.audit_record_pb2 import VERSIONED_CHANNELS, VERSIONED_RULES, VERSIONED_SHADOW_RULES, AuditRecord
from meshkit.audit.records import thresholds_sha256
from meshkit.errors import InvalidDocument
from meshkit.strict_json import parse_json

from finmesh_cli.failures import UsageError

MODEL, RULES, THRESHOLDS, TOKENIZER = "model", "rules", "thresholds", "tokenizer"
_TABLES = {".yaml", ".yml"}
_MANIFEST = "manifest.json"  # of a language model: its identity is a digest of the manifest in canonical form, which names all files
_CHANGES = {VERSIONED_RULES: RULES, VERSIONED_SHADOW_RULES: RULES, VERSIONED_CHANNELS: THRESHOLDS}


@dataclass(slots=True)
class Known:
    """Digests of known files, in hex. Thresholds follow from a channel table and a model's card, so every pair of those is known."""

    files: dict[str, str] = field(default_factory=dict)
    pairs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, places: Iterable[Path]) -> Known:
        """Read files, and all files below folders. Raises UsageError for a place that is not there or not readable."""
        known, tables, cards = cls(), [], []
        for place in places:
            try:
                paths = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
                digests = [(path, sha256(path.read_bytes()).digest()) for path in paths]
            except OSError as error:
                raise UsageError(f"{place} cannot be read: {error.strerror}") from None
            known.files |= {digest.hex(): str(path) for path, digest in digests}
            known.files |= {_identity(path): str(path) for path in paths if path.name == _MANIFEST}
            tables += [each for each in digests if each[0].suffix in _TABLES]
            cards += [each for each in digests if each[0].suffix == ".json"]
        for table, channels in tables:
            known.pairs |= {thresholds_sha256(channels, digest).hex(): f"{table} with {card}" for card, digest in cards}
        return known

    def name(self, kind: str, digest: str) -> str | None:
        """Return which file a digest is of. Records of before have the first 64 bits of the model's alone."""
        names = self.pairs if kind == THRESHOLDS else self.files
        if kind == MODEL and len(digest) == 16:
            return next((name for whole, name in names.items() if whole.startswith(digest)), None)
        return names.get(digest)


@dataclass(slots=True)
class Used:
    """What the records of a log were made with, by kind and digest in hex; an empty digest: none, or a record from before it was kept."""

    records: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, record: AuditRecord) -> None:
        """Take one record into account."""
        self.records += 1
        detail = record.WhichOneof("detail")
        if detail is None:
            self.counts[MODEL, record.model_sha256.hex() or record.model_digest] += 1
            self.counts[RULES, record.rules_sha256.hex()] += 1
            self.counts[THRESHOLDS, record.thresholds_sha256.hex()] += 1
        elif detail == "generation" and record.generation.HasField("started"):
            self.counts[MODEL, record.model_sha256.hex()] += 1
            self.counts[TOKENIZER, record.generation.started.tokenizer_sha256.hex()] += 1
        elif detail == "change" and (kind := _CHANGES.get(record.change.version.of)) is not None:
            self.counts[kind, record.change.version.after_sha256.hex()] += 1


def _identity(manifest: Path) -> str:
    """Return the digest by which records name a language model; that of the bytes when they are no JSON."""
    content = manifest.read_bytes()
    with suppress(InvalidDocument):
        content = json.dumps(parse_json(content), sort_keys=True, separators=(",", ":")).encode("ascii")
    return sha256(content).hexdigest()
