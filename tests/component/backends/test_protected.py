"""TLS to foreign engines, by the row's files: its authority and no other, a certificate where one is wanted, newer files as they come."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from backends.accelerators import parse
from backends.feed import Feed
from backends.foreign import ForeignEngine
from backends.fronted import made
from finmesh.inference.v1.decode_service_pb2 import DecodeRequest, Tokens
from finmesh.inference.v1.generation_pb2 import Bounds, Sampling
from finmesh.inference.v1.worker_pb2 import WORKER_STATE_READY
from provisioning import certificates

from tests.engines import until
from tests.oip_server import oip_server
from tests.openai_server import MODEL, OpenAiServer

DIGEST = bytes(range(32))


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    """Certificates of a pool, and of strangers in a folder beside."""
    now = dt.datetime.now(dt.UTC)
    for folder in (tmp_path / "池", tmp_path / "strangers"):
        folder.mkdir()
        certificates.ensure_certificates(folder, now, ["engine", "finmesh"])
    return tmp_path / "池"


@asynccontextmanager
async def serving(certs: Path) -> AsyncIterator[OpenAiServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "engine.pem", certs / "engine.key")
    context.load_verify_locations(certs / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = OpenAiServer(tls=context)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def behind(url: str, certs: Path, authority: Path | None = None, **changes: Any) -> AsyncIterator[ForeignEngine]:
    fields = {
        "name": "foreign-0",
        "kind": "openai",
        "url": url,
        "roles": ["generate"],
        "vendor": "acme",
        "device": "npu",
        "model": "tiny",
        "model_digest": DIGEST.hex(),
        "rows": 4,
        "max_len_tokens": 512,
        "zone": "local",
        "highest_grade": "L3",
        "authority_file": str(authority or certs / "authority.pem"),
        "certificate_file": str(certs / "finmesh.pem"),
        "key_file": str(certs / "finmesh.key"),
        "options": {"served_model": MODEL},
    } | changes
    row = parse(json.dumps({"version": "1", "accelerators": [fields]}).encode()).rows[0]
    engine = made(row, "generate", "llm_decode", 512)
    assert isinstance(engine, ForeignEngine)
    engine.watch(Feed(asyncio.Event()))
    running = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def answered(engine: ForeignEngine) -> int:
    request = DecodeRequest(
        model_digest=DIGEST, prompt_tokens=[40, 41], grade=1, sampling=Sampling(choices=1), bounds=Bounds(max_output_tokens=3)
    )
    return sum([len(event.tokens) async for event in engine.decode(request, 10.0) if isinstance(event, Tokens)])


async def test_it_is_spoken_to_by_mutual_tls_and_by_newer_files_when_they_come(certs: Path) -> None:
    async with serving(certs) as server, behind(server.url, certs) as engine:
        await until(lambda: engine.load.state == WORKER_STATE_READY)
        assert await answered(engine) == 3
        authority = certificates.read(certs, "authority")
        assert authority is not None
        certificates.write(certs, "finmesh", certificates.new_leaf("finmesh", authority, dt.datetime.now(dt.UTC)))
        before = server.serials.copy()
        await until(lambda: server.serials - before)
        assert await answered(engine) == 3 and engine.load.state == WORKER_STATE_READY


@pytest.mark.parametrize("wrong", ["authority", "certificate"])
async def test_a_stranger_on_either_side_is_none_of_the_pool(certs: Path, wrong: str) -> None:
    strangers = certs.parent / "strangers"
    async with serving(certs) as server:
        files = (certs, strangers / "authority.pem") if wrong == "authority" else (strangers, certs / "authority.pem")
        async with behind(server.url, *files) as engine:
            await until(lambda: engine.load.reason == "ENGINE_LOST")
            assert engine.description is None and not server.paths


@pytest.mark.parametrize("wrong", ["", "authority", "certificate"])
async def test_the_open_protocol_is_spoken_by_mutual_tls_too(certs: Path, wrong: str) -> None:
    pair = [((certs / "engine.key").read_bytes(), (certs / "engine.pem").read_bytes())]
    tls = grpc.ssl_server_credentials(pair, (certs / "authority.pem").read_bytes(), require_client_auth=True)
    strangers = certs.parent / "strangers"
    files = {"authority": (certs, strangers / "authority.pem"), "certificate": (strangers, certs / "authority.pem")}
    options = {
        "served_model": "llm",
        "input_ids": "IDS",
        "max_tokens": "MAX",
        "output_ids": "OUT",
        "finish": "FINISH",
        "unused": ["TEMP", "SEED"],
    }
    async with oip_server(tls=tls) as server, behind(server.url, *files.get(wrong, (certs,)), kind="oip", options=options) as engine:
        await until(lambda: engine.load.state == WORKER_STATE_READY if not wrong else engine.load.reason in ("ENGINE_LOST", "ENGINE_SLOW"))
        if not wrong:
            assert await answered(engine) == 3
        else:
            assert engine.description is None
