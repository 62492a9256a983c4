"""The leaf's message: what was written before it grew is read as it was, and the running build comes from the image."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.config import ServiceConfig
from pydantic import ValidationError

from .repository import ROOT

# A leaf as risk-scoring 0.1.0 wrote it, before there was a detail.
OLD_LEAF = bytes.fromhex(
    "0a2433663063386135322d366431652d386237612d396334342d306435653666373038313932120c7269736b2d73636f72696e671a0662616e6b2d61"
    "220a616e74692d66726175642a1066726175642d70726576656e74696f6e3210000102030405060708090a0b0c0d0e0f3a2430313938633164322d37"
    "6133622d376334642d386535662d363037313832393361346235422437623164396530342d353263332d386636612d613162322d6333643465356636"
    "303731384a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f52056465762d315a20202122232425262728292a2b2c"
    "2d2e2f303132333435363738393a3b3c3d3e3f620e4f5554434f4d455f5245564945576a0c525f4e45575f4445564943457210396638366430383138"
    "383463376436357a013182010e332b61626364656630313233343588010292011c4445475241444154494f4e5f4d4f44454c5f494e5f50524f434553"
    "53980103a20110101112131415161718191a1b1c1d1e1faa01090880f09dc706108827b201060881f09dc706ba012000000000000000000000000000"
    "00000000000000000000000000000000000000c201127269736b2d73636f72696e672f302e312e30"
)
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()


def test_an_old_leaf_is_read_as_it_was_written() -> None:
    record = AuditRecord.FromString(OLD_LEAF)
    assert (record.outcome, record.model_digest, record.build) == ("OUTCOME_REVIEW", "9f86d081884c7d65", "risk-scoring/0.1.0")
    assert record.decided_time.seconds == 1_760_000_001
    assert record.WhichOneof("detail") is None
    assert not (record.model_sha256 or record.rules_sha256 or record.thresholds_sha256 or record.lost_before)
    assert sha256(record.SerializeToString()).digest() == sha256(OLD_LEAF).digest()


def test_an_image_names_the_build_that_it_holds() -> None:
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.search(r"^ARG BUILD$", last, re.MULTILINE)
    assert re.search(r'^RUN test -n "\$\{BUILD\}"$', last, re.MULTILINE), "an image without a build is not made"
    assert re.search(r'^ENV .*FINMESH_BUILD="\$\{BUILD\}"', last, re.MULTILINE)
    assert 'LABEL org.opencontainers.image.version="${BUILD}"' in last
    assert not re.search("FINMESH_BUILD", "".join(path.read_text() for path in (ROOT / "deploy/k8s").rglob("*.yaml")))


def test_a_build_is_a_plain_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINMESH_BUILD", raising=False)
    assert ServiceConfig().build == "development"
    monkeypatch.setenv("FINMESH_BUILD", "0.2.0+3f2c1ab")
    assert ServiceConfig().build == "0.2.0+3f2c1ab"
    for wrong in ("", "张三 13800138000", "a" * 65, "-x"):
        monkeypatch.setenv("FINMESH_BUILD", wrong)
        with pytest.raises(ValidationError):
            ServiceConfig()
