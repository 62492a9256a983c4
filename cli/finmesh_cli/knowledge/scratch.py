"""Encoder, vectors, log and rag in a folder of their own, for one evaluation; gone afterwards, whatever happens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.processes import table
from localmesh.rows import only
from localmesh.supervisor import Mesh
from meshkit.config import TlsSettings
from meshkit.rpc.channel import MeshChannel

from finmesh_cli.knowledge.service import RagService

ROWS = ("kafka", "milvus", "triton-encoder", "provision", "rag-ingest", "rag-rpc")
LEXICAL_ROWS = ("kafka", "provision", "rag-ingest", "rag-rpc")
_CALL_S = 60.0
_MESSAGE_BYTES = 64 * 1024 * 1024


def has_encoder(places: Places) -> bool:
    """Whether set-up made an encoder; without one the lexical leg stands alone."""
    return (places.encoder_model / "manifest.json").is_file()


@asynccontextmanager
async def opened() -> AsyncIterator[RagService]:
    """Rag is up inside. Raises StartError, MissingToolError."""
    usual = Places.default()
    usual.var.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="eval-rag-", dir=usual.var))
    places = replace(usual, var=folder)
    try:
        launcher.ensure_identity(places)
        ports = Ports.free()
        dense = has_encoder(places)
        rows = only(table(places, ports), list(ROWS if dense else LEXICAL_ROWS))
        if not dense:
            rows = [replace(row, env={key: value for key, value in row.env.items() if key != "FINMESH_ENCODER__MODEL"}) for row in rows]
        async with Mesh(rows, places.var):
            certs = places.certs
            tls = TlsSettings(authority=certs / "authority.pem", certificate=certs / "gateway.pem", key=certs / "gateway.key")
            target = f"{LOOPBACK}:{ports.grpc('rag-rpc')}"
            async with MeshChannel(target, tls, timeout_s=_CALL_S, message_bytes=_MESSAGE_BYTES) as channel:
                service = RagService(channel)
                await service.open()
                yield service
    finally:
        shutil.rmtree(folder, ignore_errors=True)
