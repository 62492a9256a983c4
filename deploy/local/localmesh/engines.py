"""The rows of engines: for each process that fronts one, a Triton of its own with the language model and the shim of its role.

The Python inside Triton takes paths for ASCII, so an engine is told plain names of its working folder, which link to where things lie. The
socket alone is named by others too: its path is ASCII and short, wherever the mesh's folder is.
"""

import hashlib
import os
from pathlib import Path

from meshkit.crypto.derive import TICKETS
from provisioning.engines import EngineFile, KvEndpoint, Sizes, assemble
from provisioning.keys import path_of
from provisioning.services import Engine, Service

from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports, instance
from localmesh.rows import Restart, Row
from localmesh.tritonserver import tritonserver

PID_FILE = "triton.pid"
_MODEL, _RUN, _TICKETS = "llm-model", "run", "tickets.json"
_CERTIFICATE, _KEY, _AUTHORITY = "tls.crt", "tls.key", "ca.crt"
_SOCKET_BYTES = 100  # of a Unix socket's path, which the kernel bounds at 107
_RESTART = Restart(limit_s=2.0)  # whoever fronts it ends one that hangs, and waits for it
_START_TIMEOUT_S = 180.0  # a model is loaded and warmed up, on cores that everything else starts on as well


def engine_row(
    places: Places,
    ports: Ports,
    service: Service,
    engine: Engine,
    *,
    number: int = 1,
    sizes: Sizes | None = None,
    pulls_from: str = "",
    model: Path | None = None,
) -> Row:
    """The row of one instance, counted from 1. `pulls_from`: the service whose engines it pulls from. `model`: the general one if None.

    Its repository is assembled before each start; NoModelError when there is no model then.
    """
    served = model or places.llm_model
    name = instance(engine.name, number)
    listens, folder = ports.engine(name), folder_of(places, name)
    links = {
        _MODEL: served,
        _RUN: folder,
        _CERTIFICATE: places.certs / f"{service.name}.pem",
        _KEY: places.certs / f"{service.name}.key",
        _AUTHORITY: places.certs / "authority.pem",
    } | ({_TICKETS: path_of(places.keys, TICKETS)} if "tickets" in engine.keys else {})
    content = EngineFile(
        role=engine.role,
        worker_id=name,
        model=_MODEL,
        kv=_endpoint(engine, listens.get("kv"), folder, pulls_from),
        ticket_keys=_TICKETS if _TICKETS in links else "",
        pid_file=f"{_RUN}/{PID_FILE}",
        sizes=sizes or Sizes(),
    )

    def prepare() -> None:
        assemble(folder / "repository", places.shims, content, served)
        (folder / PID_FILE).unlink(missing_ok=True)
        if content.kv.socket:
            _clear(Path(content.kv.socket))

    return tritonserver(places, name, listens, folder / "repository", prepare, links, _START_TIMEOUT_S, _RESTART)


def folder_of(places: Places, name: str) -> Path:
    """Where an engine has its repository, its socket and the file with its pid."""
    return places.var / "engines" / name


def _endpoint(engine: Engine, port: int | None, folder: Path, pulls_from: str) -> KvEndpoint:
    return KvEndpoint(
        certificate=_CERTIFICATE,
        key=_KEY,
        authority=_AUTHORITY,
        server_name=pulls_from,
        peers=engine.pulled_by,
        socket=str(_socket(folder)) if port else "",
        listen=f"{LOOPBACK}:{port}" if port else "",
        address=f"{LOOPBACK}:{port}" if port else "",
    )


def _socket(folder: Path) -> Path:
    """In the folder, unless that path is too long for a socket or not ASCII: then of the same name each time, among temporary files."""
    near = folder / "kv.sock"
    if str(near).isascii() and len(str(near)) <= _SOCKET_BYTES:
        return near
    return Path("/tmp", f"finmesh-{hashlib.blake2b(str(folder).encode(), digest_size=8).hexdigest()}", "kv.sock")  # noqa: S108


def _clear(socket: Path) -> None:
    """Nothing is left of the socket before, and its folder is ours alone. PermissionError when somebody else made it."""
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if socket.parent.stat().st_uid != os.geteuid():
        raise PermissionError(f"{socket.parent} is another user's")
    socket.unlink(missing_ok=True)
