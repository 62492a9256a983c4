"""The real servers that tests talk to: one Kafka, one Triton, one Zipkin, one Milvus Lite, one encoder, one engine of each role a run,
each started when a test first asks for it.

They run on free ports in a scratch folder, beside whatever runs on this machine already. Isolation between tests is by topic
prefix (Kafka), by an own server (Redis), by nobody being able to change anything (Triton) and by request ids (engines).
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from encoder import tiny as tiny_encoder
from localmesh import encoder
from localmesh.child import GUARD
from localmesh.fetch import redis
from localmesh.launcher import ensure_identity
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports, free_ports
from localmesh.rows import Row
from localmesh.servers import kafka_row, milvus_row, triton_row, zipkin_row
from localmesh.supervisor import Mesh

from tests.engines import Engines, tiny_model
from tests.foreign_triton import ForeignTriton

REDIS_START_TIMEOUT_S = 10.0


class Stack:
    """Servers shared by a test run. Its event loop has a thread of its own, so that sync and async tests can both use it."""

    def __init__(self, scratch: Path) -> None:
        self.places = replace(Places.default(), var=scratch)
        self.ports = Ports.free()
        self._meshes: dict[str, Mesh] = {}
        self._engines: Engines | None = None
        self._foreign: ForeignTriton | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stack", daemon=True)
        self._thread.start()

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""
        self._started("kafka", kafka_row)
        return f"{LOOPBACK}:{self.ports.kafka}"

    @property
    def triton(self) -> str:
        """host:port of gRPC, serving models/repository."""
        self._started("triton", triton_row)
        return f"{LOOPBACK}:{self.ports.triton_grpc}"

    @property
    def milvus(self) -> str:
        """URI of Milvus Lite's server, or of the Milvus that FINMESH_TEST_MILVUS names. Collections are kept apart by their prefix."""
        if given := os.environ.get("FINMESH_TEST_MILVUS"):
            return given
        self._started("milvus", milvus_row)
        return f"http://{LOOPBACK}:{self.ports.milvus}"

    @property
    def zipkin(self) -> str:
        """Base URL."""
        self._started("zipkin", zipkin_row)
        return f"http://{LOOPBACK}:{self.ports.zipkin}"

    @property
    def engines(self) -> Engines:
        """A prefill and a decode engine, fronted by nobody: who calls them owns them. Who kills one waits until it is back."""
        if self._engines is None:
            self._engines = Engines(self.places, self.ports)
            ensure_identity(self.places)
            self._meshes["engines"] = self._run(Mesh(self._engines.rows, self.places.var).__aenter__())
        return self._engines

    @property
    def foreign_triton(self) -> ForeignTriton:
        """A Triton that is no engine of ours; nobody kills it."""
        if self._foreign is None:
            self._foreign = ForeignTriton(self.places)
            self._meshes["foreign"] = self._run(Mesh([self._foreign.row], self.places.var / "foreign").__aenter__())
        return self._foreign

    @property
    def encoder(self) -> str:
        """host:port of gRPC of the encoder's Triton, serving `encoder_model`. Who kills it waits until it is back."""
        self._started(encoder.NAME, lambda places, ports: encoder.encoder_row(replace(places, encoder_model=self.encoder_model), ports))
        return f"{LOOPBACK}:{self.ports.triton_encoder_grpc}"

    @property
    def encoder_model(self) -> Path:
        """Folder of a tiny encoder of random weights."""
        return tiny_encoder.make(self.places.var / "models")

    @property
    def llm_model(self) -> Path:
        """Folder of a tiny language model, for a mesh of one's own."""
        return tiny_model(self.places.var / "models")

    @property
    def redis_server(self) -> Path:
        """The program, for a server of one's own."""
        return redis.fetch(self.places.stack)

    def close(self) -> None:
        """Ends what was started."""
        for mesh in self._meshes.values():
            self._run(mesh.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def pid_of(self, name: str) -> int:
        """Pid of a server that was started."""
        return self._meshes[name].pid(name)

    def _started(self, name: str, row: Any) -> None:
        if name not in self._meshes:
            built: Row = row(self.places, self.ports)
            self._meshes[name] = self._run(Mesh([built], self.places.var).__aenter__())

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class PrivateRedis:
    """A redis-server of one test, append-only file on as in production: what it acknowledged survives SIGKILL and `start`."""

    def __init__(self, program: Path, folder: Path, append_only: bool = True) -> None:
        self.port = free_ports(1)[0]
        self.url = f"redis://{LOOPBACK}:{self.port}/0"
        self._program, self._folder, self._append_only = program, folder, append_only
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers PING."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), str(self._program), "--bind", LOOPBACK,
                 "--port", str(self.port), "--dir", str(self._folder), "--appendonly", "yes" if self._append_only else "no",
                 "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""], stdout=log, stderr=log,
            )  # fmt: skip
        waiting = threading.Event()
        for _ in range(int(REDIS_START_TIMEOUT_S / 0.01)):
            if self._pongs():
                return
            if self._process.poll() is not None:
                break
            waiting.wait(0.01)
        raise RuntimeError(f"redis-server did not start: {(self._folder / 'redis.log').read_text()}")

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends it as an accident would, and returns when it is dead."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Removes its data; only while it is dead."""
        shutil.rmtree(self._folder)

    def _pongs(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
