"""The rows of engines: for each process that fronts one, a Triton of its own with the language model and the shim of its role."""

import hashlib
import tempfile
from pathlib import Path

from meshkit.crypto.derive import TICKETS
from provisioning.engines import EngineFile, KvEndpoint, Sizes, assemble
from provisioning.keys import path_of
from provisioning.services import Engine, Service

from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports, instance
from localmesh.rows import Row
from localmesh.tritonserver import tritonserver

PID_FILE = "triton.pid"
_SOCKET_BYTES = 100  # of a Unix socket's path, which the kernel bounds at 107
_START_TIMEOUT_S = 180.0  # a model is loaded and warmed up, on cores that everything else starts on as well


def engine_row(places: Places, ports: Ports, service: Service, engine: Engine, number: int, sizes: Sizes) -> Row:
    """The row of one instance, counted from 1. Its repository is assembled before each start; NoModelError when there is no model then."""
    name = instance(engine.name, number)
    listens, folder = ports.engine(name), folder_of(places, name)
    content = EngineFile(
        role=engine.role,
        worker_id=name,
        model=str(places.llm_model),
        kv=_endpoint(places, service, engine, listens.get("kv"), folder),
        ticket_keys=str(path_of(places.keys, TICKETS)) if "tickets" in engine.keys else "",
        pid_file=str(folder / PID_FILE),
        sizes=sizes,
    )

    def prepare() -> None:
        assemble(folder / "repository", places.shims, engine, content)
        (folder / PID_FILE).unlink(missing_ok=True)
        if content.kv.socket:
            Path(content.kv.socket).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            Path(content.kv.socket).unlink(missing_ok=True)

    return tritonserver(places, name, listens, folder / "repository", prepare, _START_TIMEOUT_S)


def folder_of(places: Places, name: str) -> Path:
    """Where an engine has its repository, its socket and the file with its pid."""
    return places.var / "engines" / name


def _endpoint(places: Places, service: Service, engine: Engine, port: int | None, folder: Path) -> KvEndpoint:
    certs = places.certs
    return KvEndpoint(
        certificate=str(certs / f"{service.name}.pem"),
        key=str(certs / f"{service.name}.key"),
        authority=str(certs / "authority.pem"),
        server_name=service.name,
        peers=engine.pulled_by,
        socket=str(_socket(folder)) if port else "",
        listen=f"{LOOPBACK}:{port}" if port else "",
        address=f"{LOOPBACK}:{port}" if port else "",
    )


def _socket(folder: Path) -> Path:
    """In the folder, unless that path is too long for a socket: then of the same name each time, among temporary files."""
    near = folder / "kv.sock"
    if len(str(near).encode()) <= _SOCKET_BYTES:
        return near
    return Path(tempfile.gettempdir(), f"finmesh-{hashlib.blake2b(str(folder).encode(), digest_size=8).hexdigest()}", "kv.sock")
