"""The parts of one engine, put together as its settings say, and taken apart again."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from engine.handoff.arena import Arena
from engine.handoff.layout import Layout
from engine.handoff.publisher import Publisher
from engine.handoff.server import Server
from engine.handoff.ticket_keys import TicketKeys
from engine.handoff.tls import TlsEnd
from engine.llm.engine import Engine
from engine.llm.generation import Event
from engine.llm.limits import Limits
from engine.llm.loading import load
from engine.llm.manifest import Manifest
from engine.stub.decode import DecodeRole
from engine.stub.loop import Loop
from engine.stub.operations import Operations
from engine.stub.outbox import Outbox
from engine.stub.prefill import PrefillRole
from engine.stub.settings import Role, Settings
from engine.stub.translate import Identity
from engine.stub.works import Works

_SWEEP_S = 0.5
_STOP_S = 5.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


Closing: TypeAlias = list[Callable[[], object]]


@dataclass(slots=True)
class Parts:
    """What runs. ``closing``: what is ended at the end, the last first."""

    engine: Engine
    operations: Operations
    closing: Closing

    def close(self) -> None:
        """End it all: owners are told no more, nothing is served, the memory is given back."""
        while self.closing:
            self.closing.pop()()


def assemble(settings: Settings, publisher: Any, puller: Any) -> Parts:
    """Load and check the model, warm up, start to serve and to step. Raises whatever is wrong with files or settings."""
    model = load(_plain(settings.model), threads=settings.threads)
    identity = Identity(settings, model.manifest)
    keys = TicketKeys(settings.ticket_keys, identity.release)
    engine = Engine(
        model,
        Limits(
            rows=settings.rows,
            max_len=settings.max_len_tokens,
            prefix_store_bytes=settings.prefix_store_bytes,
            chunk_tokens=settings.chunk_tokens or None,
        ),
    )
    pool = ThreadPoolExecutor(max_workers=2 * settings.rows + 4, thread_name_prefix="worker")
    works = Works()
    closing: Closing = []

    def lost(owner: str, reason: str) -> None:
        operations.lost(owner, reason)

    def told(events: Sequence[Event]) -> None:
        operations.told(events)

    outbox = Outbox(lambda: (engine.incarnation, loop.turns), lost)
    loop = Loop(engine, told)
    layout = _layout(model.manifest)
    if settings.role is Role.PREFILL:
        published = publisher(Arena(layout, settings.arena_bytes), lambda: keys.primary, engine.incarnation)
        _serve(settings, published, closing)
        role: PrefillRole | DecodeRole = PrefillRole(engine, published, identity, works=works, outbox=outbox, pool=pool)
    else:
        pulling = puller(layout, _tls(settings))
        closing.append(pulling.links.close)
        closing.append(_every(_SWEEP_S, pulling.links.prune))
        role = DecodeRole(engine, pulling, lambda: keys.accepted, identity, works=works, outbox=outbox)
    host = _BOOT_ID.read_text(encoding="ascii").strip()
    operations = Operations(engine, identity, role, works=works, outbox=outbox, pool=pool, turns=lambda: loop.turns, host=host)
    outbox.start()
    loop.start()
    closing += [lambda: loop.stop(_STOP_S), lambda: pool.shutdown(wait=False, cancel_futures=True), outbox.close]
    return Parts(engine, operations, closing)


def _serve(settings: Settings, published: Publisher, closing: Closing) -> None:
    """Let others pull, end leases that are over."""
    closing.append(published.close)
    host, _, port = settings.kv.listen.rpartition(":")
    server = Server(
        published,
        unix_path=settings.kv.socket,
        tls=_tls(settings) if settings.kv.listen else None,
        address=(host.strip("[]"), int(port)) if settings.kv.listen else ("127.0.0.1", 0),
        advertised=settings.kv.address.rpartition(":")[0],
    )
    closing.append(server.close)
    closing.append(_every(_SWEEP_S, published.sweep))


def _every(seconds: float, work: Callable[[], object]) -> Callable[[], object]:
    """Do it again and again on a thread; return what ends that. A time that fails is no last time: leases would never end again."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.wait(seconds):
            try:
                work()
            except Exception as error:
                traceback.print_exception(error)

    threading.Thread(target=run, name="sweep", daemon=True).start()
    return stopping.set


def _plain(folder: Path) -> Path:
    """Return a name of a folder in ASCII, for this process: ONNX Runtime can't be told another inside Triton."""
    return folder if str(folder).isascii() else Path(f"/proc/self/fd/{os.open(folder, os.O_PATH | os.O_DIRECTORY)}")


def _layout(manifest: Manifest) -> Layout:
    found = manifest.layout
    return Layout(
        dtype=found.dtype,
        layers=found.layers,
        kv_heads=found.kv_heads,
        head_dim=found.head_dim,
        block_tokens=found.block_tokens,
        digest=bytes.fromhex(manifest.layout_digest),
    )


def _tls(settings: Settings) -> TlsEnd | None:
    """The files of TLS; a decode engine expects `server_name` at the other end, a prefill engine its peers."""
    kv = settings.kv
    if kv.certificate is None or kv.key is None or kv.authority is None:
        return None
    return TlsEnd(kv.certificate, kv.key, kv.authority, kv.peers if settings.role is Role.PREFILL else {kv.server_name})
