"""Between hosts there is no shared memory: the same hand-off with the mesh's certificates, over TLS alone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finmesh.engine.v1 import engine_pb2 as pb
from localmesh.ports import free_ports
from provisioning import certificates

from .stubs import Stub, decode_request, prefill_request, stub


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    certificates.ensure_certificates(folder, dt.datetime.now(dt.UTC), ["stranger"])
    return folder


def kv(certs: Path, identity: str, listen: str = "", **changes: Any) -> dict[str, Any]:
    return {
        "socket": "", "listen": listen, "address": listen,
        "certificate": str(certs / f"{identity}.pem"), "key": str(certs / f"{identity}.key"), "authority": str(certs / "authority.pem"),
        "server_name": "inference-prefill", "peers": ["inference-decode"], **changes,
    }  # fmt: skip


def handed_over(p: Stub, d: Stub) -> pb.RequestEnded:
    tokens = [int(token) for token in np.random.default_rng(5).integers(3, 384, 150)]
    p.ask("prefill", pb.PrefillOperation(request=prefill_request(p.manifest, tokens), owner=p.name, work_id="1"))
    assert not p.ended("1").HasField("refusal")
    reservation_id, _ = d.reserve(tokens)
    request = decode_request(d.manifest, tokens, ticket=p.prefilled("1").response.ticket, reservation_id=reservation_id)
    d.ask("decode", pb.DecodeOperation(request=request, owner=d.name, work_id="1"))
    return d.ended("1")


def test_the_mesh_hands_over_by_tls(certs: Path) -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    with stub("prefill", kv=kv(certs, "inference-prefill", listen)) as p, stub("decode", kv=kv(certs, "inference-decode")) as d:
        assert not handed_over(p, d).HasField("refusal")
        committed = d.committed("1").committed
        assert (committed.transport, committed.pulls) == ("tls", 1)
        assert committed.pulled_bytes == 150 * d.manifest.layout.token_bytes
        assert len(d.tokens("1")) == 11
        p.until_free()


@pytest.mark.parametrize(("own", "expected"), [("stranger", "inference-prefill"), ("inference-decode", "stranger")])
def test_strangers_at_either_end_are_refused(certs: Path, own: str, expected: str) -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    theirs = kv(certs, own, server_name=expected)
    with stub("prefill", kv=kv(certs, "inference-prefill", listen)) as p, stub("decode", kv=theirs) as d:
        assert handed_over(p, d).refusal.reason == "PULL_FAILED"
        assert not d.tokens("1")
