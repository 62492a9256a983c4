"""The parts of one engine, put together as its settings say, and taken apart again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.handoff.arena import Arena
from engine.handoff.layout import Layout
from engine.handoff.publisher import Publisher
from engine.handoff.server import Server
from engine.handoff.tls import TlsEnd
from engine.llm.engine import Engine, Limits
from engine.llm.generation import Event
from engine.llm.loading import load
from engine.llm.manifest import Manifest
from engine.stub.decode import DecodeRole
from engine.stub.keys import TicketKeys
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


@dataclass(slots=True)
class Parts:
    """What runs. ``closing``: what is ended at the end, the last first."""

    engine: Engine
    operations: Operations
    closing: list[Callable[[], object]]

    def close(self) -> None:
        """End it all: owners are told no more, nothing is served, the memory is given back."""
        while self.closing:
            self.closing.pop()()


def assemble(settings: Settings, publisher: Any, puller: Any) -> Parts:
    """Load and check the model, warm up, start to serve and to step. Raises whatever is wrong with files or settings."""
    model = load(settings.model, threads=settings.threads)
    identity = Identity(settings, model.manifest)
    keys = TicketKeys(settings.ticket_keys, identity.release)
    engine = Engine(model, Limits(rows=settings.rows, max_len=settings.max_len_tokens, prefix_store_bytes=settings.prefix_store_bytes))
    pool = ThreadPoolExecutor(max_workers=2 * settings.rows + 4, thread_name_prefix="worker")
    works = Works()

    def lost(owner: str, reason: str) -> None:
        operations.lost(owner, reason)

    def told(events: Sequence[Event]) -> None:
        operations.told(events)

    outbox = Outbox(lambda: (engine.incarnation, loop.turns), lost)
    loop = Loop(engine, told)
    closing: list[Callable[[], object]] = []
    published = (
        _published(settings, model.manifest, keys, engine.incarnation, publisher, closing) if settings.role is Role.PREFILL else None
    )
    operations = Operations(
        engine,
        identity,
        works,
        outbox,
        pool,
        turns=lambda: loop.turns,
        host=_BOOT_ID.read_text(encoding="ascii").strip(),
        prefill=None if published is None else PrefillRole(engine, published, identity, works, outbox, pool),
        decode=None
        if published is not None
        else DecodeRole(engine, puller(_layout(model.manifest), _tls(settings)), lambda: keys.accepted, identity, works, outbox),
        publisher=published,
    )
    outbox.start()
    loop.start()
    closing += [lambda: loop.stop(_STOP_S), lambda: pool.shutdown(wait=False, cancel_futures=True), outbox.close]
    return Parts(engine, operations, closing)


def _published(
    settings: Settings, manifest: Manifest, keys: TicketKeys, incarnation: str, make: Any, closing: list[Callable[[], object]]
) -> Publisher:
    """Return the publisher of a prefill engine, served and swept."""
    published: Publisher = make(Arena(_layout(manifest), settings.arena_bytes), keys.primary, incarnation, ())
    closing.append(published.close)
    host, _, port = settings.kv.listen.rpartition(":")
    advertised, _, _ = settings.kv.address.rpartition(":")
    server = Server(
        published,
        unix_path=Path(settings.kv.socket) if settings.kv.socket else None,
        tls=_tls(settings) if settings.kv.listen else None,
        address=(host.strip("[]"), int(port)) if settings.kv.listen else ("127.0.0.1", 0),
        advertised=advertised,
    )
    closing.append(server.close)
    stopping = threading.Event()

    def sweep() -> None:
        while not stopping.wait(_SWEEP_S):
            published.sweep()

    threading.Thread(target=sweep, name="sweep", daemon=True).start()
    closing.append(stopping.set)
    return published


def _layout(manifest: Manifest) -> Layout:
    found = manifest.layout
    return Layout(found.dtype, found.layers, found.kv_heads, found.head_dim, found.block_tokens, bytes.fromhex(manifest.layout_digest))


def _tls(settings: Settings) -> TlsEnd | None:
    """The files of TLS; a decode engine expects `server_name` at the other end, a prefill engine its peers."""
    kv = settings.kv
    if kv.certificate is None or kv.key is None or kv.authority is None:
        return None
    return TlsEnd(kv.certificate, kv.key, kv.authority, kv.peers if settings.role is Role.PREFILL else {kv.server_name})
