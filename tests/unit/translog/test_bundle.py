"""Proof bundles verify offline with a key alone, and nothing in them can be changed."""

import base64
import json

import pytest
from translog.bundle import (
    consistency_bundle,
    inclusion_bundle,
    read_bundle,
    tlog_proof,
    verify_consistency_bundle,
    verify_inclusion_bundle,
)
from translog.errors import MalformedError, NotFoundError, ProofError, RewrittenError, SignatureError
from translog.note import Signer
from translog.reader import ConsistencyProof, InclusionProof


def inclusion_text(proof: InclusionProof) -> str:
    return inclusion_bundle(leaf=proof.leaf.body, index=proof.leaf.index, hashes=proof.hashes, note=proof.note)


def consistency_text(proof: ConsistencyProof) -> str:
    return consistency_bundle(old_note=proof.old_note, new_note=proof.new_note, hashes=proof.hashes)


@pytest.fixture
def log(open_log, batch_of):
    log = open_log()
    log.append(batch_of(*range(7)))
    log.append(batch_of(*range(7, 20)))
    return log


def test_inclusion(log, verifiers, record) -> None:
    checkpoint, index, body = verify_inclusion_bundle(inclusion_text(log.reader.inclusion("id-5")), verifiers)
    assert (checkpoint.size, index, body) == (23, 6, record(5).body)
    checkpoint, index, _ = verify_inclusion_bundle(inclusion_text(log.reader.inclusion("id-5", 9)), verifiers)
    assert (checkpoint.size, index) == (9, 6)


def test_consistency(log, verifiers) -> None:
    old, new = verify_consistency_bundle(consistency_text(log.reader.consistency(9)), verifiers)
    assert (old.size, new.size) == (9, 23)
    assert verify_consistency_bundle(consistency_text(log.reader.consistency(9)), verifiers, pinned=old) == (old, new)
    with pytest.raises(RewrittenError, match="not the pinned"):
        verify_consistency_bundle(consistency_text(log.reader.consistency(9)), verifiers, pinned=new)


def test_what_was_never_signed_has_no_proof(log) -> None:
    assert log.reader.consistency(8).old_note == ""
    for size in (8, -1, 1 << 63, 1 << 64):
        with pytest.raises(NotFoundError):
            log.reader.inclusion("id-5", size)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"index": 5}, ProofError),
        ({"index": 23}, ProofError),
        ({"index": -1}, ProofError),
        ({"index": True}, MalformedError),
        ({"index": "5"}, MalformedError),
        ({"leaf": base64.b64encode(b"other").decode()}, ProofError),
        ({"leaf": 5}, MalformedError),
        ({"leaf": "*"}, MalformedError),
        ({"proof": []}, ProofError),
        ({"proof": ["AAAA"]}, ProofError),
        ({"proof": "AAAA"}, MalformedError),
        ({"proof": [1]}, MalformedError),
        ({"checkpoint": "text\n\n— a AAAAAAAA\n"}, SignatureError),
        ({"checkpoint": None}, MalformedError),
        ({"format": "other"}, MalformedError),
    ],
)
def test_a_changed_inclusion_bundle(log, verifiers, change, error) -> None:
    bundle = json.loads(inclusion_text(log.reader.inclusion("id-5"))) | change
    with pytest.raises(error):
        verify_inclusion_bundle(json.dumps(bundle), verifiers)


def test_a_bundle_does_not_bring_its_own_trust(log, verifiers, signer) -> None:
    """A forger signs with a key of the same name; and a known key of another log is no key of this one."""
    text = inclusion_text(log.reader.inclusion("id-5"))
    for stranger in (Signer(signer.name, b"x" * 32), Signer("other", signer.seed)):
        with pytest.raises(SignatureError):
            verify_inclusion_bundle(text, [stranger.verifier])
    with pytest.raises(SignatureError, match="not of 'other'"):
        verify_inclusion_bundle(text, verifiers, origin="other")


def test_bundles_swapped(log, verifiers) -> None:
    bundle = json.loads(consistency_text(log.reader.consistency(9)))
    bundle["old_checkpoint"], bundle["new_checkpoint"] = bundle["new_checkpoint"], bundle["old_checkpoint"]
    with pytest.raises(ProofError, match="shrink"):
        verify_consistency_bundle(json.dumps(bundle), verifiers)


@pytest.mark.parametrize("text", ["", "[]", "1", "{", "[" * 100_000, '"x"', " " * (1 << 21)])
def test_not_a_bundle(text, verifiers) -> None:
    with pytest.raises(MalformedError):
        verify_inclusion_bundle(text, verifiers)


def test_a_key_that_occurs_twice(log, verifiers) -> None:
    text = inclusion_text(log.reader.inclusion("id-5"))
    with pytest.raises(MalformedError):
        verify_inclusion_bundle(text.replace("{", '{"index": 6,', 1), verifiers)


def test_reading_files(tmp_path) -> None:
    with pytest.raises(NotFoundError):
        read_bundle(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    with pytest.raises(MalformedError):
        read_bundle(tmp_path / "binary.json")


def test_tlog_proof_text(log) -> None:
    """Lines of the C2SP tlog-proof page: version, index, hashes, empty line, checkpoint verbatim."""
    proof = log.reader.inclusion("id-5")
    head, _, note = tlog_proof(proof).partition("\n\n")
    version, index, *hashes = head.split("\n")
    assert (version, index) == ("c2sp.org/tlog-proof@v1", "index 6")
    assert [base64.b64decode(h) for h in hashes] == list(proof.hashes)
    assert note == proof.note
