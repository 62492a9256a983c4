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
from localmesh.rows import Row, only
from localmesh.servers import milvus_row
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
        rows = only(_with_vectors(table(places, ports), places, ports), list(ROWS if dense else LEXICAL_ROWS))
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


def _with_vectors(rows: list[Row], places: Places, ports: Ports) -> list[Row]:
    """The rows with one of Milvus, also where no process of the service table says that it uses one."""
    if any(row.name == "milvus" for row in rows):
        return rows
    there = {"FINMESH_MILVUS__URI": f"http://{LOOPBACK}:{ports.milvus}"}
    led = [replace(row, env={**row.env, **there}, needs=(*row.needs, "milvus")) if row.name.startswith("rag-") else row for row in rows]
    return [milvus_row(places, ports), *led]
