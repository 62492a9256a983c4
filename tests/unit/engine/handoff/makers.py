"""Rows, claims and two ends of a hand-off for tests: small sizes, clocks that stand still until they are told."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from engine.handoff.arena import Arena
from engine.handoff.chain import block_ids
from engine.handoff.claims import Claims, FirstToken
from engine.handoff.layout import Layout
from engine.handoff.machine import Lease
from engine.handoff.publisher import Publisher
from engine.handoff.puller import Puller, PullLimits
from engine.handoff.rows import RowView
from engine.handoff.server import Server, ServerLimits
from engine.handoff.ticket import Ticket, TicketKey
from engine.handoff.tls import TlsEnd

LAYOUT = Layout("float32", layers=2, kv_heads=2, head_dim=8, block_tokens=64, digest=b"layout-digest-16")
KEY = TicketKey.of_release(b"root" * 8, "dev-1", "smollm2@7")
KEYS = {KEY.key_id: KEY.secret}
NAMESPACE = bytes(range(32))
MAX_LEN = 512
NOW_S = 1_790_000_000.0
_numbers = itertools.count(1)


class Clock:
    """Seconds that pass when told."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def new_id(at_ms: int | None = None) -> str:
    """A UUIDv7; ``at_ms``: Unix milliseconds."""
    value = (int(NOW_S * 1000) if at_ms is None else at_ms) << 80 | 7 << 76 | 2 << 62 | next(_numbers)
    return str(uuid.UUID(int=value))


def row(seed: int | None = 0, layout: Layout = LAYOUT, max_len: int = MAX_LEN) -> RowView:
    """A row of random numbers, or of zeros for None."""
    shape = (layout.layers, 2, layout.kv_heads, max_len, layout.head_dim)
    drawn = np.zeros(shape) if seed is None else np.random.default_rng(seed).normal(size=shape)
    content = drawn.astype(layout.dtype)
    return RowView(list(content[:, 0]), list(content[:, 1]))


def content(view: RowView, start: int, end: int) -> bytes:
    """Bytes of some tokens of a row."""
    return b"".join(np.ascontiguousarray(stripe[:, start:end]).tobytes() for stripe in view.stripes)


def tokens(count: int, seed: int = 0) -> list[int]:
    """Token ids of a prompt."""
    return [int(each) for each in np.random.default_rng(seed).integers(0, 1 << 16, count)]


def claims(count: int = 200, layout: Layout = LAYOUT, **changes: Any) -> Claims:
    """What an engine says of a prompt of so many tokens."""
    facts: dict[str, Any] = {
        "handoff_id": new_id(),
        "epoch": 1,
        "request_id": "请求-1",
        "model_digest": b"m" * 32,
        "tokenizer_digest": b"t" * 32,
        "token_count": count,
        "block_ids": block_ids(NAMESPACE, tokens(count), layout.block_tokens),
        "first_tokens": (FirstToken(17, -0.25, ((17, -0.25), (4, -1.5))),),
        "seed": 2**63 + 5,
        "next_index": 1,
        "grammar_digest": b"",
        "first_block": 0,
        "namespace": NAMESPACE,
        "grade": 3,
        "tenant_digest": b"n" * 32,
    }
    return Claims(**(facts | changes))


@dataclass
class Ends:
    """A publisher with its door, and a puller."""

    publisher: Publisher
    server: Server
    puller: Puller
    clock: Clock

    def published(self, said: Claims, source: RowView) -> Ticket:
        """Publish and hand the ticket over."""
        self.publisher.reserve(said.handoff_id, said.epoch, said.token_count, first_block=said.first_block)
        self.publisher.start(said.handoff_id, said.epoch)
        signed, _ = self.publisher.publish(said, source)
        return Ticket.verify(signed, KEYS)


@contextmanager
def ends(
    folder: Path,
    *,
    blocks: int = 16,
    layout: Layout = LAYOUT,
    shared: bool = True,
    tls: tuple[TlsEnd, TlsEnd] | None = None,
    lease: Lease | None = None,
    server_limits: ServerLimits | None = None,
    pull_limits: PullLimits | None = None,
) -> Iterator[Ends]:
    """Both ends in this process; ``tls``: publisher's and puller's."""
    clock = Clock()
    arena = Arena(layout, 4096 + blocks * (-(-layout.block_bytes // 4096) * 4096))
    publisher = Publisher(arena, lambda: KEY, "incarnation-1", lease=lease, clock=clock, wall=lambda: NOW_S)
    server = Server(publisher, unix_path=folder / "kv" if shared else None, tls=tls[0] if tls else None, limits=server_limits)
    puller = Puller(layout, tls[1] if tls else None, limits=pull_limits, clock=clock, wall=lambda: NOW_S)
    try:
        yield Ends(publisher, server, puller, clock)
    finally:
        puller.links.close()
        server.close()
        publisher.close()
