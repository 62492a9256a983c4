"""Proof bundles: one JSON file that proves inclusion or consistency offline, with nothing but the log's verifier key.

The key is never read from the bundle: whoever brings a proof must not bring the trust for it. An inclusion proof can also be written as
a C2SP tlog-proof, which other tools read. https://c2sp.org/tlog-proof
"""

import base64
import json
from collections.abc import Iterable
from pathlib import Path

from translog.checkpoint import Checkpoint, open_checkpoint
from translog.errors import MalformedError, NotFoundError, RewrittenError
from translog.merkle import leaf_hash, verify_consistency, verify_inclusion
from translog.note import Verifier, decode_base64
from translog.reader import InclusionProof

INCLUSION = "finmesh.translog/inclusion/v1"
CONSISTENCY = "finmesh.translog/consistency/v1"
MAX_BUNDLE_BYTES = 1 << 20


def inclusion_bundle(*, leaf: bytes, index: int, hashes: Iterable[bytes], note: str) -> str:
    """JSON text of an inclusion proof; `leaf` is the exact leaf body."""
    return _dump({"format": INCLUSION, "checkpoint": note, "index": index, "leaf": _b64(leaf), "proof": [_b64(h) for h in hashes]})


def consistency_bundle(*, old_note: str, new_note: str, hashes: Iterable[bytes]) -> str:
    """JSON text of a consistency proof between two signed checkpoints."""
    return _dump({"format": CONSISTENCY, "old_checkpoint": old_note, "new_checkpoint": new_note, "proof": [_b64(h) for h in hashes]})


def tlog_proof(proof: InclusionProof) -> str:
    """C2SP tlog-proof text of an inclusion proof (the leaf itself travels apart)."""
    lines = ["c2sp.org/tlog-proof@v1", f"index {proof.leaf.index}", *(_b64(h) for h in proof.hashes)]
    return "\n".join(lines) + "\n\n" + proof.note


def verify_inclusion_bundle(text: str, verifiers: Iterable[Verifier], *, origin: str | None = None) -> tuple[Checkpoint, int, bytes]:
    """(checkpoint, leaf index, leaf body) once all of it holds. The origin is that of the verifiers unless given.

    Raises MalformedError, SignatureError, ProofError.
    """
    fields = _load(text, INCLUSION)
    checkpoint = _open(_text(fields, "checkpoint"), list(verifiers), origin)
    index = fields.get("index")
    if type(index) is not int:
        raise MalformedError("index must be a whole number")
    body = decode_base64(_text(fields, "leaf"))
    verify_inclusion(leaf=leaf_hash(body), index=index, size=checkpoint.size, proof=_hashes(fields), root=checkpoint.root)
    return checkpoint, index, body


def verify_consistency_bundle(
    text: str, verifiers: Iterable[Verifier], *, origin: str | None = None, pinned: Checkpoint | None = None
) -> tuple[Checkpoint, Checkpoint]:
    """(old, new) once all of it holds; with `pinned`, the old checkpoint must be that one.

    Raises MalformedError, SignatureError, ProofError, RewrittenError.
    """
    fields = _load(text, CONSISTENCY)
    known = list(verifiers)
    old, new = (_open(_text(fields, name), known, origin) for name in ("old_checkpoint", "new_checkpoint"))
    if old.origin != new.origin:
        raise RewrittenError("the checkpoints are of two logs")
    if pinned is not None and (pinned.origin, pinned.size, pinned.root) != (old.origin, old.size, old.root):
        raise RewrittenError("the old checkpoint is not the pinned one")
    verify_consistency(old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root, proof=_hashes(fields))
    return old, new


def read_bundle(path: Path) -> str:
    """Text of a bundle file. Raises NotFoundError, MalformedError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}") from error
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("a bundle is UTF-8 text") from error


def _open(note: str, verifiers: list[Verifier], origin: str | None) -> Checkpoint:
    if origin is not None:
        return open_checkpoint(note, origin=origin, log=verifiers)
    first = note.split("\n", 1)[0]
    return open_checkpoint(note, origin=first, log=[v for v in verifiers if v.name == first])


def _load(text: str, expected: str) -> dict[str, object]:
    if len(text) > MAX_BUNDLE_BYTES:
        raise MalformedError("the bundle is too long")
    try:
        fields = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise MalformedError("the bundle is not JSON") from error
    if not isinstance(fields, dict) or fields.get("format") != expected:
        raise MalformedError(f"not a bundle of format {expected}")
    return fields


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key occurs twice")
    return fields


def _text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise MalformedError(f"{name} must be a string")
    return value


def _hashes(fields: dict[str, object]) -> list[bytes]:
    proof = fields.get("proof")
    if not isinstance(proof, list) or not all(isinstance(item, str) for item in proof):
        raise MalformedError("proof must be a list of strings")
    return [decode_base64(item) for item in proof]


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _dump(fields: dict[str, object]) -> str:
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
